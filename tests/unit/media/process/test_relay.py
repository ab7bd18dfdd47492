"""Packets sent on as they come: at once, renumbered, and in one stream with what the ticks send."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ivr.media.description import G722, PCMA, PCMU, Codec, Direction
from ivr.media.process.codec import FRAME
from ivr.media.process.codec import PCMU as ULAW
from ivr.media.process.rtp import Packet, sequence_ahead, timestamp_ahead
from ivr.media.wire import Kind
from tests.unit.media.process.conversation import Conversation, Party, tone, unbroken


def bridged(left: Codec = PCMU, right: Codec = PCMU, events: int | None = 101) -> tuple[Conversation, Party, Party]:
    """Two legs, both far ends sending, relayed."""
    conversation = Conversation()
    one, other = conversation.join(left), conversation.join(right, events)
    conversation.goes_on(10, one, other)
    conversation.bridge(one, other)
    conversation.goes_on(10, one, other)
    return conversation, one, other


def at_once(conversation: Conversation, speaker: Party, hearer: Party) -> bool:
    """Whether what comes in now goes on before any tick."""
    before = len(hearer.sent)
    conversation.arrives(speaker, speaker.coder.encode(tone(400, 1)))
    return len(hearer.sent) > before


def test_a_packet_goes_on_at_once_with_a_header_of_ours() -> None:
    conversation, one, other = bridged(PCMU, Codec("PCMU", 107))
    other.sent.clear()
    conversation.arrives(one, bytes(range(160)), marker=True)
    [packet] = other.sent
    assert packet.payload == bytes(range(160))
    assert (packet.payload_type, packet.ssrc) == (107, other.session.sender.ssrc)
    assert packet.marker, "a talk spurt begins where the far end says so"
    conversation.tick()
    assert len(other.sent) == 1, "the tick adds nothing"
    conversation.arrives(other, b"\x55" * 160)
    assert (one.sent[-1].payload_type, one.sent[-1].payload, one.sent[-1].marker) == (0, b"\x55" * 160, False)
    unbroken(one.sent)


@pytest.mark.parametrize("codec", [PCMA, G722])
def test_every_codec_that_both_have(codec: Codec) -> None:
    conversation, one, other = bridged(codec, codec)
    assert at_once(conversation, one, other) and at_once(conversation, other, one)


@pytest.mark.parametrize(("left", "right"), [(G722, PCMU), (PCMA, PCMU)])
def test_two_codecs_are_no_relay(left: Codec, right: Codec) -> None:
    conversation, one, other = bridged(left, right)
    assert not at_once(conversation, one, other) and not at_once(conversation, other, one)
    conversation.goes_on(20, one, other, said=tone(400, 20))
    assert abs(other.heard(5)).max() > 6000, "they hear each other all the same"
    assert not one.session.relaying


def test_a_prompt_a_third_leg_and_what_follows_are_one_stream() -> None:
    conversation, one, other = bridged()
    third = conversation.join()
    one.sent.clear()
    for turn in range(6):
        one.play(turn, 3 + turn)
        conversation.goes_on(10, one, other)
        assert abs(one.heard(9)).max() > 6000, "the prompt"
        conversation.hear(one, other, third)
        conversation.goes_on(7, one, other, third)
        assert not at_once(conversation, other, one)
        conversation.tick()
        conversation.hear(one, other)
        conversation.goes_on(60, one, other, said=tone(400, 60))  # loud all along: taken over after a second
        assert at_once(conversation, other, one)
        conversation.tick()
    unbroken(one.sent)
    assert len(one.sent) == pytest.approx(6 * 79, abs=6)


def test_counters_wrap() -> None:
    conversation, one, other = bridged()
    one.sequence, one.timestamp = 0xFFFC, 0xFFFFFFFF - 700
    other.session.sender.timestamp = 0xFFFFFFFF - 900
    conversation.goes_on(20, one, other)
    other.sent.clear()
    conversation.goes_on(20, one, other)
    other.play(1, 5)
    conversation.goes_on(20, one, other)
    unbroken(other.sent)


def test_a_word_is_not_cut_to_take_over_from_a_prompt() -> None:
    conversation, one, other = bridged()
    conversation.goes_on(200, one, other)
    other.play(1, 10)
    conversation.goes_on(30, one, other, said=tone(400, 30))
    assert not at_once(conversation, one, other), "in the middle of it"
    conversation.tick()
    conversation.goes_on(8, one, other)
    assert at_once(conversation, one, other), "but in the pause that follows"


def test_losses_and_disorder_are_passed_on() -> None:
    conversation, one, other = bridged()
    other.sent.clear()
    conversation.goes_on(3, one, other)
    for _ in range(2):
        conversation.loses(one)
        conversation.tick()
    conversation.goes_on(3, one, other)
    first = other.sent[0]
    assert [sequence_ahead(packet.sequence, first.sequence) for packet in other.sent] == [0, 1, 2, 5, 6, 7]
    assert [timestamp_ahead(p.timestamp, first.timestamp) // FRAME for p in other.sent] == [0, 1, 2, 5, 6, 7]
    number, moment = one.sequence + 1, one.timestamp
    for swapped in (1, 0):
        packet = Packet(0, False, number + swapped, moment + swapped * FRAME, one.ssrc, bytes([swapped]) * 160)
        conversation.delivers(one, packet)
    one.sequence, one.timestamp = number + 1, moment + 2 * FRAME
    conversation.tick()
    conversation.tick()
    conversation.goes_on(2, one, other)
    assert [sequence_ahead(packet.sequence, first.sequence) for packet in other.sent[6:]] == [9, 8, 10, 11]


def test_comfort_noise_leaves_no_hole() -> None:
    conversation, one, other = bridged()
    other.sent.clear()
    conversation.goes_on(3, one, other)
    conversation.arrives(one, b"\x40", kind=13)
    conversation.goes_on(3, one, other)
    conversation.arrives(one, b"")
    conversation.goes_on(3, one, other)
    unbroken(other.sent)
    assert {packet.payload_type for packet in other.sent} == {0}


def test_a_far_end_that_pauses_is_silence_and_goes_on_in_time() -> None:
    conversation, one, other = bridged()
    other.sent.clear()
    conversation.goes_on(5, one, other)
    conversation.goes_on(50, other)
    one.timestamp += 50 * FRAME  # a clock that counts on
    assert at_once(conversation, one, other)
    conversation.tick()
    conversation.goes_on(5, one, other)
    assert len(other.sent) > 50, "nobody is left without packets"
    unbroken(other.sent, most=6 * FRAME)
    whole = timestamp_ahead(other.sent[-1].timestamp, other.sent[0].timestamp)
    assert whole == pytest.approx(60 * FRAME, abs=2 * FRAME)


def test_what_comes_in_a_heap_after_a_stall_delays_nobody_for_good() -> None:
    conversation, one, other = bridged()
    conversation.goes_on(10, one, other)
    conversation.goes_on(15, other)
    other.sent.clear()
    for _ in range(15):
        conversation.arrives(one, ULAW.encode(tone(400, 1)))
    conversation.tick()
    conversation.goes_on(70, one, other)
    assert at_once(conversation, one, other)
    whole = timestamp_ahead(other.sent[-1].timestamp, other.sent[0].timestamp)
    assert whole == pytest.approx(71 * FRAME, abs=4 * FRAME), "what was late is not put in front of what comes"
    assert [p.sequence for p in other.sent] == sorted(p.sequence for p in other.sent) or other.sent[0].sequence > 60000


def test_another_source_and_a_clock_that_jumps_follow_what_was_sent() -> None:
    conversation, one, other = bridged()
    other.sent.clear()
    conversation.goes_on(5, one, other)
    one.ssrc, one.sequence, one.timestamp = 4711, 40_000, 123
    conversation.goes_on(5, one, other)
    one.timestamp += 5_000_000
    conversation.goes_on(5, one, other)
    one.timestamp -= 9_000_000
    conversation.goes_on(5, one, other)
    one.sequence += 3000
    conversation.goes_on(5, one, other)
    unbroken(other.sent, most=2 * FRAME)
    assert sum(packet.marker for packet in other.sent) == 4
    assert at_once(conversation, one, other)


def test_keys_go_on_as_events_of_ours() -> None:
    conversation, one, other = bridged(PCMU, PCMU, 96)
    other.sent.clear()
    start = one.timestamp
    for index in range(6):
        body = bytes([5, 0x8A if index > 3 else 10]) + (160 * min(index + 1, 4)).to_bytes(2, "big")
        conversation.arrives(one, body, kind=101)
        conversation.tick()
    one.timestamp = start + 7 * FRAME
    conversation.goes_on(30, one, other)
    events = [packet for packet in other.sent if packet.payload_type == 96]
    assert events and {packet.payload[0] for packet in events} == {5}
    assert sum(packet.marker for packet in events) == 1 and len({packet.timestamp for packet in events}) == 1
    assert sum(bool(packet.payload[1] & 0x80) for packet in events) == 3
    assert {packet.payload_type for packet in other.sent} == {0, 96}
    numbers = [sequence_ahead(packet.sequence, other.sent[0].sequence) for packet in other.sent]
    assert numbers == list(range(len(numbers)))
    audio = [packet for packet in other.sent if packet.payload_type == 0]
    assert all(timestamp_ahead(b.timestamp, a.timestamp) > 0 for a, b in pairwise(audio))
    assert at_once(conversation, one, other), "and then the voice again"
    assert [what[0] for what in conversation.said if what[0] is Kind.DIGIT] == [Kind.DIGIT]


def test_who_holds_hears_nothing_and_goes_on_afterwards() -> None:
    conversation, one, other = bridged()
    other.aim(Direction.SENDONLY)
    other.sent.clear()
    conversation.goes_on(10, one, other)
    assert not at_once(conversation, one, other)
    conversation.tick()
    assert other.sent == [] and at_once(conversation, other, one), "its music is heard"
    other.aim()
    conversation.goes_on(60, one, other)
    assert other.sent[0].marker and at_once(conversation, one, other)
    unbroken(other.sent)


def test_nobody_heard_is_a_hold_with_clips() -> None:
    conversation, one, other = bridged()
    conversation.hear(one)
    one.sent.clear()
    one.play(1, 5)
    conversation.goes_on(10, one, other, said=tone(400, 10))
    assert not at_once(conversation, other, one)
    levels = [abs(one.coder.decode(packet.payload)).max() for packet in one.sent]
    assert [level > 4000 for level in levels] == [True] * 5 + [False] * 5
    assert at_once(conversation, one, other), "which says nothing of the other way"


def test_longer_packets_are_sent_on_as_they_are() -> None:
    conversation, one, other = bridged()
    other.sent.clear()
    for _ in range(10):
        conversation.arrives(one, b"\x70" * 480)
        for _ in range(3):
            conversation.tick()
    assert [len(packet.payload) for packet in other.sent] == [480] * 10
    other.play(1, 3)
    conversation.goes_on(4)
    assert timestamp_ahead(other.sent[-1].timestamp, other.sent[9].timestamp) >= 480
    numbers = [sequence_ahead(packet.sequence, other.sent[0].sequence) for packet in other.sent]
    assert numbers == list(range(len(numbers)))


def test_a_drifting_clock_breaks_nothing() -> None:
    conversation, one, other = bridged()
    other.sent.clear()
    for index in range(3000):
        if index % 100:  # 1 % slow
            conversation.arrives(one, b"\x70" * 160)
        conversation.tick()
        if index % 500 == 250:
            other.play(index, 10)
    unbroken(other.sent, most=3 * FRAME)
