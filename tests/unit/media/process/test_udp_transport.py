"""A telephone's transport, datagram by datagram: in the clear, by SDES, by DTLS; who is the far end, and who isn't."""

from __future__ import annotations

import secrets
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from ivr.media.description import SUITES, Crypto, Dtls, Resumption, Sdes
from ivr.media.process import rtcp
from ivr.media.process.dtls_srtp import Association, Identities
from ivr.media.process.latch import Address
from ivr.media.process.rtp import Packet, build, parse
from ivr.media.process.srtp import Srtp
from ivr.media.process.udp_transport import UdpTransport

HOME, MOVED, STRANGER = ("192.0.2.7", 50_000), ("198.51.100.3", 40_000), ("203.0.113.66", 6666)
SUITE = "AES_CM_128_HMAC_SHA1_80"
REPORT = rtcp.build(rtcp.Report(1, 0, 0, 0, ()), 0, "them")


class Socket:
    """What is sent, instead of a network; what comes is put in."""

    family = socket.AF_INET

    def __init__(self, port: int) -> None:
        self.port = port
        self.sent: list[tuple[bytes, Address]] = []
        self.waiting: list[tuple[bytes, Address]] = []

    def getsockname(self) -> Address:
        return "0.0.0.0", self.port

    def sendto(self, data: bytes, target: Address) -> None:
        self.sent.append((data, target))

    def recvfrom(self, size: int) -> tuple[bytes, Address]:
        if not self.waiting:
            raise BlockingIOError
        return self.waiting.pop(0)

    def close(self) -> None:
        return None

    def took(self) -> list[tuple[bytes, Address]]:
        sent, self.sent = self.sent, []
        return sent


class End:
    """A transport at ``host``, its two sockets and what it hands on, admitted by its latch."""

    def __init__(self, host: str = "192.0.2.1", resumed: Resumption | None = None) -> None:
        self.host = host
        self.rtp, self.rtcp = Socket(4000), Socket(4001)
        sockets = cast(socket.socket, self.rtp), cast(socket.socket, self.rtcp)
        self.transport = UdpTransport(*sockets, Identities(), resumed)
        self.heard: list[bytes] = []
        self.reports: list[bytes] = []
        self.changes: list[tuple[str, str]] = []
        self.now = 100.0
        readers = self.transport.readers(
            self._take,
            lambda data, address, now: self.reports.append(data),
            lambda state, why, now: self.changes.append((state, why)),
        )
        self._read: dict[int, Callable[[float], None]] = {4000: readers[0][1], 4001: readers[1][1]}

    def _take(self, data: bytes, address: Address, now: float) -> None:
        packet = parse(data)
        if packet is not None and self.transport.latch.admit(address, packet.ssrc, packet.sequence, now):
            self.heard.append(packet.payload)

    def signalled(self, address: Address) -> None:
        self.transport.latch.aim(address)

    def come(self, data: bytes, address: Address = HOME, *, control: bool = False) -> None:
        sock = self.rtcp if control else self.rtp
        sock.waiting.append((data, address))
        self._read[sock.port](self.now)


def agreed(suite: str = SUITE) -> tuple[Sdes, Srtp]:
    """What a transport is told, and the far end of it."""
    ours, theirs = (secrets.token_bytes(sum(SUITES[suite])) for _ in range(2))
    keys = Sdes(Crypto(1, suite, b64encode(theirs).decode()), Crypto(1, suite, b64encode(ours).decode()))
    return keys, Srtp(suite, theirs, ours)


def packet(sequence: int, payload: bytes = b"x" * 160, ssrc: int = 7) -> bytes:
    return build(Packet(0, False, sequence, sequence * 160, ssrc, payload))


def carried(one: End, other: End, *, lost: Callable[[int], bool] = lambda number: False) -> None:
    """What each has sent reaches the other, until nobody has more to say."""
    number = 0
    for _ in range(40):
        moved = False
        for sender, receiver in ((one, other), (other, one)):
            for sock, control in ((sender.rtp, False), (sender.rtcp, True)):
                for data, target in sock.took():
                    assert target == (receiver.host, 4001 if control else 4000)
                    number += 1
                    if not lost(number):
                        receiver.come(data, (sender.host, sock.port), control=control)
                        moved = True
        if not moved:
            return


