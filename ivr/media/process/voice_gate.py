"""The voice gate of a receiver: cheap, a look at a frame's power, before anything that costs more listens. Pure."""

from __future__ import annotations

from collections import deque

_RISE = 10 ** (7 / 10)  # above the noise floor
_FAINTEST = 10 ** (-54 / 10)  # of full scale; quieter than any telephone voice
_OPENING = 2  # loud frames of the last three
_HANGOVER = 60  # frames, 1.2 s: longer than the longest endpointing pause behind it
_BLOCK = 25  # frames, 0.5 s
_BLOCKS = 6  # the noise floor is the quietest moment of the last 3 s


class VoiceGate:
    """Power of each frame in (``power``), open or shut out. The floor follows the quietest recent moments."""

    __slots__ = (
        "_blocks",
        "_count",
        "_left",
        "_loud",
        "_minimum",
        "_smooth",
        "floor",
        "open",
        "quiet",
    )

    def __init__(self) -> None:
        self.open = False
        self.quiet = True  # the last frame was no louder than the noise
        self.floor = _FAINTEST
        self._smooth = -1.0  # nothing yet
        self._minimum = 1.0
        self._count = 0
        self._blocks: deque[float] = deque(maxlen=_BLOCKS)
        self._loud = 0  # bits, the newest lowest
        self._left = 0

    def frame(self, power: float, *, echo: bool = False) -> bool:
        """Whether this frame is to pass; ``echo``: it may be that of a prompt, which opens no gate.

        The first True comes after up to 15 frames worth replaying."""
        smooth = self._smooth = power if self._smooth < 0.0 else 0.5 * (self._smooth + power)
        if smooth < self._minimum:
            self._minimum = smooth
            if smooth < self.floor:
                self.floor = smooth
        self._count += 1
        if self._count >= _BLOCK:
            self._blocks.append(self._minimum)
            self.floor = min(self._blocks)
            self._minimum, self._count = 1.0, 0
        loud = power > _FAINTEST and power > self.floor * _RISE and not echo
        self.quiet = not loud
        if not (loud or self._loud or self._left):
            return False  # as for long: it is shut
        recent = self._loud = (self._loud << 1 | loud) & 0b111
        if recent and recent.bit_count() >= _OPENING:
            self.open = True
            self._left = _HANGOVER
        elif self._left:
            self._left -= 1
            self.open = self._left > 0
        return self.open
