"""A cheap voice gate: keeps silence away from the speech workers. Errs on the side of letting through."""

from __future__ import annotations

from collections import deque

PRE_ROLL = 15  # frames, 300 ms: the first consonant is already over when the energy rises

_RISE = 10 ** (7 / 10)  # above the noise floor
_FAINTEST = 10 ** (-54 / 10)  # of full scale; quieter than any telephone voice
_OPENING = 2  # loud frames of the last three
_HANGOVER = 60  # frames, 1.2 s: longer than the longest endpointing pause behind it
_BLOCK = 25  # frames, 0.5 s
_BLOCKS = 6  # the noise floor is the quietest moment of the last 3 s


class VoiceGate:
    """Power of each frame in (``pcm.power``), open or shut out. The floor follows the quietest recent moments."""

    def __init__(self) -> None:
        self.open = False
        self.floor = _FAINTEST
        self._smooth = 0.0
        self._minimum = 1.0
        self._count = 0
        self._blocks: deque[float] = deque(maxlen=_BLOCKS)
        self._loud = 0  # bits, the newest lowest
        self._left = 0

    @property
    def quiet(self) -> bool:
        """Whether the last frame was no louder than the noise."""
        return not self._loud & 1

    def frame(self, power: float) -> bool:
        """Whether this frame is to pass. The first True comes after up to PRE_ROLL frames worth replaying."""
        self._smooth += (power - self._smooth) * (0.5 if self._count or self._blocks else 1.0)
        self._minimum = min(self._minimum, self._smooth)
        self._count += 1
        if self._count >= _BLOCK:
            self._blocks.append(self._minimum)
            self.floor = min(self._blocks)
            self._minimum, self._count = 1.0, 0
        elif self._minimum < self.floor:
            self.floor = self._minimum
        loud = power > max(self.floor * _RISE, _FAINTEST)
        self._loud = (self._loud << 1 | loud) & 0b111
        if self._loud.bit_count() >= _OPENING:
            self.open = True
            self._left = _HANGOVER
        elif self._left:
            self._left -= 1
            self.open = self._left > 0
        return self.open
