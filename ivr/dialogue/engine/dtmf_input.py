"""Keys: universals' sequences, choices, and values keyed in (numbers, dates, digits, titles by place or by letters)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ivr.dialogue.spoken.normalisation import next_on
from ivr.dialogue.spoken.similarity import unaccented
from ivr.dialogue.understanding.code_slot import ON_KEYS, CodeSlot
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.dialogue.understanding.lexicon import Vocabulary
from ivr.dialogue.understanding.measure_slots import DurationSlot, MoneySlot
from ivr.dialogue.understanding.phone_slot import PhoneSlot
from ivr.dialogue.understanding.range_slots import DateRangeSlot
from ivr.dialogue.understanding.slots import (
    ChoiceSlot,
    DigitSlot,
    NumberSlot,
    Slot,
    TitleSlot,
    counted,
    dated,
    titled,
)
from ivr.dialogue.understanding.time_slots import BoundedDateSlot, TimeSlot

INTERDIGIT_S = 3.0
ALWAYS_HUMAN = ("0", "*0", "#0")  # whatever the universals say
LONGEST = 40

_LETTERS = {letter: str(key) for key, letters in enumerate(ON_KEYS, 2) for letter in letters}


@dataclass(frozen=True, slots=True)
class Universal:
    name: str


@dataclass(frozen=True, slots=True)
class Picked:
    """The key of a choice, or of an option: an index."""

    index: int


@dataclass(frozen=True, slots=True)
class Entered:
    """A keyed value; several when the keys fit several. () when they fit nothing."""

    keys: str
    values: tuple[SlotValue, ...]
    range: tuple[int, int] | tuple[str, str] | None = None  # what a value out of it should have been


@dataclass(frozen=True, slots=True)
class Stray:
    """A key without meaning here."""

    key: str


Pressed = Universal | Picked | Entered | Stray


def letters_of(text: str) -> str:
    """ "12 Angry Men" -> "12264796" + …: each letter's key, figures as they are, the rest left out."""
    return "".join(_LETTERS.get(c, c if c.isdecimal() and c.isascii() else "") for c in unaccented(text.lower()))