def shaking(mux: bool = False) -> tuple[End, End]:
    """One that is passive and one that is active, aimed at each other."""
    passive, active = End("192.0.2.1"), End("192.0.2.2")
    passive.signalled((active.host, 4000))
    active.signalled((passive.host, 4000))
    fingerprint = active.transport._identities.current().fingerprint
    said = passive.transport.aim(Dtls(fingerprint, "actpass", mux), 100.0)
    assert isinstance(said, Dtls)
    assert (said.setup, said.mux) == ("passive", mux)
    answer = active.transport.aim(said, 100.0)
    assert isinstance(answer, Dtls)
    assert (answer.setup, answer.fingerprint) == ("active", fingerprint)
    return passive, active


def test_in_the_clear_everything_is_as_it_came() -> None:
    end = End()
    end.signalled(HOME)
    assert end.transport.aim(None, 100.0) is None
    end.come(packet(1))
    end.come(REPORT, control=True)
    end.transport.send(packet(1), HOME)
    end.transport.send_rtcp(REPORT, HOME)
    assert (end.heard, end.reports) == ([b"x" * 160], [REPORT])
    assert end.rtp.took() == [(packet(1), HOME)]
    assert end.rtcp.took() == [(REPORT, HOME)]
    assert end.transport.established and end.transport.protection is None


def test_keys_of_the_sdp_seal_both_ways() -> None:
    end, (keys, far) = End(), agreed()
    end.signalled(HOME)
    assert end.transport.aim(keys, 100.0) == keys
    end.come(far.seal(packet(1)))
    end.come(far.seal_rtcp(REPORT), control=True)
    assert (end.heard, end.reports) == ([b"x" * 160], [REPORT])
    end.transport.send(packet(1), HOME)
    end.transport.send_rtcp(REPORT, HOME)
    [(sealed, _)], [(report, _)] = end.rtp.took(), end.rtcp.took()
    assert (far.open(sealed), far.open_rtcp(report)) == (packet(1), REPORT)
    assert end.transport.refused == 0


def test_who_has_no_key_is_counted_and_never_heard() -> None:
    end, (keys, far), (_, stranger) = End(), agreed(), agreed()
    end.signalled(HOME)
    end.transport.aim(keys, 100.0)
    sealed, forged = far.seal(packet(1)), stranger.seal(packet(3))
    end.come(sealed)
    for address in (HOME, STRANGER):
        for data in (packet(2), forged, sealed, b"\x80" * 60):
            end.come(data, address)
        end.come(stranger.seal_rtcp(REPORT), address, control=True)
        end.come(REPORT, address, control=True)
    for noise in (b"", b"\0", b"\0" * 20, b"\x16" * 40, b"\xff" * 1400):
        end.come(noise)  # keep-alives and the like: no packets that anybody would have heard
    assert (end.heard, end.reports) == ([b"x" * 160], [])
    assert end.transport.refused == 12
    assert end.transport.latch.source == HOME


def test_who_has_the_key_may_move_at_once_and_a_copy_moves_nobody() -> None:
    end, (keys, far) = End(), agreed()
    end.signalled(HOME)
    end.transport.aim(keys, 100.0)
    for number in range(1, 9):
        end.come(far.seal(packet(number)))
    late = far.seal(packet(9))
    end.come(far.seal(packet(10)), MOVED)
    assert end.transport.latch.source == MOVED
    end.come(late, HOME)
    assert end.transport.latch.source == MOVED, "that was under way"
    assert len(end.heard) == 10


def test_later_keys_count_and_the_counts_stay() -> None:
    end, (keys, far), (others, later) = End(), agreed(), agreed("AEAD_AES_128_GCM")
    end.signalled(HOME)
    end.transport.aim(keys, 100.0)
    end.come(packet(1))
    end.come(far.seal(packet(1)))
    assert end.transport.aim(others, 101.0) == others
    end.come(later.seal(packet(2)))
    end.transport.aim(None, 102.0)
    end.come(packet(3))
    assert len(end.heard) == 3
    assert end.transport.refused == 1


def test_keys_that_are_none_change_nothing() -> None:
    end, (keys, far) = End(), agreed()
    end.signalled(HOME)
    end.transport.aim(keys, 100.0)
    with pytest.raises(ValueError, match="no key"):
        end.transport.aim(replace(keys, theirs=Crypto(1, "AEAD_AES_256_GCM", "AAAA")), 101.0)
    end.come(far.seal(packet(1)))
    assert end.heard


