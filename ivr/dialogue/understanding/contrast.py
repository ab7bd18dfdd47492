"""Contrast: a value that is denied beside the one that is meant: "not Vertigo, Casablanca", "not lost, damaged"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ivr.dialogue.flows.phrases import SlotValue
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.understanding.slots import Slot


@dataclass(frozen=True, slots=True)
class Denied:
    """Words ``start``..``end``, and what would be theirs without the denial, by the slot."""

    start: int
    end: int
    values: Mapping[str, SlotValue]

    def without(self, words: Sequence[str]) -> tuple[str, ...]:
        return (*words[: self.start], *words[self.end :])


def denied(words: Sequence[str], slots: Mapping[str, Slot], language: str) -> Iterator[Denied]:
    """Each value that comes right after a word that denies it ("not", "not number …"), of several at one place the
    longest; where a value has that word itself ("it's not here") it is none."""
    spoken = words_for(language)
    for at, word in enumerate(words[:-1]):
        if word not in spoken.negators:
            continue
        start = at + 1 + (at + 2 < len(words) and words[at + 1] in spoken.places)
        ends: dict[int, dict[str, SlotValue]] = {}
        for name, slot in slots.items():
            own = next(iter(slot.fills(words, at)), None)
            if own is None and (fill := next(iter(slot.fills(words, start)), None)) is not None:
                ends.setdefault(fill.end, {})[name] = fill.value
        if ends:
            yield Denied(at, max(ends), ends[max(ends)])
