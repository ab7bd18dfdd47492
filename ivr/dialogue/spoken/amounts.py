"""Sums of money in words and back: "twelve dollars and fifty cents", "twelve fifty", "doce con cincuenta"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ivr.dialogue.spoken.language import Language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import MOST_NUMBER_WORDS, fold, large_numbers, number_forms

MOST_WORDS = 16
_STEPS = ((1_000, 1), (10_000, 100), (100_000, 1000))  # amounts that a recogniser expects: up to, each


def amounts_of(words: Sequence[str], language: str) -> tuple[int, ...]:
    """What these words may be in hundredths, the likeliest first: "twelve fifty" is 12.50 before it is 1,250."""
    spoken = words_for(language)
    if not words or len(words) > MOST_WORDS:
        return ()
    heard, numbers = _heard(spoken), large_numbers(spoken)
    said = " ".join(words)
    if (cents := heard.cents.get(said)) is not None:
        return (cents,)
    if (number := _number(words, numbers)) is not None or (number := _units(words, heard, numbers)) is not None:
        return (100 * number,)
    for at in range(len(words) - 1, 0, -1):
        rest = " ".join(words[at:])
        if (begun := _units(words[:at], heard, numbers)) is not None:
            if (cents := heard.cents_after.get(rest)) is not None:
                return (100 * begun + cents,)
        elif (units := _number(words[:at], numbers)) is not None and (cents := heard.cents_alone.get(rest)) is not None:
            bare = rest.split()[0] not in heard.joiners
            whole = 100 * units + cents
            return (whole, 100 * whole) if bare and 0 < units < 100 and cents >= 10 else (whole,)
    return ()


def _units(words: Sequence[str], heard: _Heard, numbers: Mapping[str, int]) -> int | None:
    if " ".join(words) in heard.one:
        return 1
    return _number(words[:-1], numbers) if words[-1] in heard.units else None


def _number(words: Sequence[str], numbers: Mapping[str, int]) -> int | None:
    """Up to four figures, or thousands and up to three more: "twelve thousand five hundred"."""
    if not words or len(words) > 2 * MOST_NUMBER_WORDS:
        return None
    if (number := numbers.get(" ".join(words))) is not None:
        return number
    for at in range(len(words) - 1, 0, -1):
        thousands, rest = numbers.get(" ".join(words[:at])), numbers.get(" ".join(words[at:]))
        if thousands and rest and thousands >= 10_000 and thousands % 1000 == 0 and rest < 1000:
            return thousands + rest
    return None


@lru_cache(maxsize=4)
def other_currencies(language: str) -> frozenset[str]:
    """Words after a number that make another sum of it."""
    return frozenset(word for name in words_for(language).money.others for word in fold(name, language))


@dataclass(frozen=True, slots=True)
class AmountParts:
    """What amounts are put together from: ``alone``, or ``units`` with ``cents``, or a ``number`` with or without."""

    alone: tuple[str, ...]
    units: tuple[str, ...]
    cents: tuple[str, ...]
    numbers: tuple[str, ...]


@lru_cache(maxsize=16)
def amount_parts(least: int, most: int, language: str) -> AmountParts:
    """What a recogniser expects of amounts between these, in hundredths: each of the small, the round of the large."""
    spoken, money = words_for(language), words_for(language).money
    sums = [n for n in _rounded() if 100 * n <= most and 100 * n + 99 >= least]
    several = (money.unit[1], *money.units[1:2])
    units = [f"{form} {name}" for n in sums if n > 1 for form in number_forms(n, language)[:2] for name in several]
    ones = [*money.one, f"{spoken.before_noun(1)} {money.unit[0]}"] if 1 in sums else []
    numbers = [form for n in sums for form in number_forms(n, language)[:2]]
    heard = _heard(spoken)
    alone = [form for form, cents in heard.cents.items() if least <= cents <= most]
    cents = [*heard.cents_after]
    return AmountParts(*(tuple(dict.fromkeys(forms)) for forms in (alone, [*ones, *units], cents, numbers)))


def _rounded() -> Iterator[int]:
    first = 0
    for last, step in _STEPS:
        yield from range(first + step, last + 1, step)
        first = last


@dataclass(frozen=True, slots=True)
class _Heard:
    """Comparable words. ``units``: names of the unit; ``one``: of one; ``cents``: so many by themselves; after the
    unit was named; and after a bare number."""

    units: frozenset[str]
    one: frozenset[str]
    joiners: frozenset[str]
    cents: Mapping[str, int]
    cents_after: Mapping[str, int]
    cents_alone: Mapping[str, int]


@lru_cache(maxsize=4)
def _heard(spoken: Language) -> _Heard:
    money, tag = spoken.money, spoken.tag

    def comparable(text: str) -> str:
        return " ".join(fold(text, tag))

    named: dict[str, int] = {}
    bare: dict[str, int] = {}
    for n in range(1, 100):
        forms = (spoken.before_noun(n), *number_forms(n, tag))
        for form in forms:
            for name in (*money.cent, *money.cents):
                named.setdefault(comparable(f"{form} {name}"), n)
            if n >= 10:
                bare.setdefault(comparable(form), n)
            elif money.under_ten:
                bare.setdefault(comparable(money.under_ten.format(form)), n)
    joiners = tuple(comparable(joiner) for joiner in money.joiners)
    few = {comparable(form): n for n in range(1, 10) for form in number_forms(n, tag)}
    joined = {f"{joiner} {form}": n for joiner in joiners for form, n in (few | named | bare).items()}
    after = named | bare | joined
    return _Heard(
        frozenset(map(comparable, (*money.unit, *money.units))),
        frozenset(map(comparable, (*money.one, f"{spoken.before_noun(1)} {money.unit[0]}"))),
        frozenset(joiners),
        named,
        after,
        {form: n for form, n in after.items() if form not in named},
    )
