"""Slot types: which words fill a slot (exactly), and which words a recogniser should expect for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import chain
from typing import Protocol

from ivr.dialogue.carriers import empty_words
from ivr.dialogue.grammar import SlotValue
from ivr.dialogue.lexicon import Vocabulary
from ivr.dialogue.numerals import digits_of
from ivr.dialogue.spoken import (
    date_forms,
    date_words,
    dates_heard,
    digit_words,
    fold,
    number_forms,
    number_of,
    number_words,
    ordinal_forms,
    ordinal_of,
    ordinal_words,
    speech_form,
)
from ivr.events import Term

SMALL = 12  # numbers that are likely beside another slot
UNBOUNDED = 99  # how far numbers without a maximum are expected in speech


@dataclass(frozen=True, slots=True)
class Fill:
    """Words up to ``end`` fill the slot. ``sure`` is False for minimal pairs and words that several terms share."""

    end: int
    value: SlotValue
    sure: bool = True
    rivals: tuple[SlotValue, ...] = ()


class Slot(Protocol):
    """One variable as something that can be spoken."""

    @property
    def type(self) -> str: ...

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]: ...

    def forms(self) -> Sequence[tuple[str, SlotValue]]:
        """Recogniser's words -> value, the likeliest first. May be long; empty where forms are without number."""
        ...

    @property
    def essential(self) -> int:
        """How many of the first forms say (nearly) every value once."""
        ...


def titled(term: Term) -> SlotValue:
    return SlotValue(term.id, term.label)


def counted(n: int, language: str, ordinal: bool = False) -> SlotValue:
    return SlotValue(n, ordinal_words(n, language) if ordinal else number_words(n, language))


def dated(day: date, language: str) -> SlotValue:
    return SlotValue(day.isoformat(), date_words(day, language))


def digited(digits: str, language: str) -> SlotValue:
    return SlotValue(digits, digit_words(digits, language))


@dataclass(frozen=True, eq=False)
class TitleSlot:
    vocabulary: Vocabulary
    type: str = "title"

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        if not self.vocabulary.starts(words[start]):
            return
        for end in range(min(len(words), start + self.vocabulary.longest), start, -1):
            if terms := self.vocabulary.lookup(" ".join(words[start:end])):
                sure = len(terms) == 1 and not self.vocabulary.near(terms[0])
                yield Fill(end, titled(terms[0]), sure, tuple(titled(t) for t in terms[1:]))

    def forms(self) -> Sequence[tuple[str, SlotValue]]:
        seen: dict[str, SlotValue] = {}
        lexicons = self.vocabulary.lexicons
        for form, term in chain(*(lex.primary for lex in lexicons), *(lex.other for lex in lexicons)):
            if form not in seen:
                seen[form] = titled(term)
        return list(seen.items())

    @property
    def essential(self) -> int:
        return len({form for lex in self.vocabulary.lexicons for form, _ in lex.primary})


@dataclass(frozen=True, eq=False)
class NumberSlot:
    minimum: int
    maximum: int | None
    language: str
    type: str = "number"

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        ordinal = self.type == "ordinal"
        parse = ordinal_of if ordinal else number_of
        for end in range(min(len(words), start + 8), start, -1):
            n = parse(words[start:end], self.language)
            if n is not None and n >= self.minimum and (self.maximum is None or n <= self.maximum):
                yield Fill(end, counted(n, self.language, ordinal))

    def forms(self) -> Sequence[tuple[str, SlotValue]]:
        last = UNBOUNDED if self.maximum is None else min(self.maximum, 2000)
        return _numbers(self.minimum, last, self.language, self.type == "ordinal")

    @property
    def essential(self) -> int:
        """Places far down a list are rarely named in one breath with what goes there."""
        return min(SMALL, len(self.forms()))


@lru_cache(maxsize=64)
def _numbers(first: int, last: int, language: str, ordinal: bool) -> Sequence[tuple[str, SlotValue]]:
    every = ordinal_forms if ordinal else number_forms
    return [(form, counted(n, language, ordinal)) for n in range(first, last + 1) for form in every(n, language)]


@dataclass(frozen=True, eq=False)
class DigitSlot:
    minimum: int
    maximum: int
    language: str
    type: str = "digits"

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        for end in range(len(words), start, -1):
            digits = digits_of(words[start:end], self.language)
            if digits is not None and self.minimum <= len(digits) <= self.maximum:
                yield Fill(end, digited(digits, self.language))

    def forms(self) -> Sequence[tuple[str, SlotValue]]:
        return ()

    @property
    def essential(self) -> int:
        return 0


@dataclass(frozen=True, eq=False)
class DateSlot:
    today: date
    language: str
    type: str = "date"

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        known = dates_heard(self.today, self.language)
        for end in range(min(len(words), start + 7), start, -1):
            if (day := known.get(" ".join(words[start:end]))) is not None:
                yield Fill(end, dated(day, self.language))

    def forms(self) -> Sequence[tuple[str, SlotValue]]:
        return _dates(self.today, self.language)

    @property
    def essential(self) -> int:
        return len({value.value for _, value in self.forms()})


@lru_cache(maxsize=8)
def _dates(today: date, language: str) -> Sequence[tuple[str, SlotValue]]:
    """Each day's usual form first, then the others."""
    usual: dict[date, str] = {}
    for form, day in date_forms(today, language).items():
        usual[day] = usual.get(day, form)
    forms = sorted(date_forms(today, language).items(), key=lambda item: usual[item[1]] != item[0])
    return [(form, dated(day, language)) for form, day in forms]


@dataclass(frozen=True, eq=False)
class ChoiceSlot:
    """One of a few values, each with its phrases (a boolean's are the yes and no of the universals)."""

    phrases: Mapping[str | bool, tuple[str, ...]]
    language: str
    type: str = "choice"
    _known: dict[str, SlotValue] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for value in self.phrases:
            for phrase in self.phrases[value]:
                self._known.setdefault(" ".join(fold(phrase, self.language)), self.value(value))

    def value(self, value: str | bool) -> SlotValue:
        phrases = self.phrases.get(value, ())
        return SlotValue(value, phrases[0] if phrases else str(value))

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        for end in range(min(len(words), start + 10), start, -1):
            if (value := self._known.get(" ".join(words[start:end]))) is not None:
                yield Fill(end, value)

    def told_by(self, word: str) -> SlotValue | None:
        """The one value that this word gives away ("scratched"); None for words of several values, or of none."""
        values = {
            self._known[form].value
            for form in self._known
            if word in form.split() and word not in empty_words(self.language)
        }
        return self.value(values.pop()) if len(values) == 1 else None  # type: ignore[arg-type]

    def forms(self) -> Sequence[tuple[str, SlotValue]]:
        return [
            (speech_form(phrase, self.language), self.value(value))
            for value, phrases in self.phrases.items()
            for phrase in phrases
        ]

    @property
    def essential(self) -> int:
        return len(self.forms())
