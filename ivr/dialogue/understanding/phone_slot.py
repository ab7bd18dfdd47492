"""Slot of a telephone number: said in digits, pairs and tens, or as the one that the caller calls from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.spoken.phone import (
    LONGEST,
    SHORTEST,
    digit_pieces,
    phone_number,
    phone_readings,
    phone_words,
    within_digits,
)
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.dialogue.understanding.slots import Fill, Forms, spoken_forms

MOST_WORDS = 24
WITH_AREA = 10  # digits in North America


def phoned(number: str, language: str) -> SlotValue:
    return SlotValue(number, phone_words(number, language))


@dataclass(frozen=True, eq=False)
class PhoneSlot:
    """``minimum``..``maximum``: how many digits, its country's included. ``caller``: the number that the call came
    from, "" where it is withheld."""

    language: str
    minimum: int = SHORTEST
    maximum: int = LONGEST
    caller: str = ""
    type: str = "phone"

    def value(self, number: str) -> SlotValue:
        return phoned(phone_number(number), self.language)

    def fits(self, number: str) -> bool:
        """Of digits that no number has (two zeros before nothing) none do."""
        try:
            return self.minimum <= len(phone_number(number).lstrip("+")) <= self.maximum
        except ValueError:
            return False

    @property
    def calling(self) -> SlotValue | None:
        try:
            number = phone_number(self.caller)
        except ValueError:
            return None
        return self.value(number) if self.fits(number) else None

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        if (calling := self.calling) is not None:
            for phrase in words_for(self.language).phone.get("calling", ()):
                said = fold(phrase, self.language)
                if tuple(words[start : start + len(said)]) == said:
                    yield Fill(start + len(said), calling)
        for end in range(min(len(words), start + MOST_WORDS), start, -1):
            fitting = list(filter(self.fits, phone_readings(tuple(words[start:end]), self.language)))
            if fitting and self._in_part(words, start, end, fitting[0]):  # of a longer number nothing is left out
                return
            if fitting:
                yield Fill(end, self.value(fitting[0]), len(fitting) == 1)

    def _in_part(self, words: Sequence[str], start: int, end: int, number: str) -> bool:
        """Whether figures go on around these words; but for the one that is dialled before an area."""
        spoken = words_for(self.language)
        if start and len(number) == WITH_AREA and digit_pieces(words[:start], start - 1, spoken) == [(start, "1")]:
            start -= 1
        return within_digits(words, start, end, self.language)

    def forms(self) -> Forms:
        """The number that they call from; any other is a run of digits."""
        calling = self.calling
        said = words_for(self.language).phone.get("calling", ()) if calling is not None else ()
        return spoken_forms((form, calling) for form in said if calling is not None)
