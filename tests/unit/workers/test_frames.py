"""Frames on a worker's socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.errors import MediaUnavailable, UnavailableError
from ivr.workers.frames import REQUEST, BrokenFrame, Splitter, asked, frame, refusal, refused


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=50))), st.data())
def test_frames_survive_any_cutting_of_the_stream(frames: list[tuple[int, int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(frame(*one) for one in frames)
    splitter, out = Splitter(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += list(splitter.feed(stream[:size]))
        stream = stream[size:]
    assert out == frames


def test_a_frame_of_no_sensible_size_is_refused() -> None:
    with pytest.raises(BrokenFrame):
        list(Splitter().feed(b"\xff\xff\xff\xff\x01\x00\x00\x00\x00"))


def test_a_cut_frame_is_not_taken_for_a_whole_one() -> None:
    assert list(Splitter().feed(frame(20, 1, bytes(320))[:-1])) == []


def test_requests_carry_their_number() -> None:
    assert asked(REQUEST.pack(7) + b"what?") == (7, b"what?")


def test_a_refusal_says_who_must_act() -> None:
    errors = (UnavailableError, MediaUnavailable)
    error = refused(refusal(MediaUnavailable("no port is free", remedy="widen media.ports")), errors)
    assert type(error) is MediaUnavailable and str(error) == "no port is free (widen media.ports)"
    assert str(refused(refusal(RuntimeError()), errors)) == "RuntimeError()"
    assert type(refused(refusal(KeyError("x")), errors)) is UnavailableError
