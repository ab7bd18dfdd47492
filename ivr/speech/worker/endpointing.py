"""Endpointing: from voice probabilities to utterances. Pure: time is the sum of what is pushed in.

Speech starts with three voiced windows out of four, and ends after ``hangover_s`` of silence or at the cap.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

ON, OFF = 0.5, 0.35  # two thresholds: a voice trailing off is still a voice
_ONSET = 3
_ONSET_OF = 4
PREROLL_S = 0.3


@dataclass(frozen=True, slots=True)
class Start:
    """Speech began ``ago_s`` before now."""

    ago_s: float


@dataclass(frozen=True, slots=True)
class End:
    """Speech ended ``ago_s`` before now; ``capped``: it did not, but the cap on its length was reached."""

    ago_s: float
    capped: bool = False


class Endpointer:
    """The state machine of one caller's utterances, under a hang-over and a cap that may change in mid-utterance."""

    def __init__(self, hangover_s: float = 0.5, max_utterance_s: float = 12.0) -> None:
        self.hangover_s = hangover_s
        self.max_utterance_s = max_utterance_s
        self._recent: deque[tuple[bool, float]] = deque(maxlen=_ONSET_OF)
        self.reset()

    def reset(self) -> None:
        """Nobody speaks."""
        self._recent.clear()
        self.speaking = False
        self.silence_s = 0.0  # since the last voiced window, while speaking
        self.length_s = 0.0  # since the first voiced window, while speaking

    def push(self, probability: float, seconds: float) -> Start | End | None:
        """One window (or a gap: probability 0 and its length)."""
        if not self.speaking:
            self._recent.append((probability >= ON, seconds))
            if sum(voiced for voiced, _ in self._recent) < _ONSET:
                return None
            while not self._recent[0][0]:
                self._recent.popleft()
            self.length_s = sum(s for _, s in self._recent)
            self.silence_s = 0.0
            self.speaking = True
            return Start(self.length_s)
        self.length_s += seconds
        self.silence_s = 0.0 if probability >= OFF else self.silence_s + seconds
        return self.due()

    def due(self, unheard_s: float = 0.0) -> End | None:
        """Whether the utterance is over, ``unheard_s`` of silence after the last push included."""
        if not self.speaking:
            return None
        silence = self.silence_s + unheard_s
        if silence >= self.hangover_s - 1e-9:
            self.reset()
            return End(silence)
        if self.length_s >= self.max_utterance_s:
            self.reset()
            return End(silence, capped=True)
        return None
