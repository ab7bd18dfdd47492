"""Slots of when: a clock time, within the times that are declared for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ivr.dialogue.spoken.clock import DAY, clock_forms, clock_time, part_forms, readings, time_words, times_of
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

    def keyed(self, keys: str) -> tuple[SlotValue, ...]:
        """The hour, and two digits of minutes; by itself an hour is a whole one. As in VoiceXML's ``time`` nothing
        keyed says which half of the day it is."""
        hour, minute = (keys[:-2], keys[-2:]) if len(keys) > 2 else (keys, "0")
        if len(keys) > 4 or int(hour) > 23 or int(minute) > 59:
            return ()
        return self.within(readings(int(hour) * 60 + int(minute)))

    def forms(self) -> Forms:
        return _times(self.language)


@lru_cache(maxsize=4)
def _times(language: str) -> Forms:
    plain = list(clock_forms(language))
    round_ones = [(form, time) for form, time in plain if time % 15 == 0]
    both = [(f"{form} {part}", form, part) for part in part_forms(language) for form, _ in round_ones]
    meant = ((text, times_of(text.split(), language)) for text, _, _ in both)
    parted = [(text, timed(times[0], language)) for text, times in meant if times]
    return spoken_forms([*((form, timed(time, language)) for form, time in plain), *parted])
