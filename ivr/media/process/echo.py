"""Echo of our own prompts (acoustic: a speakerphone): what of the far end's sound is no louder than that may be. Pure.

No canceller: while a prompt plays, whoever talks over it is louder than its echo, or else nobody could tell. How loud
the echo is on this telephone is learnt while it is heard; until then only a voice near to the prompt's own is a
caller's. Powers are in units of full scale squared, a number a tick of 20 ms.
"""

from __future__ import annotations

from collections import deque

DELAY = 30  # ticks, 0.6 s: the network there and back, and the room
AUDIBLE = 10 ** (-45 / 10)
_LOUDEST = 10 ** (-9 / 10)  # echo, of the prompt: what is louder is somebody
_MARGIN = 10 ** (10 / 10)  # above the echo that was measured
_NOISE = 3.0  # times the noise floor is still noise
_SPOKEN = 20  # of the ticks of DELAY with sound in them: then its echo, if any, is there by now
_BLOCK = 25  # ticks; the caller rarely speaks through one,
_BLOCKS = 6  # and hardly ever through so many


class EchoGuard:
    """One leg's. ``played`` and, while the far end is listened to, ``heard`` are called once a tick, in this order."""

    __slots__ = (
        "_blocks",
        "_count",
        "_limit",
        "_loudest",
        "_most",
        "_sent",
        "audible",
    )

    def __init__(self) -> None:
        self._sent: deque[float] = deque([0.0] * DELAY, maxlen=DELAY)
        self.audible = 0  # of them
        self._loudest = 0.0  # of them
        self._limit = _LOUDEST  # echo, of the prompt
        self._most = 0.0  # echo of the prompt in this block
        self._count = 0
        self._blocks: deque[float] = deque(maxlen=_BLOCKS)

    def played(self, power: float) -> None:
        """What was sent in this tick; 0 for silence."""
        if power <= AUDIBLE and not self.audible:
            return  # silence after silence: those that stay count for nothing
        sent = self._sent
        gone = sent[0]
        self.audible += (power > AUDIBLE) - (gone > AUDIBLE)
        sent.append(power)
        if power >= self._loudest:
            self._loudest = power
        elif gone >= self._loudest:
            self._loudest = max(sent)

    def heard(self, power: float, floor: float) -> bool:
        """Whether what came in with ``power`` over a noise of ``floor`` may be our echo."""
        if not self.audible:
            return False
        over = power - _NOISE * floor
        share = over / self._loudest if over > 0.0 else 0.0
        if self.audible >= _SPOKEN:
            if share > self._most:
                self._most = share
            self._count += 1
            if self._count >= _BLOCK:
                self._learn()
        return share < self._limit

    def _learn(self) -> None:
        self._blocks.append(self._most)
        self._limit = min(_LOUDEST, min(self._blocks) * _MARGIN)
        self._most, self._count = 0.0, 0
