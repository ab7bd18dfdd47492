"""DTMF as tones in the audio (ITU-T Q.23, Q.24): the fall-back for far ends without telephone-events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ivr.media.process.codec import FRAME, RATE, SILENCE, Samples, clipped

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
_RELEASED = 5  # so that one lost packet is no pause, and 45 ms are


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
_SCALE = np.float32(1 / 32768)


def two_tones(frames: Samples, powers: NDArray[np.float32]) -> list[bool]:
    """Of each row (20 ms of that power): whether it is loud enough for a key, and one tone of either group has most of
    its energy. What doesn't is none."""
    result = powers >= _FLOOR
    loud = np.flatnonzero(result)
    if len(loud):
        parts = (frames[loud] * _SCALE) @ _BASIS.T
        parts *= parts
        found = (parts[:, :24] + parts[:, 24:]).reshape(len(loud), 2, 12).max(axis=2).sum(axis=1)
        result[loud] = found >= 0.99 * _DOMINANCE * FRAME * FRAME / 2 * powers[loud]
    answer: list[bool] = result.tolist()
    return answer


def classify(window: Samples) -> str:
    """The key whose two tones make up these 20 ms, "" for anything else."""
    scaled = window * _SCALE
    energy = float(np.dot(scaled, scaled))
    if energy < _FLOOR * FRAME:
        return ""
    parts = _BASIS @ scaled
    parts *= parts
    found: list[float] = (parts[:24] + parts[24:]).tolist()
    if (max(found[:12]) + max(found[12:])) * (2.0 / FRAME) < _DOMINANCE * energy:
        return ""
    rows = [max(found[i : i + 3]) * (2.0 / FRAME) for i in range(0, 12, 3)]
    columns = [max(found[i : i + 3]) * (2.0 / FRAME) for i in range(12, 24, 3)]
    low, high = max(rows), max(columns)
    if high > low * _TWIST_HIGH or low > high * _TWIST_LOW:
        return ""
    if low < sorted(rows)[2] * _AHEAD or high < sorted(columns)[2] * _AHEAD:
        return ""
    return GRID[rows.index(low)][columns.index(high)]


class ToneDetector:
    """Feed it every frame; it reports each press once, 40 ms into the tone, and again only after a pause."""

    __slots__ = (
        "_candidate",
        "_misses",
        "_run",
        "down",
        "past",
        "pressed",
    )

    def __init__(self) -> None:
        self.down = ""  # the key that is pressed
        self.pressed = False  # a key is down, or may be
        self.past: Samples = SILENCE  # the last frame
        self._candidate = ""
        self._run = 0
        self._misses = 0

    def frame(self, signal: Samples, power: float) -> str:
        """The key whose press these 20 ms complete, or "". ``power``: theirs; most frames are too quiet to look at."""
        past, self.past = self.past, signal
        key = "" if power < _FLOOR else classify(signal)
        if not key and not self.pressed:
            return ""  # whatever half of it and half of the one before are, it is no run
        found = self._window(classify(np.concatenate([past[_HOP:], signal[:_HOP]])))
        found = self._window(key) or found
        self.pressed = bool(self.down or self._candidate)
        return found

    def _window(self, key: str) -> str:
        if key and key == self.down:
            self._misses = 0
            return ""
        if self.down:
            self._misses += 1
            if self._misses >= _RELEASED:
                self.down = ""
        self._run = self._run + 1 if key and key == self._candidate else 1
        self._candidate = key
        if not key or self._run < _NEEDED:
            return ""
        self.down, self._misses = key, 0
        return key
