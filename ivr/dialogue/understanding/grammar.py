"""Readings: what an utterance may mean under a speech grammar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ivr.dialogue.flows.model import UNIVERSALS as UNIVERSALS
from ivr.dialogue.flows.phrases import SlotValue as SlotValue


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a phrase means: an intent and the slots it fills."""

    intent: str
    slots: Mapping[str, SlotValue] = field(default_factory=dict)


# -- meanings: Hypothesis > Reading > Interpretation

HUMAN = "human"
RISK = "risk."  # and the risk's name
LANGUAGE = "language."  # and the language asked for
ANSWER = "answer"  # fills the variable a state asks for
REQUEST, INSTEAD = "request.", "instead."  # of another question, as it is or after a no:
# and that question's flow and state, and the intent, with dots
PICK = "pick."  # and which of a question's choices, from 0, that was called by its place ("option two")
OPTION = "option."  # and 0, 1 or "none", when the line asked "did you mean"


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to take an utterance: ``text`` as the phrase it is, ``confidence`` 0..1.

    ``doubtful`` names the slots heard with doubt; ``sure`` is False when the whole of it is in doubt. ``lacks``: a slot
    of its phrase was not understood; it will be asked for. ``inferred``: no phrase has these words, so that nothing at
    all comes of it unasked."""

    meaning: Meaning
    text: str
    confidence: float
    sure: bool = True
    doubtful: frozenset[str] = frozenset()
    lacks: bool = False
    inferred: bool = False

    @classmethod
    def guess(cls, meaning: Meaning, text: str, confidence: float) -> Reading:
        """All of it in doubt."""
        return cls(meaning, text, confidence, False, frozenset(meaning.slots))

    def doubted(self, confidence: float) -> Reading:
        return replace(self, confidence=confidence, sure=False, doubtful=frozenset(self.meaning.slots))

    @property
    def universal(self) -> bool:
        """Understood in every state: a universal, a risk or a language."""
        return self.meaning.intent in UNIVERSALS or self.meaning.intent.startswith((RISK, LANGUAGE))

    @property
    def request(self) -> bool:
        """Not an answer to what was asked, but to another question of the call's."""
        return self.meaning.intent.startswith((REQUEST, INSTEAD))

    @property
    def risk(self) -> str:
        """The risk's name; "" for anything else."""
        return self.meaning.intent.removeprefix(RISK) if self.meaning.intent.startswith(RISK) else ""

    @property
    def human(self) -> bool:
        """The wish for a human: taken even on suspicion, as far as it was said."""
        return self.meaning.intent == HUMAN

    @property
    def leads_out(self) -> bool:
        """To a human at once: a wish for one, or a risk that is sure; what is only inferred is asked about."""
        return not self.inferred and (self.human or (self.sure and bool(self.risk)))


@dataclass(frozen=True, slots=True)
class Interpretation:
    """``best`` None: not understood. ``rival``: nearly as likely and something else; the caller decides.

    ``how`` tells, for the log, what led here: "grammar", "transcript", "likeness", "inference", "dictation", "risk",
    "nothing"; "two-ears" where a second recogniser agreed, "second-ear" where only that one understood it."""

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