@dataclass(frozen=True, slots=True)
class DtmfEntry:
    """What keys mean where a variable is asked for. ``first``: titles in the order the caller hears them."""

    slot: Slot
    first: Sequence[SlotValue] = ()
    today: date | None = None
    language: str = "en-US"

    @property
    def single(self) -> bool:
        return isinstance(self.slot, ChoiceSlot) and len(self.slot.phrases) <= 9

    def complete(self, keys: str) -> bool:
        """Whether more keys could not change anything."""
        match self.slot:
            case ChoiceSlot():
                return self.single
            case NumberSlot(maximum=int() as maximum):
                return len(keys) >= len(str(maximum))  # not earlier: who keys 99 of 50 must not get 9
            case DigitSlot(maximum=maximum) | PhoneSlot(maximum=maximum):
                return len(keys) >= maximum
            case DurationSlot(maximum=maximum) | MoneySlot(maximum=maximum):
                return len(keys) >= len(str(maximum))
            case CodeSlot() as code:
                return code.complete(keys)
            case TimeSlot():
                return len(keys) == 4 or (len(keys) == 3 and keys[0] not in "12")
            case BoundedDateSlot(yearly=True) | DateRangeSlot(yearly=True):
                return len(keys) == 8 or (len(keys) == 7 and keys[0] != "1")
        return self.slot.type in ("date", "date_range") and (len(keys) == 4 or (len(keys) == 3 and keys[0] != "1"))

    def values(self, keys: str) -> Entered:
        match self.slot:
            case ChoiceSlot() as slot:
                named = list(slot.phrases)
                place = int(keys) - 1
                return Entered(keys, (slot.value(named[place]),) if 0 <= place < len(named) else ())
            case NumberSlot(minimum=minimum, maximum=maximum) as slot:
                n = int(keys)
                if n < minimum or (maximum is not None and n > maximum):
                    return Entered(keys, (), None if maximum is None else (minimum, maximum))
                return Entered(keys, (counted(n, self.language, slot.type == "ordinal"),))
            case DigitSlot() | PhoneSlot() as run:
                return Entered(keys, (run.value(keys),) if run.fits(keys) else ())
            case TitleSlot(vocabulary=vocabulary):
                return Entered(keys, self._titles(keys, vocabulary))
            case CodeSlot() as code:
                return Entered(keys, code.keyed(keys))
            case TimeSlot() | BoundedDateSlot() | DateRangeSlot() | DurationSlot() | MoneySlot() as within:
                found = within.keyed(keys)
                return Entered(keys, found, within.bounds if not found and within.unbounded.keyed(keys) else None)
        return Entered(keys, self._date(keys))

    def _date(self, keys: str) -> tuple[SlotValue, ...]:
        if self.today is None or len(keys) not in (3, 4):
            return ()
        day = next_on(int(keys[:-2]), int(keys[-2:]), self.today) if 1 <= int(keys[:-2]) <= 12 else None
        return () if day is None else (dated(day, self.language),)

    def _titles(self, keys: str, vocabulary: Vocabulary) -> tuple[SlotValue, ...]:
        """One or two digits: its place; more: its first letters. Whoever keys a whole name of several may mean any."""
        if len(keys) <= 2:
            place = int(keys) - 1
            return (self.first[place],) if 0 <= place < len(self.first) else ()
        for lex in vocabulary.lexicons:
            found = {
                term.id: term
                for form, terms in lex.forms.items()
                for term in terms
                if letters_of(form).startswith(keys)
            }
            found |= {term.id: term for term in lex.terms if letters_of(term.label).startswith(keys)}
            if found:
                return tuple(titled(term) for term in found.values())
        return ()


class Keypad:
    """One listening's keys, key by key. ``sequences``: universals by their keys; ``picks``: a key -> its index."""

    def __init__(self, sequences: Mapping[str, str], picks: Mapping[str, int], entry: DtmfEntry | None = None) -> None:
        self._sequences = {**sequences, **dict.fromkeys(ALWAYS_HUMAN, "human")}
        self._picks = picks
        self.entry = entry
        self._prefix = ""
        self._keys = ""

    @property
    def waiting(self) -> bool:
        """Keys were pressed whose meaning depends on what follows."""
        return bool(self._prefix or self._keys)

    @property
    def entering(self) -> bool:
        return bool(self._keys)

    def press(self, key: str) -> Pressed | None:
        """What this key amounts to; None while more must follow. Any string is taken, unknown ones are stray."""
        if self._prefix:
            prefix, self._prefix = self._prefix, ""
            if (name := self._sequences.get(prefix + key)) is not None:
                self._keys = ""
                return Universal(name)
            if prefix == "*":
                return Stray(prefix + key)
        if key == "#" and self._keys:
            return self._finish()
        if key in ("*", "#"):
            self._prefix = key
            return None
        if not self._keys and (name := self._sequences.get(key)) is not None:
            return Universal(name)
        if self.entry is not None and len(key) == 1 and key.isdecimal() and key.isascii():
            self._keys = (self._keys + key)[-LONGEST:]
            return self._finish() if self.entry.complete(self._keys) else None
        if key in self._picks:
            return Picked(self._picks[key])
        return Stray(key)

    def pause(self) -> Pressed | None:
        """The inter-digit timeout: an entry ends, a lone star repeats, a lone pound is nothing."""
        prefix, self._prefix = self._prefix, ""
        if prefix == "*":
            self._keys = ""
            return Universal("repeat")
        return self._finish() if self._keys else None

    def forget(self) -> None:
        self._prefix = self._keys = ""

    def _finish(self) -> Pressed | None:
        keys, self._keys = self._keys, ""
        return None if self.entry is None else self.entry.values(keys)
