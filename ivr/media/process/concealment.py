"""Packet loss concealment by pitch repetition, in the manner of ITU-T G.711 appendix I (simplified)."""

from __future__ import annotations

import numpy as np

from ivr.media.process.pcm import FRAME, SILENCE, Samples, clipped

HISTORY = 3 * FRAME  # samples of the past that concealment looks at
LONGEST = 3  # frames; 60 ms, after which there is silence

_SHORTEST_LAG, _LONGEST_LAG = 32, 160  # 250 Hz to 50 Hz
_HOLD = 80  # samples at full level
_BLEND = 40  # 5 ms


def pitch_lag(history: Samples) -> int:
    """The lag in samples (32..160) at which the last 20 ms resemble what came before them best."""
    past = history.astype(np.float64)
    recent = past[-FRAME:]
    windows = np.lib.stride_tricks.sliding_window_view(past[-FRAME - _LONGEST_LAG : -_SHORTEST_LAG], FRAME)
    likeness = windows @ recent / np.sqrt(np.einsum("ij,ij->i", windows, windows) + 1.0)
    return _LONGEST_LAG - int(np.argmax(likeness))


def conceal(history: Samples, lost: int) -> Samples:
    """The frame to play in place of the ``lost``-th missing one in a row (0 is the first), after ``history``.

    ``history`` holds the last HISTORY good samples. Fades from 10 ms on to nothing at 60 ms.
    """
    if lost >= LONGEST or len(history) < HISTORY:
        return SILENCE
    lag = pitch_lag(history)
    cycle = history[-lag:].astype(np.float64)
    overlap = lag // 4
    ramp = np.linspace(0.0, 1.0, overlap, endpoint=False)
    before = history[-lag - overlap : -lag]
    cycle[-overlap:] = cycle[-overlap:] * (1.0 - ramp) + before * ramp  # so that the end leads into the start
    place = np.arange(lost * FRAME, (lost + 1) * FRAME)
    gain = np.clip(1.0 - (place - _HOLD) / (LONGEST * FRAME - _HOLD), 0.0, 1.0)
    return clipped(cycle[place % lag] * gain)


def resumed(frame: Samples, synthetic: Samples) -> Samples:
    """``frame``, the first good one after a loss, led into from what concealment would have gone on with."""
    ramp = np.linspace(0.0, 1.0, _BLEND, endpoint=False)
    out = frame.copy()
    out[:_BLEND] = clipped(frame[:_BLEND] * ramp + synthetic[:_BLEND] * (1.0 - ramp))
    return out
