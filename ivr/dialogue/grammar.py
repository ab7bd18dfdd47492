"""What a recogniser needs of a state's grammar. Meanings stay on the dialogue's side, in ``CompiledGrammar``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DigitRun:
    """Spoken digit strings the grammar also takes: ``minimum``..``maximum`` digits; its hypotheses' text is digits."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class SpeechGrammar:
    """Plain phrases in one language.

    ``key`` identifies the content (same key, same phrases), so that engines may cache what they compile.
    Hypothesis.phrase indexes ``phrases``: lower-case words, no punctuation. ``digits``: also accept digit
    strings (such hypotheses carry phrase=None and a text of digits only).
    """

    key: str
    language: str
    phrases: tuple[str, ...]
    digits: DigitRun | None = None


@dataclass(frozen=True, slots=True)
class SlotValue:
    """A filled slot: ``value`` for actions (a Term's id, an int, an ISO date, digits), ``label`` to say it back."""

    value: str | int | bool | float
    label: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a phrase means: an intent and the slots it fills."""

    intent: str
    slots: Mapping[str, SlotValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompiledGrammar:
    """``meanings[i]`` is what ``speech.phrases[i]`` means; several phrases may mean the same."""

    speech: SpeechGrammar
    meanings: tuple[Meaning, ...]
