"""A browser's transport, datagram by datagram: who is the far end, what strangers get, another page, nobody at all."""

from __future__ import annotations

import gc
import secrets
import socket
from typing import cast

import pytest

from ivr.media.description import Resumption, Secrets
from ivr.media.process import rtcp
from ivr.media.process.browser_transport import BrowserTransport
from ivr.media.process.dtls_srtp import Association, Identities
from ivr.media.process.latch import Address
from ivr.media.process.rtp import Packet, build
from tests.wire.media.browser_peer import BrowserPeer

HOME, MOVED, STRANGER = ("192.0.2.7", 50_000), ("198.51.100.3", 40_000), ("203.0.113.66", 6666)


class Socket:
    """What is sent, instead of a network."""

    family = socket.AF_INET

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Address]] = []
        self.closed = False

    def getsockname(self) -> Address:
        return "0.0.0.0", 16_000

    def sendto(self, data: bytes, target: Address) -> None:
        self.sent.append((data, target))

    def close(self) -> None:
        self.closed = True

    def took(self) -> list[tuple[bytes, Address]]:
        sent, self.sent = self.sent, []
        return sent


class Leg:
    """A transport, and what it hands on."""

    def __init__(self, resumed: Resumption | None = None) -> None:
        self.socket = Socket()
        self.transport = BrowserTransport(cast(socket.socket, self.socket), Identities(), resumed)
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.changes: list[tuple[str, str]] = []
        self.now = 100.0
        self.transport.readers(
            lambda data, address, now: self.rtp.append(data),
            lambda data, address, now: self.rtcp.append(data),
            lambda state, why, now: self.changes.append((state, why)),
        )

    def meet(self, peer: BrowserPeer) -> None:
        ours = self.transport.aim(Secrets(peer.ufrag, peer.password, peer.fingerprint), self.now)
        assert ours is not None
        peer.their_ufrag, peer.their_password, peer.their_fingerprint = ours.ufrag, ours.password, ours.fingerprint

    def take(self, data: bytes, address: Address = HOME) -> list[tuple[bytes, Address]]:
        self.transport.datagram(data, address, self.now)
        return self.socket.took()

    def connect(self, peer: BrowserPeer, address: Address = HOME) -> None:
        """All of it, from the offer on."""
        self.meet(peer)
        assert len(self.take(peer.check(), address)) == 1
        waiting = peer.dtls()
        for _ in range(6):
            out = [data for datagram in waiting for data, target in self.take(datagram, address)]
            waiting = [answer for datagram in out for answer in peer.dtls(datagram)]
        assert peer.up


def alive() -> set[int]:
    """Every association that there is."""
    return {id(each) for each in gc.get_objects() if isinstance(each, Association)}


@pytest.fixture
def leg() -> Leg:
    return Leg()


@pytest.fixture
def peer() -> BrowserPeer:
    return BrowserPeer()


def test_a_browser_connects_and_audio_goes_both_ways(leg: Leg, peer: BrowserPeer) -> None:
    assert not leg.transport.established and leg.transport.latch.source is None
    leg.connect(peer)
    assert leg.changes == [("up", "")]
    assert leg.transport.established and leg.transport.latch.source is not None
    leg.take(peer.rtp(b"a" * 160))
    assert [data[12:] for data in leg.rtp] == [b"a" * 160]
    report = rtcp.build(rtcp.Report(1, 0, 0, 0, ()), 0, "them")
    leg.take(peer.rtcp(report))
    assert leg.rtcp == [report]
    leg.transport.send(b"\x80\x00\x00\x01" + bytes(8) + b"b" * 160, ("browser", 0))
    leg.transport.send_rtcp(report, ("browser", 0))
    (packet, one), (control, two) = leg.socket.took()
    assert one == two == HOME
    said = peer.clear(packet)
    assert said is not None and said[12:] == b"b" * 160
    assert peer.clear(control) == report


def test_strangers_get_no_answer_and_no_ear(leg: Leg, peer: BrowserPeer) -> None:
    leg.connect(peer)
    forger = BrowserPeer()
    forger.their_ufrag, forger.their_password = peer.their_ufrag, "guess" * 6
    for data in (
        forger.check(),
        peer.check(password="wrong"),
        *forger.dtls(),
        b"",
        b"\x00",
        b"\x80",
        b"\x80\x00" + bytes(170),
        b"\x80\xc8" + bytes(60),
        bytes(19),
        b"\x16" * 100,
        b"\xff" * 1400,
        *(secrets.token_bytes(size) for size in range(1, 200)),
    ):
        assert leg.take(data, STRANGER) == []
        assert leg.take(data, HOME) == [], "not even from the browser's address"
    assert (leg.rtp, leg.rtcp, leg.transport.address) == ([], [], HOME)
    leg.take(peer.rtp(b"a" * 160))
    assert len(leg.rtp) == 1 and leg.changes == [("up", "")]


def test_before_a_check_has_passed_nobody_is_sent_anything(leg: Leg, peer: BrowserPeer) -> None:
    """So nobody's address can be borrowed to have a certificate sent there."""
    leg.meet(peer)
    for datagram in peer.dtls():
        assert leg.take(datagram, STRANGER) == []
    assert leg.take(peer.check(password="wrong"), STRANGER) == []
    leg.transport.watch(leg.now + 1)
    assert leg.socket.took() == []


def test_the_browser_is_followed_where_it_goes(leg: Leg, peer: BrowserPeer) -> None:
    """From Wi-Fi to cable: at once with its first authentic packet, or where it nominates another pair."""
    leg.connect(peer)
    replayed = peer.rtp(b"a" * 160)
    leg.take(replayed, HOME)
    leg.take(replayed, STRANGER)
    assert leg.transport.address == HOME
    leg.take(peer.check(nominate=False), MOVED)
    assert leg.transport.address == HOME, "only looked at"
    leg.take(peer.rtp(b"b" * 160), MOVED)
    assert leg.transport.address == MOVED
    assert len(leg.rtp) == 2
    leg.take(peer.check(), HOME)
    assert leg.transport.address == HOME
    assert leg.changes == [("up", "")]


