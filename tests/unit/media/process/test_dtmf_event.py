"""Keys as RTP telephone-events, both ways."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.process.dtmf_event import EventReceiver, EventSender, KeyChange
from ivr.media.wire import KEYS


def body(key: str, duration: int, *, end: bool = False) -> bytes:
    return bytes([KEYS.index(key), (0x80 if end else 0) | 10]) + (duration & 0xFFFF).to_bytes(2, "big")


@dataclass(frozen=True)
class Sent:
    """One packet, at ``at`` seconds; ``sequence`` is its number."""

    at: float
    sequence: int
    timestamp: int
    payload: bytes


def changes(packets: Iterable[Sent]) -> list[KeyChange]:
    """What a receiver makes of packets in the order given, its ticks between them."""
    receiver, out, ticks = EventReceiver(), [], 0
    for packet in packets:
        while ticks * 0.02 < packet.at:
            ticks += 1
            if (change := receiver.tick()) is not None:
                out.append(change)
        out += receiver.packet(packet.timestamp & 0xFFFFFFFF, packet.payload, packet.sequence & 0xFFFF, packet.at)
    return out


def heard(packets: Iterable[Sent]) -> str:
    return "".join(change.key for change in changes(packets) if change.began)


@dataclass(frozen=True)
class Habit:
    """How a sender tells of a press. Times in ms; the default is RFC 4733 as most follow it."""

    tone: int = 100
    pause: int = 80
    interval: int = 20  # between updates
    ends: int = 3
    end_interval: int = 20
    moves: bool = False  # the timestamp goes on with every packet
    moves_at_end: int = 0  # ticks by which each end packet's goes on
    dated_end: bool = False  # all end packets carry the timestamp of the end
    duration: int | None = None  # constant
    end_duration: int | None = None
    frozen: bool = False  # the timestamp never goes on
    updates: bool = True
    audio_between: bool = True  # which takes sequence numbers
    start: int = 1000

    def keys(self, keys: str) -> list[Sent]:
        out: list[Sent] = []
        at, sequence = 0, 0
        for key in keys:
            stamp = self.start if self.frozen else self.start + 8 * at
            passed = 0
            while passed < self.tone and self.updates:
                passed += self.interval
                shown = stamp + (8 * (passed - self.interval) if self.moves else 0)
                duration = 8 * passed if self.duration is None else self.duration
                out.append(Sent((at + passed) / 1000, sequence, shown, body(key, duration)))
                sequence += 1
            length = 8 * max(passed, self.tone)
            for n in range(self.ends):
                passed += self.end_interval if n or not self.updates else 0
                shown = (
                    stamp + (length if self.moves or self.moves_at_end or self.dated_end else 0) + n * self.moves_at_end
                )
                duration = length if self.end_duration is None else self.end_duration
                out.append(Sent((at + passed) / 1000, sequence, shown, body(key, duration, end=True)))
                sequence += 1
            at += self.tone + self.pause
            sequence += self.pause // 20 if self.audio_between else 0
        return sorted(out, key=lambda packet: packet.sequence)


HABITS = {
    "as the RFC has it": Habit(),
    "no end packets": Habit(ends=0),
    "one end packet": Habit(ends=1),
    "seven end packets (some trunks)": Habit(ends=7, pause=160),
    "only end packets": Habit(updates=False),
    "only end packets, quick": Habit(updates=False, tone=50, pause=45),
    "one end packet and nothing else": Habit(updates=False, ends=1),
    "every packet a new timestamp": Habit(moves=True, end_duration=None),
    "every packet a new timestamp, each of 20 ms": Habit(moves=True, moves_at_end=160, duration=160, end_duration=160),
    "every packet a new timestamp, no end": Habit(moves=True, ends=0),
    "every end packet a new timestamp": Habit(moves_at_end=160),
    "every end packet a new timestamp, four of them": Habit(moves_at_end=160, ends=4, pause=120),
    "every end packet a new timestamp far off": Habit(moves_at_end=4000),
    "end packets of the timestamp of the end": Habit(dated_end=True, end_interval=5),
    "end packets of the timestamp of the end, long presses": Habit(tone=250, pause=120, dated_end=True),
    "end packets 50 ms apart, each a new timestamp": Habit(moves_at_end=400, end_interval=50, pause=160),
    "end packets at once, each a new timestamp": Habit(moves_at_end=160, end_interval=0),
    "the timestamp stands still": Habit(frozen=True),
    "the timestamp stands still at nought": Habit(frozen=True, start=0),
    "the timestamp stands still, no end packets": Habit(frozen=True, ends=0, pause=240),
    "updates 50 ms apart": Habit(interval=50),
    "updates 100 ms apart": Habit(interval=100, tone=300),
    "updates 10 ms apart": Habit(interval=10),
    "durations of nought": Habit(duration=0, end_duration=0),
    "an end of no duration": Habit(end_duration=0),
    "every duration the same": Habit(duration=800, end_duration=800),
    "an end longer than the press": Habit(end_duration=4000, pause=600),
    "fast dialling": Habit(tone=45, pause=45, interval=15, end_interval=5),
    "fast dialling without audio between": Habit(tone=45, pause=45, interval=15, end_interval=5, audio_between=False),
    "the fastest that Q.24 allows": Habit(tone=40, pause=40, end_interval=5),
    "a clock of 16 kHz": Habit(duration=None),
    "near the wrap of the timestamp": Habit(start=0xFFFFFE00),
    "long presses": Habit(tone=2000),
}


@pytest.mark.parametrize("keys", ["8", "88", "8800", "1231", "0#*D", "5555"])
@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS)
def test_one_press_is_one_digit_whatever_the_senders_habits(habit: Habit, keys: str) -> None:
    packets = habit.keys(keys)
    assert heard(packets) == keys
    told = changes(packets)
    assert [c.key for c in told if c.began] == list(keys)
    if habit.ends:
        assert {c.key for c in told if c.ended} == set(keys)


@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS)
def test_every_packet_twice_is_the_same(habit: Habit) -> None:
    assert heard(p for packet in habit.keys("8812") for p in (packet, packet)) == "8812"


@pytest.mark.parametrize(
    "name", ["as the RFC has it", "fast dialling", "seven end packets (some trunks)", "long presses"]
)
def test_neighbours_in_the_wrong_order_are_the_same(name: str) -> None:
    packets = HABITS[name].keys("8812")
    for first in range(2):
        swapped = list(packets)
        for i in range(first, len(packets) - 1, 2):
            a, b = packets[i], packets[i + 1]
            swapped[i], swapped[i + 1] = replace(b, at=a.at), replace(a, at=b.at)
        assert heard(swapped) == "8812"


@given(st.text(KEYS, max_size=12), st.integers(0, 0xFFFFFFFF), st.data())
def test_each_press_is_heard_once_whatever_is_lost_or_repeated(keys: str, start: int, data: st.DataObject) -> None:
    sent = Habit(start=start, pause=120).keys(keys)
    kept: list[Sent] = []
    for index in range(len(keys)):
        press = sent[8 * index : 8 * index + 8]
        numbers = data.draw(st.lists(st.sampled_from(range(8)), min_size=1, max_size=9))
        kept += [press[n] for n in sorted(numbers)]
    assert heard(kept) == keys


@pytest.mark.parametrize("lost", [range(3), range(4, 8), range(1, 8), range(7), (0, 4, 5), (4, 5, 6, 7), ()])
def test_88_is_two_digits_whatever_of_each_is_lost(lost: Iterable[int]) -> None:
    sent = Habit(pause=60).keys("88")
    gone = set(lost)
    assert heard(p for n, p in enumerate(sent) if n % 8 not in gone) == "88"


def test_a_straggler_of_the_press_before_is_no_new_press() -> None:
    sent = Habit().keys("12")
    assert heard([*sent[:5], sent[8], sent[6], sent[9], sent[5], sent[7]]) == "12"


def test_a_press_whose_every_packet_was_overtaken_is_not_lost() -> None:
    sent = Habit().keys("12")
    assert sorted(heard([sent[8], sent[9], *sent[5:8], *sent[10:]])) == ["1", "2"]


def test_a_second_key_on_the_same_timestamp_is_not_lost() -> None:
    """Some trunks stamp the next digit like the one before."""
    for keys in ("12", "88", "121"):
        sent = Habit(frozen=True).keys(keys)
        assert heard(sent) == keys
        assert heard(p for n, p in enumerate(sent) if n % 8 < 6) == keys


@pytest.mark.parametrize("kept", [1, 2, 5])
def test_a_long_press_in_segments_is_one_press(kept: int) -> None:
    """RFC 4733 section 2.5.1.3; ``kept``: every how many-th packet arrives."""
    out, at, sequence = [], 0, 0
    for segment in range(3):
        for duration in range(160, 0xFFFF, 160):
            at, sequence = at + 20, sequence + 1
            out.append(Sent(at / 1000, sequence, 5000 + segment * 0xFFFF, body("5", duration)))
    out = out[::kept]
    ends = [Sent((at + 20 * n) / 1000, sequence + n, 5000 + 2 * 0xFFFF, body("5", 0xFF00, end=True)) for n in (1, 2, 3)]
    assert changes([*out, *ends]) == [KeyChange("5", True, False), KeyChange("5", False, True)]


def test_a_duration_that_wraps_in_a_long_press_is_one_press() -> None:
    sent = [Sent(n / 50, n, 5000, body("5", 160 * n)) for n in range(1, 1000)]
    sent += [Sent(20 + n / 50, 1000 + n, 5000, body("5", 160 * 1000, end=True)) for n in range(3)]
    assert changes(sent) == [KeyChange("5", True, False), KeyChange("5", False, True)]


def test_a_gap_between_the_first_packets_and_the_end_is_one_press() -> None:
    """Gateways that report the beginning, then nothing until the key is up."""
    sent = [Sent(0.02, 1, 5000, body("5", 160)), Sent(0.04, 2, 5000, body("5", 320))]
    sent += [Sent(1.7 + n / 50, 90 + n, 5000, body("5", 13568, end=True)) for n in range(3)]
    assert heard(sent) == "5"
    assert changes(sent)[-1] == KeyChange("5", False, True)


def test_a_stream_of_another_numbering_goes_on_counting() -> None:
    first, second = Habit().keys("12"), Habit(start=900_000).keys("12")
    moved = [replace(p, at=p.at + 1, sequence=p.sequence + 30_000) for p in second]
    assert heard([*first, *moved]) == "1212"


def test_a_key_ends_the_one_whose_end_got_lost() -> None:
    sent = [Sent(0.02, 1, 1000, body("1", 160)), Sent(0.14, 7, 2000, body("2", 160))]
    assert changes(sent) == [KeyChange("1", True, False), KeyChange("1", False, True), KeyChange("2", True, False)]


def test_flash_and_rubbish_are_no_keys() -> None:
    receiver = EventReceiver()
    for payload in (bytes([16, 10, 0, 160]), b"\1\2\3", b""):
        assert not receiver.packet(1, payload, 1, 0.0)


def test_a_press_whose_end_got_lost_ends_by_itself() -> None:
    receiver = EventReceiver()
    assert receiver.packet(1000, body("3", 160), 1, 0.0) == [KeyChange("3", True, False)]
    ticked = [receiver.tick() for _ in range(20)]
    assert [change for change in ticked if change] == [KeyChange("3", False, True)]


@given(st.text(KEYS, min_size=1, max_size=6))
def test_what_is_sent_is_what_is_heard(keys: str) -> None:
    sender, receiver = EventSender(), EventReceiver()
    for key in keys:
        sender.press(key)
    began, ended, markers, tick = "", "", 0, 0
    while sender.busy:
        tick += 1
        packet = sender.next(tick * 160)
        if packet is None:
            continue
        markers += packet.marker
        for change in receiver.packet(packet.timestamp, packet.payload, tick, tick * 0.02):
            began += change.key if change.began else ""
            ended += change.key if change.ended else ""
    assert (began, ended, markers) == (keys, keys, len(keys))


def test_a_held_key_lasts_until_its_release() -> None:
    sender = EventSender()
    sender.hold("9")
    for tick in range(30):
        packet = sender.next(tick * 160)
        assert packet is not None
        assert packet.timestamp == 0
        assert not packet.payload[1] & 0x80
    sender.release()
    ends = [sender.next((30 + n) * 160) for n in range(3)]
    assert all(end is not None and end.payload[1] & 0x80 for end in ends)
    assert ends[0] is not None
    assert int.from_bytes(ends[0].payload[2:], "big") == 30 * 160
    assert sender.next(99 * 160) is None


def test_a_release_before_the_first_packet_still_makes_a_whole_press() -> None:
    sender = EventSender()
    sender.hold("1")
    sender.release()
    packets = [sender.next(n * 160) for n in range(12)]
    assert sum(packet is not None for packet in packets) == 5 + 3
