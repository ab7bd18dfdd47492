"""Synthetic calls: what the caller waited for must come out to the packet."""

import numpy as np
import pytest

from ivr.softphone.timing import (
    KeyPress,
    PacketLevel,
    Timeline,
    key_silences,
    responses,
    spans,
    speech_silences,
    summary,
)

LOUD, NOISE, NOTHING = -20.0, -60.0, -100.0


def stream(*sounding: tuple[float, float], until: float, quiet: float = NOTHING) -> list[PacketLevel]:
    """A packet every 20 ms from 0; loud in the given stretches."""
    times = np.arange(0, round(until / 0.02)) * 0.02
    return [PacketLevel(float(t), LOUD if any(a <= t + 1e-6 < b for a, b in sounding) else quiet) for t in times]


def call(
    heard: list[PacketLevel], sent: list[PacketLevel] | None = None, keys: tuple[float, ...] = (), until: float = 10.0
) -> Timeline:
    return Timeline(sent or [], heard, [KeyPress(at, "0") for at in keys], until)


def test_spans_join_words_and_drop_clicks() -> None:
    frames = stream((1.0, 1.5), (1.7, 2.0), (3.0, 3.02), (4.0, 4.4), until=5)
    assert [(s.start, round(s.end, 3)) for s in spans(frames)] == [(1.0, 2.0), (4.0, 4.4)]


def test_a_response_is_from_the_last_voiced_packet_to_the_first_audible_one() -> None:
    sent = stream((2.0, 3.0), until=10)
    heard = stream((0.0, 1.2), (3.7, 5.0), until=10, quiet=NOISE)
    (turn,) = responses(call(heard, sent))
    assert turn.seconds == pytest.approx(3.7 - 2.98)
    assert not turn.overlapped


def test_a_pause_inside_an_utterance_is_not_the_end_of_a_turn() -> None:
    sent = stream((2.0, 2.5), (2.9, 3.4), until=10)
    turns = responses(call(stream((4.0, 5.0), until=10), sent))
    assert [turn.seconds for turn in turns] == [pytest.approx(4.0 - 3.38)]


def test_no_answer_before_the_caller_acts_again_is_no_number() -> None:
    sent = stream((1.0, 2.0), (6.0, 7.0), until=10)
    turns = responses(call(stream((7.5, 8.0), until=10), sent, keys=(4.0,)))
    assert [turn.seconds for turn in turns] == [None, pytest.approx(7.5 - 6.98)]


def test_an_answer_to_a_key_is_not_an_answer_to_speech() -> None:
    (turn,) = responses(call(stream((5.0, 6.0), until=10), stream((1.0, 2.0), until=10), keys=(4.0,)))
    assert turn.seconds is None


def test_a_line_that_talks_on_is_marked() -> None:
    (turn,) = responses(call(stream((0.0, 4.0), (5.0, 6.0), until=10), stream((2.0, 3.0), until=10)))
    assert turn.overlapped
    assert turn.seconds == pytest.approx(5.0 - 2.98)


def test_barge_in_then_answer_is_not_overlap() -> None:
    sent, heard = stream((2.0, 3.0), until=10), stream((0.0, 2.2), (3.5, 4.5), until=10)
    (turn,) = responses(call(heard, sent))
    assert not turn.overlapped
    assert [s.seconds for s in speech_silences(call(heard, sent))] == [pytest.approx(0.2)]


def test_a_key_silences_a_prompt() -> None:
    (silencing,) = key_silences(call(stream((0.0, 3.06), (3.6, 5.0), until=10), keys=(3.01,)))
    assert silencing.seconds == pytest.approx(0.05)
    assert silencing.key == "0"


def test_silence_within_the_packet_is_not_negative() -> None:
    (silencing,) = key_silences(call(stream((0.0, 3.0), until=10), keys=(3.01,)))
    assert silencing.seconds == 0.0


def test_a_stream_that_stops_is_silence() -> None:
    (silencing,) = key_silences(call(stream((0.0, 3.04), until=3.04), keys=(3.0,)))
    assert silencing.seconds == pytest.approx(0.04)


def test_a_cut_to_another_prompt_is_silence_when_nothing_plays_in_between() -> None:
    prompts = (0.0, 3.04), (3.12, 6.0)
    assert key_silences(call(stream(*prompts, until=10), keys=(3.0,)))[0].seconds == pytest.approx(0.04)
    assert key_silences(call(stream(*prompts, until=10, quiet=NOISE), keys=(3.0,)))[0].seconds == pytest.approx(3.0)


@pytest.mark.parametrize("pressed", [2.5, 6.0])
def test_a_prompt_that_ended_by_itself_was_silenced_by_nobody(pressed: float) -> None:
    assert key_silences(call(stream((0.0, 2.0), (2.9, 4.0), until=10), keys=(pressed,)))[0].seconds is None


def test_a_prompt_that_plays_on_counts_to_its_end() -> None:
    assert key_silences(call(stream((0.0, 5.0), until=10), keys=(2.0,)))[0].seconds == pytest.approx(3.0)


def test_a_call_that_ends_at_once_says_nothing() -> None:
    assert key_silences(call(stream((0.0, 3.0), until=3), keys=(2.98,), until=3.1))[0].seconds is None


def test_pauses_between_words_are_not_silence() -> None:
    heard = stream((0.0, 2.0), (2.14, 4.0), until=10, quiet=NOISE)
    assert key_silences(call(heard, keys=(1.95,)))[0].seconds == pytest.approx(4.0 - 1.95)


def test_summary_is_by_nearest_rank() -> None:
    found = summary(n / 100 for n in range(100, 0, -1))
    assert found is not None
    assert (found.count, found.p50, found.p95, found.worst) == (100, 0.5, 0.95, 1.0)
    assert summary([]) is None
