"""Speech grammars: what a recogniser gets of a state's phrases; and readings, what an utterance may mean under one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ivr.dialogue.flows.model import UNIVERSALS as UNIVERSALS
from ivr.dialogue.flows.phrases import SlotValue as SlotValue

Pieces = tuple[str, ...]  # a template: words, and slots as "{name}"


def slot_name(piece: str) -> str | None:
    """The slot that a template's piece refers to; None for a word."""
    return piece[1:-1] if piece[:1] == "{" else None


def slot_names(template: Pieces) -> list[str]:
    """The slots of a template, in order."""
    return [name for piece in template if (name := slot_name(piece)) is not None]


def filled(template: Pieces, values: Sequence[str]) -> str:
    """The template as a phrase; ``values`` in the order of its slots."""
    following = iter(values)
    return " ".join([next(following) if piece[:1] == "{" else piece for piece in template])


@dataclass(frozen=True, slots=True)
class CharacterRun:
    """Spoken strings of characters that the grammar also takes: ``minimum``..``maximum`` digits, or what fits one of
    the ``patterns``, whose places each list their characters. Its hypotheses' text is these, letters in capitals."""

    minimum: int
    maximum: int
    patterns: tuple[tuple[str, ...], ...] = ()

    @property
    def rows(self) -> tuple[tuple[tuple[str, ...], int], ...]:
        """Places, and how many of them are enough."""
        if self.patterns:
            return tuple((row, len(row)) for row in self.patterns)
        return ((("0123456789",) * self.maximum, self.minimum),)

    @staticmethod
    def spells(text: str) -> bool:
        """Whether these are characters, heard one by one, and no words."""
        return text.isascii() and text.isalnum() and text == text.upper()

    def fits(self, text: str) -> bool:
        return any(
            enough <= len(text) <= len(row) and all(c in place for c, place in zip(text, row, strict=False))
            for row, enough in self.rows
        )


@dataclass(frozen=True, slots=True, eq=False)
class SpeechGrammar:
    """Plain phrases in one language, and templates with slots.

    ``key`` identifies the content (same key, same phrases, templates and values), so that engines may cache what they
    compile. ``phrases``: lower-case words, no punctuation; Hypothesis.phrase indexes them. ``templates``: each stands
    for every combination of its slots' values but those that say one value twice; a slot occurs once in a template. A
    template whose slot has no values says nothing. What came through a template carries phrase=None and the whole
    phrase as its text. ``slots``: (name, values), the likeliest value first; ``counted``: slots of numbers,
    which get rarer as they grow. ``run``: also accept such strings of
    characters (these hypotheses carry phrase=None and a text of the characters only). ``means``: a number of each
    phrase's and then of each template's intent, the same for the same; empty where nobody knows."""

    key: str
    language: str
    phrases: tuple[str, ...]
    run: CharacterRun | None = None
    templates: tuple[Pieces, ...] = ()
    slots: tuple[tuple[str, tuple[str, ...]], ...] = ()
    counted: frozenset[str] = frozenset()
    means: tuple[int, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpeechGrammar) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def covers(self, text: str) -> bool:
        """Whether ``text`` is one of the phrases, word for word; runs of characters aside."""
        words = text.lower().split()
        if " ".join(words) in self.phrases:
            return True
        values = {name: frozenset(known) for name, known in self.slots}
        return any(_spells(template, words, values) for template in self.templates)


def _spells(template: Pieces, words: Sequence[str], values: Mapping[str, frozenset[str]]) -> bool:
    """Whether the words are the template, filled."""
    if not template or not words:
        return not template and not words
    if (name := slot_name(template[0])) is None:
        return template[0] == words[0] and _spells(template[1:], words[1:], values)
    known = values.get(name, frozenset())
    return any(
        " ".join(words[:end]) in known and _spells(template[1:], words[end:], values)
        for end in range(1, len(words) - len(template) + 2)
    )


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
