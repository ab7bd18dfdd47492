"""DTMF as tones in the audio (ITU-T Q.23, Q.24): the fall-back for far ends without telephone-events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ivr.media.process.codec import FRAME, RATE, Samples, clipped

ROWS = (697.0, 770.0, 852.0, 941.0)
COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
GRID = ("123A", "456B", "789C", "*0#D")

_HOP = 80
_DETUNING = (-0.0125, 0.0, 0.0125)  # each tone is looked for at three frequencies, so that +-1.8 % still fits one
_FLOOR = 10 ** (-38 / 10)  # of full scale, both tones together
_DOMINANCE = 0.8  # of the window's energy in the two tones; speech rarely has more than half there
_TWIST_HIGH, _TWIST_LOW = 10 ** (6 / 10), 10 ** (9 / 10)  # column over row, row over column
_AHEAD = 10 ** (6 / 10)  # of the next tone in the same group
_NEEDED = 3  # windows in a row (10 ms apart): 40 ms of tone
_RELEASED = 3


def tones(key: str, seconds: float, *, level_db: float = -10.0) -> Samples:
    """``key`` as two tones, each at ``level_db`` of full scale; KeyError for anything that isn't a key."""
    places = {k: (r, c) for r, line in enumerate(GRID) for c, k in enumerate(line)}
    row, column = places[key]
    when = np.arange(round(seconds * RATE)) / RATE
    amplitude = 32767 * 10 ** (level_db / 20)
    wave = np.sin(2 * np.pi * ROWS[row] * when) + np.sin(2 * np.pi * COLUMNS[column] * when)
    return clipped(amplitude * wave)


def _basis() -> NDArray[np.float32]:
    """Cosines then sines of 8 tones x 3 detunings, one a row, 20 ms long."""
    frequencies = np.array([f * (1 + d) for f in ROWS + COLUMNS for d in _DETUNING])
    angle = 2 * np.pi * np.outer(frequencies, np.arange(FRAME)) / RATE
    return np.concatenate([np.cos(angle), np.sin(angle)]).astype(np.float32)


_BASIS = _basis()


def classify(window: NDArray[np.float32]) -> str:
    """The key whose two tones make up these 20 ms (samples scaled to +-1), "" for anything else."""
    energy = float(np.dot(window, window))
    if energy < _FLOOR * FRAME:
        return ""
    parts = _BASIS @ window
    strengths = (parts[:24] ** 2 + parts[24:] ** 2).reshape(8, 3).max(axis=1) * (2.0 / FRAME)
    rows, columns = strengths[:4], strengths[4:]
    row, column = int(rows.argmax()), int(columns.argmax())
    low, high = float(rows[row]), float(columns[column])
    if low + high < _DOMINANCE * energy or high > low * _TWIST_HIGH or low > high * _TWIST_LOW:
        return ""
    second_low, second_high = float(np.partition(rows, 2)[2]), float(np.partition(columns, 2)[2])
    if low < second_low * _AHEAD or high < second_high * _AHEAD:
        return ""
    return GRID[row][column]


class ToneDetector:
    """Feed it every frame; it reports each press once, 40 ms into the tone, and again only after a pause."""

    def __init__(self) -> None:
        self._past = np.zeros(FRAME, dtype=np.float32)
        self._candidate = ""
        self._run = 0
        self._down = ""
        self._misses = 0

    @property
    def pressed(self) -> bool:
        """Whether a key is down, or may be."""
        return bool(self._down or self._candidate)

    def frame(self, signal: Samples) -> str:
        """The key whose press these 20 ms complete, or ""."""
        fresh = signal.astype(np.float32) / np.float32(32768.0)
        both = np.concatenate([self._past, fresh])
        self._past = fresh
        found = ""
        for start in (_HOP, 2 * _HOP):
            found = self._window(classify(both[start : start + FRAME])) or found
        return found

    def _window(self, key: str) -> str:
        if key and key == self._down:
            self._misses = 0
            return ""
        if self._down:
            self._misses += 1
            if self._misses >= _RELEASED:
                self._down = ""
        self._run = self._run + 1 if key and key == self._candidate else 1
        self._candidate = key
        if not key or self._run < _NEEDED:
            return ""
        self._down, self._misses = key, 0
        return key
