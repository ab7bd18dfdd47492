"""The softphone's keys: in what pyVoIP writes, out of what it reads, and on its packets."""

from __future__ import annotations

import re

from ivr.media.process.rtp import Packet, build
from ivr.softphone.sdes import SdesKeys

INVITE = (
    "INVITE sip:a@192.0.2.1 SIP/2.0\r\nContent-Type: application/sdp\r\nContent-Length: 9\r\n\r\n"
    "v=0\r\nm=audio 4000 RTP/AVP 0 101\r\na=sendrecv\r\n"
)
ANSWER = INVITE.replace("INVITE sip:a@192.0.2.1 SIP/2.0", "SIP/2.0 200 OK")


def packet(sequence: int) -> bytes:
    return build(Packet(0, False, sequence, sequence * 160, 7, b"x" * 160))


def talked() -> tuple[SdesKeys, SdesKeys]:
    """A call between two of them."""
    caller, callee = SdesKeys(), SdesKeys()
    callee.read(caller.offered(INVITE).encode())
    caller.read(callee.answered(ANSWER).encode())
    return caller, callee


def test_an_offer_is_of_nothing_but_srtp() -> None:
    text = SdesKeys().offered(INVITE)
    head, _, body = text.partition("\r\n\r\n")
    assert "RTP/SAVP 0" in body and re.search(r"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\S{40}\r\n", body)
    assert f"Content-Length: {len(body)}" in head


def test_pyvoip_reads_no_key() -> None:
    read = SdesKeys().read(SdesKeys().offered(INVITE).encode())
    assert b"crypto" not in read and b"RTP/AVP 0" in read and b"a=sendrecv" in read
    assert SdesKeys().read(b"BYE sip:a SIP/2.0\r\n\r\n") == b"BYE sip:a SIP/2.0\r\n\r\n"


def test_two_understand_each_other() -> None:
    caller, callee = talked()
    assert caller.suite == callee.suite == "AES_CM_128_HMAC_SHA1_80"
    for one, other in ((caller, callee), (callee, caller)):
        sealed = one.seal(packet(1))
        assert b"x" * 20 not in sealed
        assert other.open(sealed) == packet(1)
        assert other.open(sealed) is None, "replayed"
        assert other.open(packet(2)) is None


def test_the_same_offer_again_changes_nothing() -> None:
    caller, callee = SdesKeys(), SdesKeys()
    offer = caller.offered(INVITE).encode()
    callee.read(offer)
    caller.read(callee.answered(ANSWER).encode())
    sealed = caller.seal(packet(1))
    assert callee.open(sealed) is not None
    callee.read(offer)
    assert callee.open(sealed) is None


def test_a_call_that_comes_in_the_clear_stays_so() -> None:
    keys = SdesKeys()
    assert keys.read(INVITE.encode()) == INVITE.encode()
    assert keys.answered(ANSWER) == ANSWER
    assert keys.open(keys.seal(packet(1))) == packet(1)
