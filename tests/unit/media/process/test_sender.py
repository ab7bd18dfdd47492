"""The play queue, frame by frame; pacing; the outbox to the line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.media import wire
from ivr.media.process.codec import G722, PCMU
from ivr.media.process.gaps import Gaps
from ivr.media.process.outbox import Outbox
from ivr.media.process.pacing import Pacer
from ivr.media.process.play_queue import PlayQueue, Recording
from ivr.media.wire import Kind
from ivr.workers.frames import Splitter


class Dones:
    def __init__(self) -> None:
        self.all: list[tuple[int, bool, float]] = []

    def __call__(self, token: int, completed: bool, played_s: float) -> None:
        self.all.append((token, completed, round(played_s, 4)))


def recording(frames: float, value: int = 5000) -> Recording:
    return Recording(np.full(int(frames * 160), value, dtype=np.int16).tobytes())


def test_clips_play_with_gaps_and_report_once() -> None:
    done = Dones()
    queue = PlayQueue(done)
    queue.add(1, [recording(2), recording(1.5)], gap_ms=40)
    queue.add(2, [recording(1)])
    levels = []
    while queue.next():
        payload = queue.payload(PCMU)
        assert len(payload) == 160
        assert queue.signal().any() == (payload != PCMU.silence)
        levels.append(int(np.abs(PCMU.decode(payload)).max()))
    assert [level > 4000 for level in levels] == [True, True, False, False, True, True, True]
    assert done.all == [(1, True, 0.07), (2, True, 0.02)]
    assert not queue


@pytest.mark.parametrize("stopped", [1, 2, 3])
def test_one_track_is_stopped_and_the_others_play_on(stopped: int) -> None:
    done = Dones()
    queue = PlayQueue(done)
    for token in (1, 2, 3):
        queue.add(token, [recording(2)])
    queue.next()
    queue.stop(stopped)
    queue.stop(9)
    while queue.next():
        pass
    assert sorted(done.all) == [
        (token, token != stopped, 0.04 if token != stopped else 0.02 * (token == 1)) for token in (1, 2, 3)
    ]


def test_stop_fades_within_one_frame_and_ends_every_token() -> None:
    done = Dones()
    queue = PlayQueue(done)
    queue.add(1, [recording(10)])
    queue.add(2, [recording(10)])
    for _ in range(3):
        queue.next()
    queue.stop()
    assert done.all == [(1, False, 0.06), (2, False, 0.0)]
    assert queue.next()
    assert queue.signal()[:40].any()
    assert not queue.signal()[40:].any()
    assert not queue.next()


def test_a_key_cuts_only_what_asked_for_it() -> None:
    done = Dones()
    queue = PlayQueue(done)
    queue.add(1, [recording(3)], stop_on_key=True)
    queue.add(2, [recording(3)])
    queue.add(3, [recording(3)], stop_on_key=True)
    queue.next()
    queue.key()
    assert done.all == [(1, False, 0.02), (3, False, 0.0)]
    while queue.next():
        pass
    assert done.all[-1] == (2, True, 0.06)


def test_nothing_to_play_is_done_at_once_and_in_order() -> None:
    done = Dones()
    queue = PlayQueue(done)
    queue.add(1, [recording(1)])
    queue.add(2, [])
    queue.add(3, [Recording(b"")])
    queue.next()
    assert done.all == []
    assert not queue.next()
    assert done.all == [(1, True, 0.02), (2, True, 0.0), (3, True, 0.0)]


def test_stateful_codecs_encode_every_frame_themselves() -> None:
    queue = PlayQueue(Dones())
    queue.add(1, [recording(2)])
    encoder, other = G722(), G722()
    for _ in range(2):
        assert queue.next()
        assert queue.payload(encoder) == other.encode(queue.signal())


def test_recordings_are_encoded_once_a_codec() -> None:
    one = recording(3)
    assert one.payloads(PCMU) is one.payloads(PCMU)


actions = st.one_of(
    st.tuples(st.just("add"), st.floats(0, 3), st.booleans()),
    st.tuples(st.sampled_from(["next", "stop", "key"]), st.just(0.0), st.just(False)),
)


@given(st.lists(actions, max_size=60))
def test_every_token_is_done_exactly_once(steps: list[tuple[str, float, bool]]) -> None:
    done = Dones()
    queue = PlayQueue(done)
    token = 0
    for what, frames, stop_on_key in steps:
        if what == "add":
            token += 1
            queue.add(token, [recording(frames)], stop_on_key=stop_on_key)
        elif what == "next":
            queue.next()
        elif what == "stop":
            queue.stop()
        else:
            queue.key()
    queue.stop()
    assert sorted(one[0] for one in done.all) == list(range(1, token + 1))


def test_deadlines_do_not_drift_and_long_stalls_are_not_caught_up() -> None:
    pacer = Pacer(100.0, 0.02)
    for _ in range(500):
        pacer.ticked(pacer.due + 0.003)
    assert abs(pacer.due - (100.0 + 501 * 0.02)) < 1e-6
    before = pacer.due
    pacer.ticked(before + 1.0)
    assert before + 1.0 <= pacer.due + 0.02 <= before + 1.06
    assert pacer.skipped == 49


def test_gap_percentiles_leave_hold_out() -> None:
    gaps = Gaps()
    now = 1.0
    for index in range(200):
        now += 0.020 if index % 50 else 0.041
        gaps.sent(now)
    gaps.pause()
    gaps.sent(now + 60.0)
    assert gaps.percentile(0.5) == 20.0 or gaps.percentile(0.5) == 20.5
    assert gaps.percentile(0.99) == 45.0
    assert gaps.percentile(1.0) == 45.0


def test_audio_is_dropped_and_counted_when_the_line_is_behind_but_keys_are_not() -> None:
    import socket

    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    outbox = Outbox(ours)
    frames = [(1.0, b"\0" * 320)] * 15
    dropped = 0
    for index in range(400):
        dropped += outbox.speech(7, frames)
        outbox.put(Kind.DIGIT, 7, wire.pack(["5", "rtp", float(index)]))
        outbox.flush()
    assert 0 < dropped < 6000
    theirs.setblocking(False)
    splitter, digits, audio = Splitter(), 0, 0
    while outbox.pending:
        for kind, _, body in splitter.feed(theirs.recv(1 << 20)):
            digits += kind == Kind.DIGIT
            audio += len(list(wire.parse_audio(body))) if kind == Kind.AUDIO else 0
        outbox.flush()
    for kind, _, body in splitter.feed(theirs.recv(1 << 20)):
        digits += kind == Kind.DIGIT
        audio += len(list(wire.parse_audio(body))) if kind == Kind.AUDIO else 0
    assert digits == 400
    assert audio + dropped == 6000
    ours.close()
    theirs.close()
