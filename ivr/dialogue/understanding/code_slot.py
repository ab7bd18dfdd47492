"""Slot of a code of letters and digits: spelt, in the words of a spelling alphabet, or keyed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ivr.dialogue.spoken.codes import Pattern, code_of, code_readings, code_words
from ivr.dialogue.spoken.phone import within_digits
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.dialogue.understanding.slots import NO_FORMS, Fill, Forms

MOST_WORDS = 60
ON_KEYS = ("abc", "def", "ghi", "jkl", "mno", "pqrs", "tuv", "wxyz")  # from 2 on
_LETTER_KEYS = {letter: f"{key}{place}" for key, on in enumerate(ON_KEYS, 2) for place, letter in enumerate(on, 1)}


def coded(code: str, language: str) -> SlotValue:
    return SlotValue(code, code_words(code, language))


@dataclass(frozen=True, eq=False)
class CodeSlot:
    """``patterns``: of the codes that it takes."""

    language: str
    patterns: tuple[Pattern, ...]
    type: str = "code"

    def value(self, text: str) -> SlotValue:
        """Raises ValueError for what fits no pattern."""
        return coded(code_of(text, self.patterns), self.language)

    def fits(self, text: str) -> bool:
        """Of characters without signs, letters in capitals."""
        return text.isalnum() and any(pattern.written(text) is not None for pattern in self.patterns)

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        for end in range(min(len(words), start + MOST_WORDS), start, -1):
            found = code_readings(words[start:end], self.patterns, self.language)
            if found and not within_digits(words, start, end, self.language):
                rivals = tuple(coded(each.code, self.language) for each in found[1:2])
                yield Fill(end, coded(found[0].code, self.language), len(found) == 1 and found[0].certain, rivals)

    def keyed(self, keys: str) -> tuple[SlotValue, ...]:
        """Digits as they are. A letter is its key and its place on that key: B is 22. Where either may stand, a digit
        has a zero after it."""
        found = (self._read(keys, row, pattern) for pattern in self.patterns for row in pattern.rows)
        codes = dict.fromkeys(code for code in found if code is not None)
        return tuple(coded(code, self.language) for code in codes)

    def complete(self, keys: str) -> bool:
        """Whether more keys could not change anything."""
        return len(keys) >= max(_length(row) for pattern in self.patterns for row in pattern.rows)

    @staticmethod
    def _read(keys: str, row: Sequence[str], pattern: Pattern) -> str | None:
        said, at = [], 0
        for place in row:
            width = 1 if place.isdecimal() else 2
            pressed, at = keys[at : at + width], at + width
            fitting = [c for c in place if pressed == (c if width == 1 else keys_of(c))]
            if not fitting:
                return None
            said.append(fitting[0])
        return pattern.written("".join(said)) if at == len(keys) else None

    def forms(self) -> Forms:
        """None of its own: a run of characters."""
        return NO_FORMS


def keys_of(character: str) -> str:
    """Where letters and digits may stand: B is 22, 7 is 70."""
    return f"{character}0" if character.isdecimal() else _LETTER_KEYS[character.lower()]


def _length(row: Sequence[str]) -> int:
    return sum(1 if place.isdecimal() else 2 for place in row)
