"""Probabilities to utterances."""

from __future__ import annotations

import numpy as np
import pytest

from ivr.speech.worker.endpointing import (
    WINDOW,
    End,
    Endpointer,
    Levels,
    SileroModel,
    SileroStream,
    Start,
    percentile,
)

W = 0.032


def run(endpointer: Endpointer, probabilities: list[float]) -> list[tuple[int, Start | End]]:
    edges = []
    for i, p in enumerate(probabilities):
        edge = endpointer.push(p, W)
        if edge is not None:
            edges.append((i, edge))
    return edges


def test_starts_after_three_voiced_windows_and_knows_when_it_began() -> None:
    edges = run(Endpointer(), [0.1] * 5 + [0.9] * 3)
    assert [(i, type(e)) for i, e in edges] == [(7, Start)]
    assert abs(edges[0][1].ago_s - 3 * W) < 1e-9


def test_a_click_is_not_speech() -> None:
    assert run(Endpointer(), [0.9, 0.9, 0.1, 0.1, 0.1] * 5) == []


def test_a_voice_beyond_doubt_starts_with_its_second_window() -> None:
    edges = run(Endpointer(), [0.1] * 5 + [0.55, 0.95])
    assert [(i, type(e)) for i, e in edges] == [(6, Start)]
    assert abs(edges[0][1].ago_s - 2 * W) < 1e-9
    assert run(Endpointer(), [0.1, 0.99, 0.1, 0.1, 0.45, 0.99, 0.1] * 3) == []  # a window alone is a click


def test_loudness_is_looked_at_from_the_window_on_that_begins_the_utterance() -> None:
    levels, endpointer = Levels(), Endpointer()
    steps = [(58.0, 0.3)] * 30 + [(72.0, 0.6), (72.0, 0.97)]
    edges = [endpointer.push(levels.heard(p, window(db)), W) for db, p in steps]
    assert isinstance(edges[-1], Start) and edges.count(None) == 31
    assert levels.loudest_db(1, 2 * W) > -20.0 and levels.above_db > 12.0


def test_one_dip_in_the_onset_is_allowed() -> None:
    edges = run(Endpointer(), [0.9, 0.2, 0.9, 0.9])
    assert [i for i, _ in edges] == [3]
    assert abs(edges[0][1].ago_s - 4 * W) < 1e-9


def test_ends_after_the_hangover_and_dates_the_end_of_speech() -> None:
    edges = run(Endpointer(hangover_s=0.5), [0.9] * 10 + [0.1] * 40)
    index, end = edges[1]
    assert isinstance(end, End) and not end.capped
    assert index == 10 + 16 - 1  # 16 windows are the first to reach half a second
    assert abs(end.ago_s - 16 * W) < 1e-9


def test_a_pause_shorter_than_the_hangover_does_not_end() -> None:
    probabilities = [0.9] * 10 + [0.1] * 14 + [0.9] * 5 + [0.1] * 14 + [0.9]
    assert len(run(Endpointer(hangover_s=0.5), probabilities)) == 1


def test_a_trailing_voice_between_the_two_thresholds_keeps_it_open() -> None:
    assert len(run(Endpointer(hangover_s=0.3), [0.9] * 4 + [0.4] * 50)) == 1


def test_the_cap_ends_a_voice_that_never_stops() -> None:
    edges = run(Endpointer(max_utterance_s=2.0), [0.9] * 100)
    assert isinstance(edges[1][1], End) and edges[1][1].capped
    assert edges[1][0] == 62
    assert isinstance(edges[2][1], Start)  # and what follows is the next utterance


def test_unheard_time_counts_as_silence_without_being_consumed() -> None:
    endpointer = Endpointer(hangover_s=0.5)
    run(endpointer, [0.9] * 5 + [0.1] * 5)
    assert endpointer.due(0.3) is None
    assert endpointer.speaking
    end = endpointer.due(0.4)
    assert end is not None and abs(end.ago_s - (5 * W + 0.4)) < 1e-9
    assert not endpointer.speaking


def test_a_longer_hangover_set_in_mid_utterance_holds_at_once() -> None:
    endpointer = Endpointer(hangover_s=0.3)
    run(endpointer, [0.9] * 5 + [0.1] * 8)
    endpointer.hangover_s = 0.8
    assert run(endpointer, [0.1] * 10) == []
    assert len(run(endpointer, [0.1] * 10)) == 1


