"""Numerals: numbers, ordinals and digit strings as words and back. The words are the language's (``english.py``, …)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from ivr.dialogue.spoken.language import Language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.similarity import unaccented

LARGEST = 2000  # heard numbers are looked up in a table up to here
_ROMAN = {1000: "M", 900: "CM", 500: "D", 400: "CD", 100: "C", 90: "XC", 50: "L", 40: "XL", 10: "X"}
_ROMAN |= {9: "IX", 5: "V", 4: "IV", 1: "I"}


def number_words(n: int, language: str) -> str:
    """3 -> "three", -3 -> "minus three"; 10**9 and more stay figures."""
    spoken = words_for(language)
    if abs(n) >= 1_000_000_000:
        return str(n)
    return f"{spoken.minus} {spoken.cardinal(-n)}" if n < 0 else spoken.cardinal(n)


def ordinal_words(n: int, language: str) -> str:
    """3 -> "third" / "tercero"; what has no place (0, -1) as a number."""
    return words_for(language).ordinal(n) if n > 0 else number_words(n, language)


def digit_words(digits: str, language: str) -> str:
    """ "4071" -> "four zero seven one"."""
    cardinal = words_for(language).cardinal
    return " ".join(cardinal(int(d)) for d in digits if d.isdecimal() and d.isascii())


def number_forms(n: int, language: str) -> tuple[str, ...]:
    """Every way a caller says ``n``, the usual one first."""
    return (number_words(n, language), *words_for(language).more_cardinals(n))


def ordinal_forms(n: int, language: str) -> tuple[str, ...]:
    return ordinal_words(n, language), *words_for(language).more_ordinals(n)


def number_of(words: Sequence[str], language: str) -> int | None:
    """("twenty", "three") -> 23; None when these words aren't exactly one number up to LARGEST."""
    return _numbers(words_for(language)).get(unaccented(" ".join(words)))


def ordinal_of(words: Sequence[str], language: str) -> int | None:
    return _ordinals(words_for(language)).get(unaccented(" ".join(words)))


def digits_of(words: Sequence[str], language: str) -> str | None:
    """Digit words ("double five" included) -> the digits; None when another word is among them."""
    spoken = words_for(language)
    names, digits, repeat = digit_names(spoken), [], 1
    for word in words:
        if word in spoken.repeats:
            repeat = spoken.repeats[word]
        elif (digit := names.get(unaccented(word))) is not None:
            digits.append(digit * repeat)
            repeat = 1
        else:
            return None
    return "".join(digits) if repeat == 1 and digits else None


def roman_value(text: str) -> int | None:
    """ "II" -> 2; None when ``text`` is no roman numeral in capitals (up to MMMCMXCIX)."""
    return _romans().get(text)


def roman_numeral(n: int) -> str:
    """2 -> "II"; 1..3999."""
    numeral = ""
    for value, letters in _ROMAN.items():
        many, n = divmod(n, value)
        numeral += letters * many
    return numeral


@lru_cache(maxsize=1)
def _romans() -> dict[str, int]:
    return {roman_numeral(n): n for n in range(1, 4000)}


def _table(numbers: Iterable[int], forms: Callable[[int, str], tuple[str, ...]], spoken: Language) -> dict[str, int]:
    table: dict[str, int] = {}
    for n in numbers:
        for form in forms(n, spoken.tag):
            table.setdefault(unaccented(form), n)
    return table


@lru_cache(maxsize=8)
def _numbers(spoken: Language) -> dict[str, int]:
    return _table(range(LARGEST + 1), number_forms, spoken)


@lru_cache(maxsize=8)
def _ordinals(spoken: Language) -> dict[str, int]:
    return _table(range(1, spoken.last_ordinal + 1), ordinal_forms, spoken)


@lru_cache(maxsize=8)
def digit_names(spoken: Language) -> dict[str, str]:
    """Word -> digit, without accents."""
    return {**{unaccented(spoken.cardinal(n)): str(n) for n in range(10)}, **spoken.digit_names}
