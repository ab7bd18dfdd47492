"""SRTP of one leg: sealed and opened, keys that change, numbers that have begun anew, what is refused."""

from __future__ import annotations

import secrets
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.description import SUITES, Crypto, Sdes
from ivr.media.process import rtcp
from ivr.media.process.rtp import Packet, build
from ivr.media.process.srtp import Srtp
from tests.unit.examples import examples

SUITE = "AEAD_AES_256_GCM"
REPORT = rtcp.build(rtcp.Report(1, 0, 0, 0, ()), 0, "them")


def keys(suite: str = SUITE) -> tuple[bytes, bytes]:
    size = sum(SUITES[suite])
    return secrets.token_bytes(size), secrets.token_bytes(size)


def pair(suite: str = SUITE) -> tuple[Srtp, Srtp]:
    one, other = keys(suite)
    return Srtp(suite, one, other), Srtp(suite, other, one)


def agreed(suite: str, ours: bytes, theirs: bytes) -> Sdes:
    return Sdes(Crypto(1, suite, b64encode(theirs).decode()), Crypto(1, suite, b64encode(ours).decode()))


def packet(sequence: int, payload: bytes = b"x" * 160, ssrc: int = 7) -> bytes:
    return build(Packet(0, False, sequence, sequence * 160, ssrc, payload))


@pytest.mark.parametrize("suite", SUITES)
def test_what_one_seals_the_other_opens(suite: str) -> None:
    near, far = pair(suite)
    sealed = near.seal(packet(1))
    assert b"x" * 16 not in sealed
    assert far.open(sealed) == packet(1)
    assert far.open_rtcp(near.seal_rtcp(REPORT)) == REPORT
    assert (near.suite, near.up, far.refused) == (suite, True, 0)


@pytest.mark.parametrize("suite", SUITES)
def test_what_is_not_the_far_ends_is_counted_and_nothing_else(suite: str) -> None:
    near, far = pair(suite)
    stranger = Srtp(suite, *keys(suite))
    sealed = near.seal(packet(1))
    changed = sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]
    assert far.open(sealed) is not None
    bad = [sealed, changed, packet(2), stranger.seal(packet(2)), b"", b"\x80", b"\x80" * 1499, b"\x80" * 5000]
    assert [far.open(each) for each in bad] == [None] * len(bad)
    assert far.open_rtcp(REPORT) is None
    assert far.refused == len(bad) + 1
    assert far.open(near.seal(packet(2))) == packet(2)


@examples(200)
@given(st.binary(max_size=200))
def test_nothing_escapes(noise: bytes) -> None:
    near, _ = pair()
    assert near.open(noise) is None
    assert near.open_rtcp(noise) is None


def test_a_number_is_sealed_once() -> None:
    """Twice would give the key away."""
    near, _ = pair()
    near.seal(packet(5))
    with pytest.raises(OSError, match="replay"):
        near.seal(packet(5))
    with pytest.raises(OSError, match="long"):
        near.seal(b"\x80" * 5000)
    with pytest.raises(OSError, match="long"):
        near.seal_rtcp(b"\x80" * 5000)


def test_keys_of_another_length_are_none() -> None:
    with pytest.raises(ValueError, match="no key of AEAD_AES_256_GCM"):
        Srtp(SUITE, b"short", b"short")
    with pytest.raises(ValueError, match="no key of AES_CM_256"):
        Srtp("AES_CM_256", *keys())


def test_the_same_keys_again_go_on_counting() -> None:
    ours, theirs = keys()
    near, far = Srtp(SUITE, ours, theirs), Srtp(SUITE, theirs, ours)
    sealed = far.seal(packet(1))
    assert near.open(sealed) is not None
    near.seal(packet(9))
    near.rekey(agreed(SUITE, ours, theirs))
    assert near.open(sealed) is None, "replayed"
    with pytest.raises(OSError, match="replay"):
        near.seal(packet(9))


def test_a_changed_key_counts_at_once_and_what_was_under_way_is_still_heard() -> None:
    ours, theirs = keys()
    new = keys()[0]
    near, before, after = Srtp(SUITE, ours, theirs), Srtp(SUITE, theirs, ours), Srtp(SUITE, new, ours)
    near.open(before.seal(packet(1)))
    under_way = [before.seal(packet(number)) for number in (2, 3)]
    near.rekey(agreed(SUITE, ours, new))
    assert near.open(under_way[0]) == packet(2)
    assert near.open(after.seal(packet(4))) == packet(4)
    assert near.open(under_way[1]) == packet(3)
    for number in range(5, 60):
        assert near.open(after.seal(packet(number))) is not None
    assert near.open(before.seal(packet(61))) is None
    assert near.open(before.seal(packet(62))) is None, "that key is over"
    assert after.open(near.seal(packet(1))) == packet(1), "ours is the same"


def test_another_suite_is_another_context() -> None:
    near, _ = pair()
    ours, theirs = keys("AES_CM_128_HMAC_SHA1_80")
    near.rekey(agreed("AES_CM_128_HMAC_SHA1_80", ours, theirs))
    far = Srtp("AES_CM_128_HMAC_SHA1_80", theirs, ours)
    assert near.open(far.seal(packet(1))) == packet(1)
    assert far.open(near.seal(packet(1))) == packet(1)
    assert near.suite == "AES_CM_128_HMAC_SHA1_80"


