"""The DTLS handshake against a client in memory, flights lost and repeated; keys, certificates, their ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.process.dtls_srtp import Association, Identities, Identity
from ivr.media.process.rtp import Packet, build
from tests.unit.examples import examples
from tests.wire.media.browser_peer import BrowserPeer

IDENTITY = Identity.made(datetime.now(UTC))


def met(peer: BrowserPeer) -> Association:
    association = Association(IDENTITY, peer.fingerprint)
    peer.their_fingerprint = IDENTITY.fingerprint
    return association


def shaken(peer: BrowserPeer, association: Association, now: float = 100.0) -> None:
    """The handshake, with nothing lost."""
    waiting = peer.dtls()
    for _ in range(10):
        for datagram in waiting:
            association.receive(datagram, now)
        waiting = [answer for datagram in association.out for answer in peer.dtls(datagram)]
        association.out.clear()


def packet(sequence: int, payload: bytes = b"x" * 160) -> bytes:
    return build(Packet(0, False, sequence, sequence * 160, 7, payload))


@pytest.mark.parametrize("profile", [b"SRTP_AEAD_AES_128_GCM", b"SRTP_AES128_CM_SHA1_80"])
def test_both_agree_on_keys_and_understand_each_other(profile: bytes) -> None:
    peer = BrowserPeer(profiles=profile)
    association = met(peer)
    with pytest.raises(OSError, match="no keys"):
        association.seal(packet(1))
    shaken(peer, association)
    assert peer.up and association.state == "up"
    assert peer.clear(association.seal(packet(1))) == packet(1)
    said = peer.rtp(b"hello" * 32)
    understood = association.open(said)
    assert understood is not None and understood[12:] == b"hello" * 32


def test_what_is_forged_or_replayed_is_nothing() -> None:
    peer, stranger = BrowserPeer(), BrowserPeer()
    association = met(peer)
    shaken(peer, association)
    shaken(stranger, met(stranger))
    said = peer.rtp(b"a" * 160)
    assert association.open(said) is not None
    assert association.open(said) is None, "replayed"
    assert association.open(stranger.rtp(b"b" * 160)) is None
    assert association.open(packet(9)) is None, "in the clear"
    changed = bytearray(peer.rtp(b"c" * 160))
    changed[20] ^= 1
    assert association.open(bytes(changed)) is None
    assert association.open(b"\x80" * 5000) is None, "longer than any packet"
    with pytest.raises(OSError):
        for _ in range(2):
            association.seal(packet(5))  # the same number twice would give the key away


def test_a_certificate_that_the_offer_did_not_name_gets_no_keys() -> None:
    peer = BrowserPeer(Identity.made(datetime.now(UTC)))
    association = met(peer)
    shaken(peer, association)
    assert association.state == "failed"
    assert "certificate" in association.why
    with pytest.raises(OSError):
        association.seal(packet(1))


def test_without_a_common_profile_it_fails_and_says_why() -> None:
    peer = BrowserPeer(profiles=b"SRTP_AES128_CM_SHA1_32")
    association = met(peer)
    with pytest.raises(KeyError):  # the client has none either
        shaken(peer, association)
    assert association.state == "failed"
    assert "profile" in association.why or "DTLS" in association.why


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_flight_that_is_lost_is_repeated(lost: int) -> None:
    """Ours, ``lost`` times; the client's timer plays no part."""
    peer = BrowserPeer()
    association = met(peer)
    now = 100.0
    for datagram in peer.dtls():
        association.receive(datagram, now)
    assert association.out
    for times in range(lost):
        association.out.clear()
        association.watch(now + 0.3)
        assert not association.out, "not yet"
        now += 0.4 * 2**times
        association.watch(now)
        assert association.out, "again"
    for _ in range(5):
        back = [answer for datagram in association.out for answer in peer.dtls(datagram)]
        association.out.clear()
        for datagram in back:
            association.receive(datagram, now)
    assert peer.up and association.state == "up"


