"""Slots of when: a clock time, within the times that are declared for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ivr.dialogue.spoken.clock import (
    DAY,
    clock_time,
    clock_words,
    minutes_of,
    part_forms,
    readings,
    telling_parts,
    time_words,
    times_of,
)
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.dialogue.understanding.slots import Fill, Forms, spoken_forms

MOST_WORDS = 9


def timed(minutes: int, language: str) -> SlotValue:
    return SlotValue(clock_time(minutes), time_words(minutes, language))


@dataclass(frozen=True, eq=False)
class TimeSlot:
    """``earliest`` and ``latest`` in minutes of the day: what lies outside is not meant."""

    language: str
    earliest: int = 0
    latest: int = DAY - 1
    type: str = "time"

    def within(self, times: Iterable[int]) -> tuple[SlotValue, ...]:
        return tuple(timed(time, self.language) for time in times if self.earliest <= time <= self.latest)

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        for end in range(min(len(words), start + MOST_WORDS), start, -1):
            if values := self.within(times_of(words[start:end], self.language)):
                yield Fill(end, values[0], len(values) == 1, values[1:], open=len(values) > 1)

    @property
    def bounds(self) -> tuple[str, str]:
        return time_words(self.earliest, self.language), time_words(self.latest, self.language)

    @property
    def unbounded(self) -> TimeSlot:
        return TimeSlot(self.language)

    def telling(self, value: SlotValue, other: SlotValue) -> tuple[str, ...]:
        """What tells one reading of the same words from the other."""
        return telling_parts(minutes_of(str(value.value)), minutes_of(str(other.value)), self.language)

    def apart(self, value: SlotValue, other: SlotValue) -> int:
        """How far one value is from another."""
        return abs(minutes_of(str(value.value)) - minutes_of(str(other.value)))

    def keyed(self, keys: str) -> tuple[SlotValue, ...]:
        """The hour, and two digits of minutes; by itself an hour is a whole one. As in VoiceXML's ``time`` nothing
        keyed says which half of the day it is."""
        hour, minute = (keys[:-2], keys[-2:]) if len(keys) > 2 else (keys, "0")
        if len(keys) > 4 or int(hour) > 23 or int(minute) > 59:
            return ()
        return self.within(readings(int(hour) * 60 + int(minute)))

    def forms(self) -> Forms:
        return _times(self.language)


WHEN = (TimeSlot,)  # slots with bounds, whose words may mean two values


@lru_cache(maxsize=4)
def _times(language: str) -> Forms:
    known = clock_words(language)
    alone = ((form, times_of(fold(form, language), language)) for form in known.alone)
    forms = spoken_forms((form, timed(times[0], language)) for form, times in alone if times)
    parts = {"hour": known.hours, "before": known.before, "after": known.after, "part": part_forms(language)}
    clocks = [("",), ("hour",), ("hour", "after"), ("before", "hour")]
    return replace(forms, shapes=(*clocks, *((*clock, "part") for clock in clocks)), parts=parts)