def test_windows_of_many_callers_in_one_run_get_the_figures_of_each_alone() -> None:
    model = SileroModel()
    rng = np.random.default_rng(1)
    tones = [np.sin(np.arange(40 * WINDOW) * (0.1 + 0.05 * n)) * 9000 * n for n in range(5)]
    callers = [(tone + rng.normal(0, 300, len(tone))).astype("<i2").tobytes() for tone in tones]

    def windows(pcm: bytes) -> list[bytes]:
        return [pcm[at : at + 2 * WINDOW] for at in range(0, len(pcm), 2 * WINDOW)]

    alone = []
    for pcm in callers:
        stream = SileroStream(model)
        alone.append([stream.probability(window) for window in windows(pcm)])
    streams = [SileroStream(model) for _ in callers]
    together = []
    for step, several in enumerate(zip(*map(windows, callers), strict=True)):
        late = step % 3 == 2  # one of them has nothing to be judged now, and catches up
        first = SileroStream.probabilities(streams[late:], several[late:])
        together.append(([streams[0].probability(several[0])] if late else []) + first)
    np.testing.assert_allclose(np.array(together).T, alone, atol=1e-6)


def window(db: float) -> bytes:
    """256 samples at this level above the smallest step."""
    return np.full(256, 10 ** (db / 20)).astype("<i2").tobytes()


def judged(levels: Levels, steps: list[tuple[int, float, float]]) -> list[float]:
    """What comes of windows: (how many, level, what the model says)."""
    return [levels.heard(p, window(db)) for count, db, p in steps for _ in range(count)]


def test_voices_in_the_background_are_silence_once_the_caller_has_been_quiet_for_long_enough() -> None:
    after = judged(Levels(), [(30, 58.0, 0.9), (40, 72.0, 0.95), (40, 58.0, 0.9)])[70:]
    silent = next(i for i, p in enumerate(after) if p == 0.0)
    assert 17 <= silent <= 22  # two thirds of a second, not at once: it may be a pause
    assert set(after[silent:]) == {0.0}


def test_a_pause_in_the_sentence_changes_nothing_in_noise() -> None:
    assert 0.0 not in judged(Levels(), [(30, 58.0, 0.3), (30, 72.0, 0.95), (14, 58.0, 0.6), (30, 72.0, 0.95)])


def test_a_loud_syllable_in_the_background_is_not_the_caller_and_a_word_of_theirs_is() -> None:
    levels = Levels()
    judged(levels, [(30, 58.0, 0.9), (40, 72.0, 0.95), (40, 58.0, 0.9)])
    assert judged(levels, [(2, 71.0, 0.9), (4, 58.0, 0.9)]) == [0.0] * 6
    assert judged(levels, [(6, 72.0, 0.9)])[-3:] == [0.9] * 3


def test_on_a_quiet_line_the_model_alone_decides() -> None:
    steps = [(30, 10.0, 0.02), (40, 72.0, 0.95), (30, 50.0, 0.9), (20, 10.0, 0.02)]
    assert judged(Levels(), steps) == [p for count, _, p in steps for _ in range(count)]


def test_each_utterance_is_measured_by_itself() -> None:
    levels = Levels()
    judged(levels, [(30, 58.0, 0.1), (40, 72.0, 0.95), (60, 58.0, 0.1)])
    assert 0.0 not in judged(levels, [(40, 66.0, 0.9)])  # somebody quieter, later


def test_what_goes_on_as_before_is_not_above_it_and_a_caller_is() -> None:
    levels = Levels()
    judged(levels, [(30, 58.0, 0.3), (6, 60.0, 0.9)])
    assert levels.above_db < 4.0
    judged(levels, [(20, 72.0, 0.95)])
    assert levels.above_db > 12.0


@pytest.mark.parametrize("count", [1, 2, 7, 60, 150])
def test_percentiles_are_those_of_numpy(count: int) -> None:
    levels = np.random.default_rng(count).uniform(0.0, 90.0, count)
    for percent in (0, 40, 75, 92, 100):
        assert percentile(levels.tolist(), percent) == pytest.approx(np.percentile(levels, percent))
