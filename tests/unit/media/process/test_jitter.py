"""The jitter buffer, tick by tick."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.process.jitter import JitterBuffer, PayloadClock
from tests.unit.examples import examples

BASE = 0xFFFFFF00  # so that every test crosses the wrap of the timestamp


def stamp(index: int) -> int:
    return (BASE + 160 * index) & 0xFFFFFFFF


def content(index: int) -> bytes:
    return bytes([index % 251]) * 160


def play(arrivals: dict[int, list[int]], ticks: int) -> list[int | None]:
    """``arrivals``: packet numbers by tick. The packet number played in each tick."""
    buffer = JitterBuffer()
    out: list[int | None] = []
    for tick in range(ticks):
        for index in arrivals.get(tick, []):
            buffer.push(stamp(index), content(index))
        frame = buffer.pull()
        out.append(None if frame is None else frame[0])
    return out


def test_in_order_packets_play_in_order_after_the_initial_delay() -> None:
    out = play({tick: [tick] for tick in range(50)}, 50)
    assert out == [None, None, *range(48)]


def test_reordering_within_the_delay_is_healed() -> None:
    out = play({0: [0], 1: [2], 2: [1], 3: [3], 4: [5], 5: [4], 6: [6]}, 9)
    assert out == [None, None, 0, 1, 2, 3, 4, 5, 6]


def test_duplicates_play_once() -> None:
    out = play({tick: [tick, tick] for tick in range(20)}, 20)
    assert out == [None, None, *range(18)]


def test_a_lost_packet_leaves_one_hole() -> None:
    out = play({tick: [tick] for tick in range(20) if tick != 7}, 20)
    assert out == [None, None, *range(7), None, *range(8, 18)]


@given(st.permutations(range(3)), st.integers(0, 20))
def test_any_order_of_neighbours(order: list[int], at: int) -> None:
    arrivals = {tick: [tick] for tick in range(at)}
    arrivals[at + 2] = [at + n for n in order]
    arrivals.update({tick: [tick] for tick in range(at + 3, at + 30)})
    played = [n for n in play(arrivals, at + 40) if n is not None]
    assert played == sorted(played)
    assert len(played) == len(set(played))
    assert played[-1] == at + 29


def test_lateness_makes_the_delay_grow_and_calm_makes_it_shrink() -> None:
    buffer = JitterBuffer()
    rng = random.Random(4)
    waiting: list[tuple[int, int]] = []
    missed_early = missed_late = 0
    for tick in range(600):
        waiting.append((tick + rng.choice((0, 0, 0, 4)), tick))  # a quarter comes 80 ms late
        for due in [w for w in waiting if w[0] <= tick]:
            waiting.remove(due)
            buffer.push(stamp(due[1]), content(due[1]))
        missing = buffer.pull() is None
        if tick < 100:
            missed_early += missing
        elif tick >= 500:
            missed_late += missing
    assert missed_early > missed_late
    assert missed_late == 0
    grown = buffer.delay_frames()
    for tick in range(600, 6000):
        buffer.push(stamp(tick), content(tick))
        buffer.pull()
    assert buffer.delay_frames() < grown
    assert buffer.delay_frames() <= 2


def test_a_far_timestamp_is_believed_only_with_a_second_packet() -> None:
    buffer = JitterBuffer()
    for index in range(5):
        buffer.push(stamp(index), content(index))
        buffer.pull()
    buffer.push(stamp(2_000_000), content(9))
    for index in range(5, 10):
        buffer.push(stamp(index), content(index))
        assert buffer.pull() == content(index - 2)
    for index in range(2_000_000, 2_000_006):
        buffer.push(stamp(index), content(index))
        frame = buffer.pull()
    assert frame in {content(n) for n in range(2_000_001, 2_000_006)}


def test_a_far_end_that_paused_without_counting_on_is_heard_again() -> None:
    buffer = JitterBuffer()
    for index in range(10):
        buffer.push(stamp(index), content(index))
        buffer.pull()
    for _ in range(40):  # 0.8 s without packets
        buffer.pull()
    heard = []
    for index in range(10, 40):
        buffer.push(stamp(index), content(index))
        heard.append(buffer.pull())
    assert content(30) in heard


def test_other_packet_lengths_come_out_in_frames() -> None:
    for length in (80, 240, 320, 400, 73):
        buffer = JitterBuffer()
        whole = bytes(n % 199 for n in range(14400 // length * length))  # less than the delay takes to adapt
        out = bytearray()
        sent = 0
        for tick in range(200):
            while sent < len(whole) and sent <= tick * 160:
                buffer.push((BASE + sent) & 0xFFFFFFFF, whole[sent : sent + length])
                sent += length
            frame = buffer.pull()
            if frame is not None:
                assert len(frame) == 160
                out += frame
        usable = len(whole) // 160 * 160
        assert bytes(out[:usable]) == whole[:usable], length


@examples(60)
@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.binary(max_size=400)), max_size=300))
def test_any_packets_at_all_cost_little_and_come_out_as_frames(packets: list[tuple[int, bytes]]) -> None:
    buffer = JitterBuffer()
    for timestamp, payload in packets:
        buffer.push(timestamp, payload)
        frame = buffer.pull()
        assert frame is None or len(frame) == 160
    assert len(buffer._packets) <= 64


def clocked(
    steps: list[int], sizes: list[int], *, start: int = BASE, missing: frozenset[int] = frozenset()
) -> list[bytes]:
    """What comes out of packets of ``sizes`` bytes whose timestamps are ``steps`` apart, at the pace of their sizes."""
    clock, buffer, out = PayloadClock(), JitterBuffer(), []
    written, due = start, 0.0
    for index, (step, size) in enumerate(zip(steps, sizes, strict=True)):
        due += size / 160
        if index not in missing:
            placed = clock.place((65_500 + index) & 0xFFFF, written & 0xFFFFFFFF, size)
            if clock.turned:
                buffer.reset()
            buffer.push(placed, bytes([index % 251]) * size)
        while due >= 1:
            due -= 1
            out.append(buffer.pull() or b"")
        written += step
    return out


@pytest.mark.parametrize(
    ("step", "size"),
    [
        (320, 160),
        (640, 320),
        (160, 80),
        (480, 240),
        (960, 480),
        (960, 160),
        (80, 160),
        (20, 160),
        (0, 160),
        (-160, 160),
    ],
)
def test_timestamps_that_count_otherwise_are_judged_by_the_packets_lengths(step: int, size: int) -> None:
    """G.711 stamped at 16 kHz, G.722 at 16 kHz, at 48 kHz, in milliseconds, or not at all."""
    count = 14400 // size  # less than what it takes to give delay back
    settled = clocked([step] * count, [size] * count)[20:]
    assert all(settled), "no hole"
    played = list(dict.fromkeys(byte for frame in settled for byte in frame))
    assert played == [(played[0] + n) % 251 for n in range(len(played))], "nothing skipped, nothing twice"


def test_a_right_clock_is_left_alone() -> None:
    clock = PayloadClock()
    written = BASE
    for index in range(400):
        if index % 7 == 3:
            written += 160  # a pause of one frame now and then is no other clock
        assert clock.place(index & 0xFFFF, written & 0xFFFFFFFF, 160) == written & 0xFFFFFFFF
        assert not clock.turned
        written += 160


def test_losses_and_pauses_of_a_wrong_clock_keep_their_length() -> None:
    out = clocked([320] * 60 + [320 * 11] + [320] * 60, [160] * 121, missing=frozenset({30}))
    assert sum(not frame for frame in out[10:60]) == 1
    clock = PayloadClock()
    placed = [clock.place(n, 320 * n, 160) for n in range(10)]
    assert clock.place(10, 320 * 25, 160) - placed[-1] == 16 * 160
    assert clock.place(9, 320 * 9, 160) == placed[-1], "and a copy its place"


def test_a_far_end_that_turns_to_counting_right_is_followed() -> None:
    out = clocked([320] * 50 + [160] * 100, [160] * 150)
    assert all(out[70:])


def test_a_change_of_packet_length_is_no_change_of_clock() -> None:
    out = clocked([160] * 40 + [320] * 40 + [80] * 80, [160] * 40 + [320] * 40 + [80] * 80)
    assert all(out[10:120])