@pytest.mark.parametrize("mux", [False, True])
def test_a_handshake_without_ice(mux: bool) -> None:
    """Two of ours meet: nothing is sent before there are keys, RTCP has an association of its own or goes with RTP."""
    passive, active = shaking(mux)
    for end in (passive, active):
        assert not end.transport.established
        assert end.transport.latch.source is None
    active.transport.watch(100.0)
    carried(passive, active)
    for end in (passive, active):
        assert end.changes == [("up", "")]
        assert end.transport.established
    for sender, receiver in ((passive, active), (active, passive)):
        target = sender.transport.latch.source
        assert target is not None
        sender.transport.send(packet(1), target)
        sender.transport.send_rtcp(REPORT, (target[0], target[1] + 1))
        assert bool(sender.rtcp.sent) != mux
        assert all(REPORT not in data for data, _ in (*sender.rtp.sent, *sender.rtcp.sent))
        carried(passive, active)
        assert (receiver.heard, receiver.reports) == ([b"x" * 160], [REPORT])
        assert receiver.transport.refused == 0


@pytest.mark.parametrize("which", range(1, 8))
def test_what_got_lost_of_a_handshake_is_repeated(which: int) -> None:
    """One datagram of it; the active end's clock is OpenSSL's own."""
    passive, active = shaking(mux=True)
    active.transport.watch(100.0)
    carried(passive, active, lost=lambda number: number == which)
    began = time.monotonic()
    while not (passive.changes and active.changes) and (passed := time.monotonic() - began) < 8.0:
        for end in (passive, active):
            end.now = 100.0 + passed
            end.transport.watch(end.now)
        carried(passive, active)
    assert passive.changes == active.changes == [("up", "")]


def test_the_same_certificate_again_changes_nothing_and_another_begins_anew() -> None:
    passive, active = shaking()
    active.transport.watch(100.0)
    carried(passive, active)
    association = passive.transport.protection
    fingerprint = active.transport._identities.current().fingerprint
    passive.transport.aim(Dtls(fingerprint, "active"), 101.0)
    assert passive.transport.protection is association
    said = passive.transport.aim(Dtls("AB" + fingerprint[2:], "actpass"), 102.0)
    assert passive.transport.protection is not association
    assert isinstance(said, Dtls) and said.setup == "passive"
    assert passive.transport.latch.source is None


@pytest.mark.parametrize("mux", [False, True])
def test_another_process_goes_on_with_what_an_association_has_agreed_on(mux: bool) -> None:
    """Its far end shakes hands no more: it knows of no other process."""
    passive, active = shaking(mux)
    assert passive.transport.agreement is None
    active.transport.watch(100.0)
    carried(passive, active)
    agreement = passive.transport.agreement
    assert agreement is not None and len(agreement.keys) == (1 if mux else 2)
    assert agreement.keys[0].ours.key not in repr(agreement) and "PRIVATE" not in repr(agreement)
    told = Dtls(active.transport._identities.current().fingerprint, "active", mux)
    later = resuming(passive, active)
    said = later.transport.aim(told, 200.0)
    assert said == Dtls(passive.transport._identities.current().fingerprint, "passive", mux), "as its SDP said before"
    protection = later.transport.protection
    later.transport.aim(replace(told, setup="actpass"), 201.0)
    assert later.transport.protection is protection
    assert later.transport.established and later.transport.agreement is agreement
    for sender, receiver in ((later, active), (active, later)):
        target = sender.transport.latch.source
        assert target is not None
        sender.transport.send(packet(1), target)
        sender.transport.send_rtcp(REPORT, (target[0], target[1] + 1))
        carried(later, active)
        assert (receiver.heard, receiver.reports) == ([b"x" * 160], [REPORT])


def resuming(before: End, far: End) -> End:
    """Another process at the same host, with what the one before had agreed on."""
    resumed = Resumption(1, before.transport.agreement)
    later = End(before.host, resumed)
    later.signalled((far.host, 4000))
    return later