def test_a_repeated_flight_disturbs_nobody_who_had_it() -> None:
    peer = BrowserPeer()
    association = met(peer)
    for datagram in peer.dtls():
        association.receive(datagram, 100.0)
    association.watch(100.5)
    association.watch(102.0)
    waiting = [answer for datagram in association.out for answer in peer.dtls(datagram)]
    association.out.clear()
    for datagram in waiting:
        association.receive(datagram, 102.0)
    for datagram in association.out:
        peer.dtls(datagram)
    assert peer.up and association.state == "up"
    assert peer.clear(association.seal(packet(1))) == packet(1)


def test_when_our_last_flight_is_lost_the_browsers_repetition_fetches_it() -> None:
    peer = BrowserPeer()
    association = met(peer)
    for datagram in peer.dtls():
        association.receive(datagram, 100.0)
    theirs = [answer for datagram in association.out for answer in peer.dtls(datagram)]
    association.out.clear()
    for datagram in theirs:
        association.receive(datagram, 100.1)
    assert association.state == "up" and not peer.up
    association.out.clear()  # lost
    for _ in range(300):  # the client's timer is OpenSSL's, in real time
        if again := peer.repeat():
            break
        time.sleep(0.01)
    for datagram in again:
        association.receive(datagram, 101.2)
    for datagram in association.out:
        peer.dtls(datagram)
    assert peer.up
    assert peer.clear(association.seal(packet(1))) == packet(1)


def fragments(record: bytes, size: int) -> list[bytes]:
    """A handshake record as several (RFC 6347 section 4.2.3), each a datagram."""
    head, kind, body = record[:11], record[13:19], record[25:]
    cut = []
    for number, start in enumerate(range(0, len(body), size)):
        part = body[start : start + size]
        inner = kind + start.to_bytes(3, "big") + len(part).to_bytes(3, "big") + part
        cut.append(head[:10] + bytes([number]) + len(inner).to_bytes(2, "big") + inner)
    return cut


def renumbered(record: bytes) -> bytes:
    """A record in the clear, whose number isn't one that ``fragments`` has used."""
    clear = record[3:5] == b"\0\0"
    return record[:10] + bytes([record[10] + 16]) + record[11:] if clear else record


@pytest.mark.parametrize("backwards", [False, True])
def test_a_hello_in_fragments_is_put_together(backwards: bool) -> None:
    """As post-quantum ones are, which don't fit into a datagram."""
    peer = BrowserPeer()
    association = met(peer)
    [hello] = peer.dtls()
    cut = fragments(hello, 60)
    assert len(cut) > 2
    for datagram in reversed(cut) if backwards else cut:
        association.receive(datagram, 100.0)
    for _ in range(5):
        assert all(len(datagram) <= 1200 for datagram in association.out)
        back = [answer for datagram in association.out for answer in peer.dtls(datagram)]
        association.out.clear()
        for datagram in back:
            association.receive(renumbered(datagram), 100.0)
    assert peer.up and association.state == "up"


def test_the_browsers_end_is_noticed_and_ours_is_told() -> None:
    peer, other = BrowserPeer(), BrowserPeer()
    one, two = met(peer), met(other)
    shaken(peer, one)
    shaken(other, two)
    for datagram in peer.end():
        one.receive(datagram, 101.0)
    assert one.state == "closed"
    two.close()
    for datagram in two.out:
        other.dtls(datagram)
    assert other.ended


@examples(30)
@given(st.lists(st.binary(min_size=1, max_size=120), max_size=6), st.booleans())
def test_garbage_after_the_handshake_ends_nothing(noise: list[bytes], as_records: bool) -> None:
    peer = BrowserPeer()
    association = met(peer)
    shaken(peer, association)
    for data in noise:
        forged = b"\x15\xfe\xfd\x00\x01" + bytes(6) + len(data).to_bytes(2, "big") + data if as_records else data
        association.receive(forged, 101.0)
    association.receive(
        b"\x15\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x07\x00\x02\x02\x28", 101.0
    )  # a fatal alert, unsigned
    assert association.state == "up"
    assert association.open(peer.rtp(b"a" * 160)) is not None


def test_a_process_that_lives_long_gets_another_certificate() -> None:
    identities = Identities()
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    first = identities.current(begin)
    assert identities.current(begin + timedelta(days=22)) is first
    second = identities.current(begin + timedelta(days=24))
    assert second.fingerprint != first.fingerprint
    assert second.ends == begin + timedelta(days=54)
