"""Speech grammars: what a recogniser gets of a state's phrases.

It imports nothing of the flows and nothing of the line: speech workers start with it, and with no more of the dialogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
class ListenRequest:
    """How to listen now. ``hangover_s``: silence that ends an utterance; ``max_utterance_s``: cap on its length.

    ``early``: less silence ends what is complete in the grammar, and more what it only begins; not for dictation, where
    anything may follow. ``private``: what is said stays on this machine: no second ear hears it."""

    grammar: SpeechGrammar
    hangover_s: float = 0.5
    max_utterance_s: float = 12.0
    early: bool = True
    private: bool = False
