"""Browsers' offers, read and answered; what is none, refused in words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.browser_sdp import read_offer
from ivr.media.description import PCMA, PCMU, Codec, Direction, MediaDescription, NoCommonCodec, Secrets, negotiate
from tests.wire.media.browser_peer import BrowserPeer

PEER = BrowserPeer()
OFFER = PEER.offer()
OURS = Secrets("abcdEFGH", "0123456789abcdefghijklmn", "AA:" * 31 + "BB")
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendrecv\r\na=rtpmap:96 VP8/90000\r\n"
DATA = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:data\r\na=sctp-port:5000\r\n"


def local(offer: str, codecs: tuple[str, ...] = ("PCMU", "PCMA")) -> MediaDescription:
    return replace(negotiate(read_offer(offer).remote, codecs, "192.0.2.1", 16_001), secure=OURS)


def without(pattern: str, offer: str = OFFER) -> str:
    changed = re.sub(rf"(?m)^{pattern}.*\r\n", "", offer)
    assert changed != offer
    return changed


def test_an_offer_is_read() -> None:
    remote = read_offer(OFFER).remote
    assert remote.codecs == (PCMU, PCMA)
    assert remote.dtmf_payload_type == 126
    assert remote.direction is Direction.SENDRECV
    assert remote.secure == Secrets(PEER.ufrag, PEER.password, PEER.fingerprint)  # of several fingerprints, sha-256's


def test_what_belongs_to_the_whole_session_counts_for_the_audio() -> None:
    moved = without("a=(fingerprint|setup|ice-)").replace(
        "t=0 0\r\n",
        f"t=0 0\r\na=ice-ufrag:{PEER.ufrag}\r\na=ice-pwd:{PEER.password}\r\na=fingerprint:SHA-256 "
        f"{PEER.fingerprint.lower()}\r\na=setup:actpass\r\n",
    )
    assert read_offer(moved).remote.secure == Secrets(PEER.ufrag, PEER.password, PEER.fingerprint)


def test_codecs_are_taken_as_they_are_numbered() -> None:
    renumbered = OFFER.replace("0 8 111 126", "111 100 8 126").replace("rtpmap:0 PCMU", "rtpmap:100 pcmu")
    assert read_offer(renumbered).remote.codecs == (Codec("PCMU", 100), PCMA)
    assert read_offer(without("a=rtpmap:[08] ")).remote.codecs == (PCMU, PCMA), "static numbers need no rtpmap"


def test_the_answer_is_lite_passive_and_of_one_codec() -> None:
    text = read_offer(OFFER).answer(local(OFFER), ["192.0.2.1", "2001:db8::1", "127.0.0.1"], 3)
    lines = text.split("\r\n")
    assert lines[0] == "v=0" and lines[-1] == ""
    assert lines[1].split()[2:] == ["3", "IN", "IP4", "192.0.2.1"]
    for line in (
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "m=audio 16001 UDP/TLS/RTP/SAVPF 0 126",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=setup:passive",
        f"a=ice-ufrag:{OURS.ufrag}",
        f"a=ice-pwd:{OURS.password}",
        f"a=fingerprint:sha-256 {OURS.fingerprint}",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:126 telephone-event/8000",
        "a=end-of-candidates",
    ):
        assert line in lines
    found = [line.split() for line in lines if line.startswith("a=candidate:")]
    assert [(each[4], each[5]) for each in found] == [
        ("192.0.2.1", "16001"),
        ("2001:db8::1", "16001"),
        ("127.0.0.1", "16001"),
    ]
    assert sorted((int(each[3]) for each in found), reverse=True) == [int(each[3]) for each in found]
    assert "opus" not in text and "PCMA" not in text


def test_our_preference_decides() -> None:
    assert "m=audio 16001 UDP/TLS/RTP/SAVPF 8 126" in read_offer(OFFER).answer(
        local(OFFER, ("PCMA", "PCMU")), ["192.0.2.1"]
    )


def test_every_other_section_is_refused_in_its_place() -> None:
    head, tail = OFFER.split("m=audio")
    offer = head + VIDEO + "m=audio" + tail + DATA
    lines = read_offer(offer).answer(local(offer), ["192.0.2.1"]).split("\r\n")
    assert [line for line in lines if line.startswith("m=")] == [
        "m=video 0 UDP/TLS/RTP/SAVPF 96 97",
        "m=audio 16001 UDP/TLS/RTP/SAVPF 0 126",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
    ]
    assert "a=group:BUNDLE 0" in lines
    assert [line for line in lines if line.startswith("a=mid:")] == ["a=mid:1", "a=mid:0", "a=mid:data"]


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        ("", "no m=audio"),
        ("v=0\r\nm=audio 4000 RTP/AVP 0\r\n", "DTLS-SRTP"),
        (without("a=rtcp-mux"), "rtcp-mux"),
        (without("a=ice-ufrag"), "ice-ufrag"),
        (without("a=ice-pwd"), "ice-pwd"),
        (OFFER.replace(PEER.ufrag, "x y"), "ice-ufrag"),
        (without("a=fingerprint:sha-256"), "sha-256"),
        (OFFER.replace("actpass", "passive"), "passive"),
        (OFFER.replace("a=mid:0", "a=mid:<b>"), "mid"),
        (OFFER.replace("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVPF \x00"), "m= line"),
        ("a=x\r\n" * 20_000 + OFFER, "longer"),
    ],
)
def test_what_is_no_such_offer_is_refused_in_words(offer: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_offer(offer)


def test_a_browser_without_g711_has_no_codec_in_common() -> None:
    with pytest.raises(NoCommonCodec, match="PCMU"):
        read_offer(OFFER.replace("0 8 111 126", "111 126"))


@given(st.text(max_size=80), st.integers(0, len(OFFER)), st.integers(0, 200))
def test_anything_is_an_offer_or_a_reason(noise: str, at: int, cut: int) -> None:
    try:
        read = read_offer(OFFER[:at] + noise + OFFER[at + cut :])
    except (ValueError, NoCommonCodec):
        return
    assert read.remote.secure is not None
