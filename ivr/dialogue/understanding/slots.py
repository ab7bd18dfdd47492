"""Slot types: which words fill a slot (exactly), and which words a recogniser should expect for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import chain
from typing import Protocol

from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import (
    date_forms,
    date_words,
    dates_heard,
    digit_words,
    digits_of,
    fold,
    lasting_until,
    number_forms,
    number_of,
    number_words,
    ordinal_forms,
    ordinal_of,
    ordinal_words,
    speech_form,
)
from ivr.dialogue.spoken.phone import within_digits
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.dialogue.understanding.lexicon import Lexicon, Vocabulary
from ivr.events import Term

LAST_ORDINAL = 20  # up to where a recogniser expects ordinals for a number
MOST_DAY_WORDS = 7  # "the day after the twenty first of May"
UNBOUNDED = 99  # how far numbers without a maximum are expected in speech


@dataclass(frozen=True, slots=True)
class Fill:
    """Words up to ``end`` fill the slot. ``sure`` is False for minimal pairs and words that several terms share."""

    end: int
    value: SlotValue
    sure: bool = True
    rivals: tuple[SlotValue, ...] = ()
    open: bool = False  # nobody can tell which of them was meant: the caller is asked


@dataclass(frozen=True, slots=True)
class Forms:
    """Recogniser's words and what each means. Made once for what doesn't change; ``digest`` identifies the words.

    What would be long is put together: ``shapes`` are rows of ``parts`` ("hour", "after"), "" being the words ``said``
    as they are. A part means nothing by itself: the whole sentence is read again."""

    said: tuple[str, ...]
    values: tuple[SlotValue, ...]
    digest: str
    shapes: tuple[tuple[str, ...], ...] = (("",),)
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def pairs(self) -> Iterator[tuple[str, SlotValue]]:
        return zip(self.said, self.values, strict=True)


def spoken_forms(pairs: Iterable[tuple[str, SlotValue]]) -> Forms:
    """The first meaning of a form wins."""
    known: dict[str, SlotValue] = {}
    for form, value in pairs:
        if form:
            known.setdefault(form, value)
    digest = hashlib.blake2s("\n".join(known).encode(), digest_size=12).hexdigest()
    return Forms(tuple(known), tuple(known.values()), digest)


NO_FORMS = spoken_forms(())


class Slot(Protocol):
    """One variable as something that can be spoken."""

    @property
    def type(self) -> str: ...

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]: ...

    def forms(self) -> Forms:
        """What a recogniser should expect, the likeliest first. May be long; empty where forms are without number."""


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

    def forms(self) -> Forms:
        return _titles(self.vocabulary.lexicons)


@lru_cache(maxsize=256)
def _titles(lexicons: tuple[Lexicon, ...]) -> Forms:
    """Every title before its other names."""
    every = chain(*(lex.primary for lex in lexicons), *(lex.other for lex in lexicons))
    return spoken_forms((form, titled(term)) for form, term in every)


@dataclass(frozen=True, eq=False)
class NumberSlot:
    minimum: int
    maximum: int | None
    language: str
    type: str = "number"

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        for end in range(min(len(words), start + 8), start, -1):
            n = self._number(words[start:end])
            if n is not None and n >= self.minimum and (self.maximum is None or n <= self.maximum):
                yield Fill(end, counted(n, self.language, self.type == "ordinal"))

    def _number(self, words: Sequence[str]) -> int | None:
        """A number is also said by its ordinal: "three", "third", "the third one"."""
        if self.type == "number" and (n := number_of(words, self.language)) is not None:
            return n
        spoken = words_for(self.language)
        if len(words) > 1 and words[0] in spoken.articles:
            words = words[1:]
        if len(words) > 1 and words[-1] in spoken.ones:
            words = words[:-1]
        return ordinal_of(words, self.language)

    def forms(self) -> Forms:
        last = UNBOUNDED if self.maximum is None else min(self.maximum, 2000)
        return _numbers(self.minimum, last, self.language, self.type == "ordinal")


@lru_cache(maxsize=64)
def _numbers(first: int, last: int, language: str, ordinal: bool) -> Forms:
    def every(n: int) -> Iterator[str]:
        if not ordinal:
            yield from number_forms(n, language)
        if ordinal or 1 <= n <= LAST_ORDINAL:
            yield from ordinal_forms(n, language)

    return spoken_forms((form, counted(n, language, ordinal)) for n in range(first, last + 1) for form in every(n))


@dataclass(frozen=True, eq=False)
class DigitSlot:
    minimum: int
    maximum: int
    language: str
    type: str = "digits"

    def value(self, digits: str) -> SlotValue:
        return digited(digits, self.language)

    def fits(self, digits: str) -> bool:
        return self.minimum <= len(digits) <= self.maximum

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        for end in range(len(words), start, -1):
            digits = digits_of(words[start:end], self.language)
            fits = digits is not None and self.minimum <= len(digits) <= self.maximum
            if digits is not None and fits and not within_digits(words, start, end, self.language):
                yield Fill(end, digited(digits, self.language))

    def forms(self) -> Forms:
        return NO_FORMS


@dataclass(frozen=True, eq=False)
class DateSlot:
    today: date
    language: str
    type: str = "date"

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        known = dates_heard(self.today, self.language)
        led = words[start] in words_for(self.language).day_leads  # "on | the tenth of June" is not "on the tenth"
        for end in range(min(len(words), start + MOST_DAY_WORDS + led), start, -1):
            day = known.get(" ".join(words[start:end]))
            if day is None and led:
                day = known.get(" ".join(words[start + 1 : end]))
            if day is not None:
                yield Fill(end, dated(day, self.language))

    def lasting(self, words: Sequence[str]) -> bool:
        """Whether they say for how long, and not which day: "for two weeks"."""
        return " ".join(words) in _lasting(self.today, self.language)

    def forms(self) -> Forms:
        return _dates(self.today, self.language)


@lru_cache(maxsize=8)
def _lasting(today: date, language: str) -> frozenset[str]:
    return frozenset(" ".join(fold(form, language)) for form, _ in lasting_until(today, language))


@lru_cache(maxsize=8)
def _dates(today: date, language: str) -> Forms:
    """Each day's usual form first, then the others."""
    usual: dict[date, str] = {}
    for form, day in date_forms(today, language).items():
        usual[day] = usual.get(day, form)
    known = date_forms(today, language) | dict(lasting_until(today, language))
    forms = sorted(known.items(), key=lambda item: usual.get(item[1]) != item[0])
    return spoken_forms((form, dated(day, language)) for form, day in forms)


