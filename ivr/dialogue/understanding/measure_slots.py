"""Slots of how much: how long something takes, and sums of money, within the bounds that are declared for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Self

from ivr.dialogue.spoken import amounts, durations
from ivr.dialogue.spoken.amounts import amount_parts, amounts_of, other_currencies
from ivr.dialogue.spoken.durations import (
    DAY,
    HOUR,
    duration_parts,
    duration_words,
    durations_of,
    other_units,
    unit_words,
)
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold, money_words
from ivr.dialogue.spoken.phone import within_digits
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.dialogue.understanding.slots import Fill, Forms, spoken_forms

LONGEST = DAY  # minutes, where nothing else is declared
LARGEST = 10_000_000  # hundredths, likewise
MOST_WORDS = max(durations.MOST_WORDS, amounts.MOST_WORDS)
_WIDE = 100  # times the bounds, for what lies outside them


def _of_more(words: Sequence[str], start: int, end: int, units: frozenset[str], language: str) -> bool:
    """Whether these words are cut out of something else: "minus | five", "twenty | euros", "one | 1/2 hours"."""
    before = start > 0 and (words[start - 1] == words_for(language).minus or within_digits(words, start, end, language))
    return before or (end < len(words) and words[end] in units)


def lasting(minutes: int, language: str) -> SlotValue:
    return SlotValue(minutes, duration_words(minutes, language))


def priced(cents: int, language: str) -> SlotValue:
    return SlotValue(cents, money_words(cents, language))


@dataclass(frozen=True, eq=False)
class MeasureSlot:
    """A whole number of some unit, ``minimum`` to ``maximum``."""

    language: str
    minimum: int
    maximum: int
    usual: ClassVar[int]  # the maximum where none is declared

    def said(self, number: int) -> SlotValue:
        raise NotImplementedError

    def read(self, words: Sequence[str]) -> tuple[int, ...]:
        """What all these words may be, the likeliest first."""
        raise NotImplementedError

    @property
    def other_units(self) -> frozenset[str]:
        """Words that make something else of what comes before them."""
        raise NotImplementedError

    def within(self, found: Iterable[int]) -> tuple[SlotValue, ...]:
        return tuple(self.said(each) for each in found if self.minimum <= each <= self.maximum)

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        for end in range(min(len(words), start + MOST_WORDS), start, -1):
            found = self.read(words[start:end])
            if found and _of_more(words, start, end, self.other_units, self.language):
                return
            if values := self.within(found):
                yield Fill(end, values[0], len(values) == 1, values[1:], open=len(values) > 1)
            elif found:  # "three hours", out of bounds, isn't "three"
                return

    @property
    def bounds(self) -> tuple[str, str]:
        return self.said(self.minimum).label, self.said(self.maximum).label

    @property
    def unbounded(self) -> Self:
        return replace(self, minimum=1, maximum=_WIDE * max(self.maximum, self.usual))

    def apart(self, value: SlotValue, other: SlotValue) -> int:
        return abs(int(str(value.value)) - int(str(other.value)))


@dataclass(frozen=True, eq=False)
class DurationSlot(MeasureSlot):
    """In minutes."""

    minimum: int = 1
    maximum: int = LONGEST
    type: str = "duration"
    usual: ClassVar[int] = LONGEST

    def said(self, number: int) -> SlotValue:
        return lasting(number, self.language)

    def read(self, words: Sequence[str]) -> tuple[int, ...]:
        return durations_of(words, self.language)

    @property
    def other_units(self) -> frozenset[str]:
        return other_units(self.language)

    def telling(self, value: SlotValue, other: SlotValue) -> tuple[str, ...]:
        """ "two" is minutes or hours."""
        number = min(int(str(value.value)), int(str(other.value)))
        return unit_words(int(str(value.value)), number, self.language)

    def keyed(self, keys: str) -> tuple[SlotValue, ...]:
        return self.within((int(keys),))

    def forms(self) -> Forms:
        return _lasting(self.maximum, self.language)


@lru_cache(maxsize=16)
def _lasting(longest: int, language: str) -> Forms:
    parts = duration_parts(longest, language)
    alone = ((form, durations_of(fold(form, language), language)) for form in parts.alone)
    forms = spoken_forms((form, lasting(found[0], language)) for form, found in alone if found)
    rows = [("",), ("hours",), *([("hours", "rest")] if longest > HOUR else []), ("number",)]
    return replace(forms, shapes=tuple(rows), parts={"hours": parts.hours, "rest": parts.rest, "number": parts.numbers})


@dataclass(frozen=True, eq=False)
class MoneySlot(MeasureSlot):
    """In hundredths of the language's currency."""

    minimum: int = 1
    maximum: int = LARGEST
    type: str = "money"
    usual: ClassVar[int] = LARGEST

    def said(self, number: int) -> SlotValue:
        return priced(number, self.language)

    def read(self, words: Sequence[str]) -> tuple[int, ...]:
        return amounts_of(words, self.language)

    @property
    def other_units(self) -> frozenset[str]:
        return other_currencies(self.language)

    def telling(self, value: SlotValue, other: SlotValue) -> tuple[str, ...]:
        return ()

    def keyed(self, keys: str) -> tuple[SlotValue, ...]:
        """The last two keys are hundredths. Who keys but one or two may have meant whole units: both are offered."""
        cents = int(keys)
        return self.within((100 * cents, cents) if len(keys) <= 2 else (cents,))

    def forms(self) -> Forms:
        return _priced(self.minimum, self.maximum, self.language)


@lru_cache(maxsize=16)
def _priced(least: int, most: int, language: str) -> Forms:
    parts = amount_parts(least, most, language)
    alone = ((form, amounts_of(fold(form, language), language)) for form in parts.alone)
    forms = spoken_forms((form, priced(found[0], language)) for form, found in alone if found)
    rows = (("",), ("units",), ("units", "cents"), ("number",), ("number", "cents"))
    return replace(forms, shapes=rows, parts={"units": parts.units, "cents": parts.cents, "number": parts.numbers})
