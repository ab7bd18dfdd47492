"""Agitation in how somebody uses the line: keys mashed, prompts talked over. Weak evidence, each of them.

Only what cannot be skill counts: whoever knows the line by heart dials ahead and talks over prompts, too. So keys that
enter a value never count, and a prompt talked over counts where the line is clean enough to be sure that it was speech.
"""

from __future__ import annotations

from collections import deque

from ivr.dialogue.engine.contract import Agitated
from ivr.dialogue.understanding.risk import CLEAN_DB
from ivr.events import Recognition

MASHED_KEYS, MASHED_WITHIN_S = 6, 2.0
BARGED_TIMES, BARGED_WITHIN_S = 3, 20.0
MASHED_WEIGHT, BARGED_WEIGHT = 0.6, 0.3


class Agitation:
    """One caller's. Times are seconds on any monotonic clock."""

    def __init__(self) -> None:
        self._keys: deque[float] = deque(maxlen=MASHED_KEYS)
        self._barged: deque[float] = deque(maxlen=BARGED_TIMES)
        self._over_prompt = False

    def key(self, at: float, *, entering: bool) -> Agitated | None:
        """A key was pressed; ``entering``: as part of a number, a date, a title."""
        if entering:
            self._keys.clear()
            return None
        self._keys.append(at)
        if len(self._keys) < MASHED_KEYS or at - self._keys[0] > MASHED_WITHIN_S:
            return None
        self._keys.clear()
        return Agitated("mashed keys", MASHED_WEIGHT)

    def talked_over(self) -> None:
        """Something stopped a prompt that sounded like speech."""
        self._over_prompt = True

    def heard(self, recognition: Recognition, at: float) -> Agitated | None:
        """What it was."""
        over, self._over_prompt = self._over_prompt, False
        if not over or recognition.manner.snr_db < CLEAN_DB:  # it may have been a lorry
            return None
        self._barged.append(at)
        if len(self._barged) < BARGED_TIMES or at - self._barged[0] > BARGED_WITHIN_S:
            return None
        self._barged.clear()
        return Agitated("talks over the prompts", BARGED_WEIGHT)