@dataclass(frozen=True, eq=False)
class ChoiceSlot:
    """One of a few values, each with its phrases (a boolean's are the yes and no of the universals). ``soft``: phrases
    that mean one with doubt ("I think so")."""

    phrases: Mapping[str | bool, tuple[str, ...]]
    language: str
    type: str = "choice"
    soft: Mapping[str | bool, tuple[str, ...]] = field(default_factory=dict)
    _known: dict[str, SlotValue] = field(default_factory=dict, init=False)
    _softly: dict[str, SlotValue] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for value, phrases in self.soft.items():
            self._softly.update((" ".join(fold(phrase, self.language)), self.value(value)) for phrase in phrases)
        for value in self.phrases:
            for phrase in self.phrases[value]:
                self._known.setdefault(" ".join(fold(phrase, self.language)), self.value(value))

    def value(self, value: str | bool) -> SlotValue:
        phrases = self.phrases.get(value, ())
        return SlotValue(value, phrases[0] if phrases else str(value))

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        for end in range(min(len(words), start + 10), start, -1):
            said = " ".join(words[start:end])
            if (value := self._known.get(said)) is not None:
                yield Fill(end, value)
            elif (value := self._softly.get(said)) is not None:
                yield Fill(end, value, False)

    def told_by(self, word: str) -> SlotValue | None:
        """The one value that this word gives away ("scratched"); None for words of several values, or of none."""
        values = {known.value for form, known in self._known.items() if word in form.split()}
        return self.value(values.pop()) if len(values) == 1 else None  # type: ignore[arg-type]

    def forms(self) -> Forms:
        return spoken_forms(
            (speech_form(phrase, self.language), self.value(value))
            for value, phrases in (*self.phrases.items(), *self.soft.items())
            for phrase in phrases
        )
