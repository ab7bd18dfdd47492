"""Offer and answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.description import (
    G722,
    PCMA,
    PCMU,
    Codec,
    Direction,
    MediaDescription,
    NoCommonCodec,
    address,
    expects_audio,
    held,
    host_for,
    hosts_by_version,
    negotiate,
    receivable,
)

OURS = ("PCMU", "PCMA", "G722")


def offer(*codecs: Codec, events: int | None = 101, direction: Direction = Direction.SENDRECV) -> MediaDescription:
    return MediaDescription("192.0.2.5", 4000, codecs, events, direction)


def test_our_preference_decides_under_their_payload_types() -> None:
    dynamic = Codec("PCMA", 112)
    answer = negotiate(offer(G722, dynamic, events=97), OURS, "127.0.0.1", 16000)
    assert answer == MediaDescription("127.0.0.1", 16000, (dynamic,), 97)


def test_without_an_offer_we_offer_everything() -> None:
    assert negotiate(None, OURS, "127.0.0.1", 16000) == MediaDescription("127.0.0.1", 16000, (PCMU, PCMA, G722), 101)


def test_no_events_offered_none_answered() -> None:
    assert negotiate(offer(PCMU, events=None), OURS, "127.0.0.1", 16000).dtmf_payload_type is None


def test_nothing_in_common_is_an_error_that_says_so() -> None:
    with pytest.raises(NoCommonCodec, match="488"):
        negotiate(offer(Codec("opus", 111)), OURS, "127.0.0.1", 16000)


@pytest.mark.parametrize(
    ("theirs", "ours", "silent"),
    [
        (Direction.SENDRECV, Direction.SENDRECV, False),
        (Direction.SENDONLY, Direction.RECVONLY, True),
        (Direction.RECVONLY, Direction.SENDONLY, False),
        (Direction.INACTIVE, Direction.INACTIVE, True),
    ],
)
def test_hold(theirs: Direction, ours: Direction, silent: bool) -> None:
    description = offer(PCMU, direction=theirs)
    assert negotiate(description, OURS, "127.0.0.1", 16000).direction is ours
    assert held(description) is silent
    assert expects_audio(description) is (theirs is Direction.SENDRECV)


def test_the_old_hold_by_address() -> None:
    old = MediaDescription("0.0.0.0", 4000, (PCMU,))
    assert held(old)
    assert not expects_audio(old)
    assert negotiate(old, OURS, "127.0.0.1", 16000).direction is Direction.RECVONLY


codecs = st.sampled_from([PCMU, PCMA, G722, Codec("PCMA", 100), Codec("opus", 111), Codec("G722", 120)])


@given(
    st.lists(codecs, min_size=1, max_size=5),
    st.permutations(OURS),
    st.sampled_from(Direction),
    st.one_of(st.none(), st.integers(96, 127)),
)
def test_answers_are_stable_and_within_the_offer(
    theirs: list[Codec], preferences: list[str], direction: Direction, events: int | None
) -> None:
    description = offer(*theirs, events=events, direction=direction)
    try:
        answer = negotiate(description, preferences, "127.0.0.1", 16000)
    except NoCommonCodec:
        assert all(codec.name not in preferences for codec in theirs)
        return
    assert answer == negotiate(description, preferences, "127.0.0.1", 16000)
    assert len(answer.codecs) == 1
    assert answer.codecs[0] in theirs
    assert answer.dtmf_payload_type == events
    assert answer.codecs[0].payload_type in receivable(description, preferences)


def test_only_ip_literals_are_sent_to() -> None:
    assert address("192.0.2.5", 4000) == ("192.0.2.5", 4000)
    assert address("::ffff:192.0.2.5", 4000) == ("192.0.2.5", 4000)
    assert address("phone.example.com", 4000) is None
    assert address("192.0.2.5", 0) is None
    assert address("0.0.0.0", 4000) is None
    assert address("224.0.0.1", 4000) is None


def test_each_far_end_is_met_at_our_address_of_its_ip_version() -> None:
    ours = hosts_by_version(["192.0.2.1", "2001:db8::1"])

    def met(host: str, sip_host: str = "") -> str:
        return host_for(MediaDescription(host, 4000, (PCMU,), sip_host=sip_host), ours)

    assert (met("198.51.100.7"), met("2001:db8:7::1"), met("::ffff:198.51.100.7")) == (
        "192.0.2.1", "2001:db8::1", "192.0.2.1",
    )  # fmt: skip
    assert (met("0.0.0.0", "2001:db8:7::1"), met("name.example", "2001:db8:7::1")) == ("2001:db8::1", "2001:db8::1")
    assert met("name.example") == host_for(None, ours) == "192.0.2.1"
    assert hosts_by_version(["::"]) == {4: "0.0.0.0", 6: "::"}
    with pytest.raises(NoCommonCodec, match="IPv6 address, and this line has none"):
        host_for(MediaDescription("2001:db8:7::1", 4000, (PCMU,)), {4: "192.0.2.1"})