def test_a_page_that_was_loaded_again_takes_the_leg_over(leg: Leg, peer: BrowserPeer) -> None:
    leg.connect(peer)
    again = BrowserPeer()
    leg.connect(again, MOVED)
    assert leg.changes == [("up", ""), ("up", "")]
    leg.take(peer.rtp(b"old" * 40), HOME)
    assert leg.rtp == [] and leg.transport.address == MOVED
    leg.take(again.rtp(b"new" * 40), MOVED)
    assert len(leg.rtp) == 1
    assert leg.take(peer.check(), HOME) == [], "its password is the former one's"


def test_a_restart_of_ice_alone_keeps_the_keys(leg: Leg, peer: BrowserPeer) -> None:
    """The same certificate: the browser goes on with its association and sends no hello (RFC 8842 section 5)."""
    leg.connect(peer)
    former = peer.their_password
    peer.ufrag = "another1"
    leg.meet(peer)
    assert peer.their_password != former
    leg.take(peer.rtp(b"a" * 160), HOME)
    assert len(leg.rtp) == 1, "no gap meanwhile"
    assert len(leg.take(peer.check(), MOVED)) == 1
    assert leg.transport.address == MOVED
    assert leg.changes == [("up", ""), ("up", "")]


def test_the_same_offer_again_changes_nothing(leg: Leg, peer: BrowserPeer) -> None:
    leg.connect(peer)
    former = peer.their_password
    leg.meet(peer)
    assert peer.their_password == former and leg.transport.established


def test_a_page_that_leaves_says_so_and_is_sent_nothing_more(leg: Leg, peer: BrowserPeer) -> None:
    leg.connect(peer)
    for datagram in peer.end():
        leg.take(datagram)
    assert leg.changes == [("up", ""), ("closed", "")]
    assert not leg.transport.established and leg.transport.latch.source is None
    leg.socket.took()
    with pytest.raises(OSError):
        leg.transport.send(bytes(172), ("browser", 0))
    assert leg.socket.took() == []


def test_a_browser_that_never_comes_is_given_up_once(leg: Leg, peer: BrowserPeer) -> None:
    leg.meet(peer)
    leg.transport.watch(leg.now + 14)
    assert leg.changes == []
    leg.transport.watch(leg.now + 15)
    leg.transport.watch(leg.now + 16)
    [(state, why)] = leg.changes
    assert state == "failed" and "media.browser_addresses" in why


def test_a_handshake_that_stands_still_is_given_up(leg: Leg, peer: BrowserPeer) -> None:
    leg.meet(peer)
    leg.take(peer.check())
    for datagram in peer.dtls():
        leg.take(datagram)
    repeated = 0
    for step in range(200):
        leg.transport.watch(leg.now + step / 10)
        repeated += bool(leg.socket.took())
    [(state, why)] = leg.changes
    assert state == "failed" and "DTLS" in why
    assert 4 <= repeated <= 8


def test_closing_tells_the_browser(leg: Leg, peer: BrowserPeer) -> None:
    leg.connect(peer)
    leg.transport.close()
    for datagram, target in leg.socket.took():
        assert target == HOME
        peer.dtls(datagram)
    assert peer.ended and leg.socket.closed


def test_what_a_closed_leg_held_is_free_at_once(leg: Leg, peer: BrowserPeer) -> None:
    """The media process collects no circles of long-lived objects; OpenSSL's are large."""
    gc.collect()
    others = alive()
    gc.disable()
    try:
        leg.connect(peer)
        assert len(alive() - others) == 1
        leg.connect(BrowserPeer())
        assert len(alive() - others) == 1, "the page that was there before is gone"
        leg.transport.close()
        assert alive() == others
    finally:
        gc.enable()


def test_another_process_goes_on_where_one_has_left_off() -> None:
    before, peer = Leg(), BrowserPeer()
    before.connect(peer)
    told = before.transport.agreement
    assert told is not None
    assert (told.ufrag, told.password) == (peer.their_ufrag, peer.their_password)
    assert (told.fingerprint, told.their_fingerprint) == (peer.their_fingerprint, peer.fingerprint)
    before.transport.close(elsewhere=True)
    assert not before.socket.took() and before.socket.closed, "the browser hears of no end"
    after = Leg(Resumption(1, told))
    ours = after.transport.aim(Secrets(peer.ufrag, peer.password, peer.fingerprint), 101.0)
    assert ours == Secrets(peer.their_ufrag, peer.their_password, peer.their_fingerprint)
    assert after.transport.established and after.transport.agreement == told
    after.transport.meet(HOME)
    after.transport.send(a_packet(), ("browser", 0))
    [(sealed, target)] = after.socket.took()
    assert target == HOME and peer.clear(sealed) == a_packet()
    after.take(peer.rtp(b"\xff" * 160), MOVED)
    assert len(after.rtp) == 1 and after.transport.address == MOVED
    assert len(after.take(peer.check(), MOVED)) == 1, "consent is given as before"
    assert not after.take(b"\x16\xfe\xfd" + bytes(20), MOVED), "of its DTLS nothing is known here"
    assert after.changes == [], "it has been up all the time"
    again = BrowserPeer()
    after.connect(again)
    assert after.changes == [("up", "")], "a page that is loaded again shakes hands"


def a_packet() -> bytes:
    return build(Packet(0, False, 7, 160, 99, b"\x55" * 160))