def test_keys_that_are_none_leave_everything_as_it_was() -> None:
    ours, theirs = keys()
    near, far = Srtp(SUITE, ours, theirs), Srtp(SUITE, theirs, ours)
    with pytest.raises(ValueError, match="no key"):
        near.rekey(agreed("AEAD_AES_128_GCM", ours, theirs))
    assert near.open(far.seal(packet(1))) is not None


@pytest.mark.parametrize("suite", ["AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"])
@pytest.mark.parametrize("first", [0, 40_000, 65_000])
def test_a_long_call_goes_on_over_the_turn_of_its_numbers(suite: str, first: int) -> None:
    near, far = pair(suite)
    for number in range(first, first + 150_000, 997):
        assert far.open(near.seal(packet(number & 0xFFFF))) == packet(number & 0xFFFF)
    assert far.refused == 0


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("turns", [0, 1, 3, 90])
@pytest.mark.parametrize("last", [0, 5, 0x5555, 0x8001, 0xFFFF])
def test_who_comes_late_finds_where_the_stream_is(suite: str, turns: int, last: int) -> None:
    """A media process that follows one that died knows the key, and not how often the numbers have begun anew."""
    ours, theirs = keys(suite)
    far = Srtp(suite, theirs, ours)
    for number in range(0, turns * 65536 + last, 20_000):
        far.seal(packet(number & 0xFFFF))
    near = Srtp(suite, ours, theirs)
    assert near.open(far.seal(packet(last))) == packet(last)
    for number in range(last + 1, last + 20):
        assert near.open(far.seal(packet(number & 0xFFFF))) == packet(number & 0xFFFF)
    assert near.refused == 0


def test_strangers_cannot_make_it_search_for_ever() -> None:
    near, _ = pair()
    stranger, _ = pair()
    packets = [stranger.seal(packet(number)) for number in range(2000)]
    assert all(near.open(each) is None for each in packets)
    assert near.refused == len(packets)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("last", [3, 0x8001, 0xFFF0])
@pytest.mark.parametrize("noted", [3, 2])
def test_a_stream_that_another_process_heard_goes_on_where_it_is(suite: str, last: int, noted: int) -> None:
    """Its numbers had begun anew three times; the last time may have come since that was noted."""
    ours, theirs = keys(suite)
    far = Srtp(suite, theirs, ours)
    played = [far.seal(packet(index & 0xFFFF)) for index in range(0, 3 * 65536 + last, 20_000)]
    near = Srtp(suite, ours, theirs, stream=(7, noted))
    early = [each for number, each in enumerate(played) if number * 20_000 < noted << 16]
    assert [near.open(each) for each in early[-8:]] == [None] * len(early[-8:]), "what was recorded then"
    for number in range(last, last + 40):
        assert near.open(far.seal(packet(number & 0xFFFF))) == packet(number & 0xFFFF)
    assert near.open(played[-1]) is None, "behind the window, or long ago"


def test_strangers_keep_nobody_from_going_on() -> None:
    ours, theirs = keys()
    far, (stranger, _) = Srtp(SUITE, theirs, ours), pair()
    for index in range(0, 3 * 65536, 20_000):
        far.seal(packet(index & 0xFFFF))
    near = Srtp(SUITE, ours, theirs, stream=(7, 3))
    assert all(near.open(stranger.seal(packet(number, ssrc=ssrc))) is None for number in range(99) for ssrc in (7, 8))
    assert near.open(far.seal(packet(1))) == packet(1)


def test_a_far_end_with_another_stream_begins_at_nought() -> None:
    ours, theirs = keys()
    far, near = Srtp(SUITE, theirs, ours), Srtp(SUITE, ours, theirs, stream=(7, 3))
    assert near.open(far.seal(packet(60_000, ssrc=8))) == packet(60_000, ssrc=8)
    assert near.rollovers(8, 60_000, 60_000) == 0


def test_another_key_ends_what_was_awaited() -> None:
    ours, theirs = keys()
    near = Srtp(SUITE, ours, theirs, stream=(7, 3))
    new = keys()[0]
    near.rekey(agreed(SUITE, ours, new))
    assert near.open(Srtp(SUITE, new, ours).seal(packet(5))) == packet(5)


def test_how_often_numbers_have_begun_anew_is_followed() -> None:
    ours, theirs = keys()
    far, near = Srtp(SUITE, theirs, ours), Srtp(SUITE, ours, theirs)
    turns = []
    for index in range(65_000, 65_000 + 3 * 65536, 250):
        assert near.open(far.seal(packet(index & 0xFFFF))) is not None
        turns.append(near.rollovers(7, 65_000, index & 0xFFFF) == index >> 16)
    assert all(turns)
    later = Srtp(SUITE, ours, theirs, stream=(7, 3))
    assert later.open(far.seal(packet(65_400))) == packet(65_400)
    assert later.rollovers(7, 65_400, 65_400) == 3
    assert later.open(far.seal(packet(10))) == packet(10)
    assert later.rollovers(7, 65_400, 10) == 4
    later.rekey(agreed(SUITE, ours, keys()[0]))
    assert later.rollovers(7, 65_400, 20) == 0