@pytest.mark.parametrize("mux", [False, True])
def test_a_far_end_that_begins_anew_with_another_process_meets_the_same_certificate(mux: bool) -> None:
    passive, active = shaking(mux)
    active.transport.watch(100.0)
    carried(passive, active)
    later = resuming(passive, active)
    later.transport.aim(Dtls(active.transport._identities.current().fingerprint, "active", mux), 200.0)
    before, agreement = later.transport.protection, later.transport.agreement
    for data in (b"\x16" * 60, b"\x14", b"\x16"):
        later.come(data, (active.host, 4000))
    assert not later.rtp.took(), "no hello"
    active.transport.aim(None, 201.0)  # and it forgets what it had
    active.transport.aim(Dtls(passive.transport._identities.current().fingerprint, "passive", mux), 201.0)
    active.transport.watch(201.0)
    hellos = list(active.rtp.sent)
    for data, _ in hellos:
        later.come(data, STRANGER)
    assert not later.rtp.took() and later.transport.protection is before, "strangers begin nothing"
    carried(later, active)
    assert later.transport.agreement is not agreement
    assert later.transport.established and active.transport.established
    for sender, receiver in ((later, active), (active, later)):
        target = sender.transport.latch.source
        assert target is not None
        sender.transport.send(packet(1), target)
        sender.transport.send_rtcp(REPORT, (target[0], target[1] + 1))
        carried(later, active)
        assert (receiver.heard, receiver.reports) == ([b"x" * 160], [REPORT])


def test_a_renewal_that_fails_costs_nothing() -> None:
    passive, active = shaking(True)
    active.transport.watch(100.0)
    carried(passive, active)
    later = resuming(passive, active)
    fingerprint = active.transport._identities.current().fingerprint
    later.transport.aim(Dtls(fingerprint, "active", True), 200.0)
    protection = later.transport.protection
    other = End(active.host)  # has another certificate
    other.signalled((later.host, 4000))
    other.transport.aim(Dtls(passive.transport._identities.current().fingerprint, "passive", True), 201.0)
    other.transport.watch(201.0)
    carried(later, other)
    assert later.transport.protection is protection and later.transport.established
    assert not later.changes
    active.transport.send(packet(1), (later.host, 4000))
    carried(later, active)
    assert later.heard == [b"x" * 160]


def test_another_association_is_agreed_on_anew() -> None:
    """Another certificate, another tls-id (RFC 8842), RTCP elsewhere: what was agreed on before counts no more."""
    passive, active = shaking(True)
    active.transport.watch(100.0)
    carried(passive, active)
    told = Dtls(active.transport._identities.current().fingerprint, "active", True)
    for other in (
        replace(told, fingerprint="AB" + told.fingerprint[2:]),
        replace(told, tls_id="x" * 24),
        replace(told, mux=False),
    ):
        later = resuming(passive, active)
        later.transport.aim(other, 200.0)
        assert later.transport.agreement is None and not later.transport.established


def test_a_certificate_that_its_sdp_did_not_name_gets_no_keys() -> None:
    passive, active = End("192.0.2.1"), End("192.0.2.2")
    passive.signalled((active.host, 4000))
    active.signalled((passive.host, 4000))
    said = passive.transport.aim(Dtls(":".join(["AB"] * 32), "active"), 100.0)
    active.transport.aim(said, 100.0)
    active.transport.watch(100.0)
    carried(passive, active)
    assert [state for state, _ in passive.changes] == ["failed"]
    assert "certificate" in passive.changes[0][1]
    assert not passive.transport.established
    with pytest.raises(OSError, match="no keys"):
        passive.transport.send(packet(1), HOME)


def test_strangers_begin_no_handshake() -> None:
    passive, active = shaking()
    active.transport.watch(100.0)
    hello = [data for data, _ in active.rtp.took()]
    for data in (*hello, b"\x16" * 60, b"\x14"):
        passive.come(data, STRANGER)
    assert not passive.rtp.sent
    for data in hello:
        passive.come(data, (active.host, 4000))
    assert passive.rtp.sent


def test_who_never_answers_is_given_up() -> None:
    passive, active = shaking()
    for second in range(20):
        active.transport.watch(100.0 + second)
    assert active.rtp.took()
    assert active.changes == [("failed", "the far end did not finish the DTLS handshake")]
    assert not passive.changes


def test_closing_says_so() -> None:
    passive, active = shaking()
    active.transport.watch(100.0)
    carried(passive, active)
    active.transport.close()
    carried(passive, active)
    assert passive.changes == [("up", ""), ("closed", "")]


def test_an_unknown_digest_is_none() -> None:
    with pytest.raises(KeyError):
        Association(Identities().current(), "AB", algorithm="md5")
