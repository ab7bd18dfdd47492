"""Readings: what an utterance may mean, and what it was taken to mean. Hypothesis > Reading > Interpretation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ivr.dialogue.flows.model import UNIVERSALS as UNIVERSALS
from ivr.dialogue.understanding.grammar import Meaning

HUMAN = "human"
RISK = "risk."  # and the risk's name
LANGUAGE = "language."  # and the language asked for
ANSWER = "answer"  # fills the variable a state asks for
OPTION = "option."  # and 0, 1 or "none", when the line asked "did you mean"


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to take an utterance: ``text`` as the phrase it is, ``confidence`` 0..1.

    ``doubtful`` names the slots heard with doubt; ``sure`` is False when the whole of it is in doubt."""

    meaning: Meaning
    text: str
    confidence: float
    sure: bool = True
    doubtful: frozenset[str] = frozenset()

    @classmethod
    def guess(cls, meaning: Meaning, text: str, confidence: float) -> Reading:
        """All of it in doubt."""
        return cls(meaning, text, confidence, False, frozenset(meaning.slots))

    def doubted(self, confidence: float) -> Reading:
        return Reading.guess(self.meaning, self.text, confidence)

    @property
    def universal(self) -> bool:
        """Understood in every state: a universal, a risk or a language."""
        return self.meaning.intent in UNIVERSALS or self.meaning.intent.startswith((RISK, LANGUAGE))

    @property
    def leads_out(self) -> bool:
        """To a human: taken even on suspicion."""
        return self.meaning.intent == HUMAN or self.meaning.intent.startswith(RISK)


@dataclass(frozen=True, slots=True)
class Interpretation:
    """``best`` None: not understood. ``rival``: nearly as likely and something else; the caller decides.

    ``how`` tells, for the log, what led here: "grammar", "transcript", "likeness", "risk", "nothing"."""

    best: Reading | None
    rival: Reading | None = None
    how: str = "nothing"


NOTHING = Interpretation(None)


def distinct(readings: Iterable[Reading]) -> list[Reading]:
    """The first of each meaning."""
    found: list[Reading] = []
    for reading in readings:
        if all(reading.meaning != known.meaning for known in found):
            found.append(reading)
    return found
