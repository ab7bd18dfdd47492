"""Slots of when: a clock time, within the times that are declared for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

from ivr.dialogue.spoken.bounded_days import FAR_OFF, day_and_year, days_of, known_days, telling_years, year_forms
from ivr.dialogue.spoken.clock import (
    DAY,
    by_day,
    clock_time,
    clock_words,
    lead_forms,
    minutes_of,
    part_forms,
    readings,
    telling_parts,
    time_words,
    times_of,
)
from ivr.dialogue.spoken.normalisation import date_words, fold
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.dialogue.understanding.slots import Fill, Forms, dated, spoken_forms

MOST_WORDS = 9
MOST_DATE_WORDS = 14
YEAR = 366  # days
FULL_DATE = 800  # bounds of more days than these want the year
YEARS = 8  # around today, in which a day keyed without a year is looked for


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
            times = times_of(words[start:end], self.language)
            if values := self.within(times):
                yield Fill(end, values[0], len(values) == 1, values[1:], open=len(values) > 1)
            elif times:  # "three thirty", out of bounds, isn't "three"
                return

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
        """How far one value is from another; of what was by day nothing in the night is near."""
        mine, theirs = (minutes_of(str(each.value)) for each in (value, other))
        return abs(mine - theirs) + (DAY if by_day(mine) != by_day(theirs) else 0)

    def keyed(self, keys: str) -> tuple[SlotValue, ...]:
        """The hour, and two digits of minutes; by itself an hour is a whole one. As in VoiceXML's ``time`` nothing
        keyed says which half of the day it is."""
        hour, minute = (keys[:-2], keys[-2:]) if len(keys) > 2 else (keys, "0")
        if len(keys) > 4 or int(hour) > 23 or int(minute) > 59:
            return ()
        return self.within(readings(int(hour) * 60 + int(minute)))

    def forms(self) -> Forms:
        return _times(self.language)


@dataclass(frozen=True, eq=False)
class BoundedDateSlot:
    """A day from ``first`` to ``last``. Where two such days may be meant, the caller is asked which."""

    today: date
    language: str
    first: date
    last: date
    type: str = "date"

    @property
    def full(self) -> bool:
        """Whether a day alone tells too little: bounds so wide that it is keyed with its year."""
        return (self.last - self.first).days > FULL_DATE

    @property
    def yearly(self) -> bool:
        """Whether a day may lie in two years, so that whoever keys it may go on with the year."""
        return (self.last - self.first).days > YEAR

    def said(self, day: date, *, year: bool = False) -> SlotValue:
        """With its year where it is far off, or ``year`` tells it from another."""
        far = year or (day.year != self.today.year and abs((day - self.today).days) > FAR_OFF)
        return SlotValue(day.isoformat(), (day_and_year if far else date_words)(day, self.language))

    def named(self, value: SlotValue) -> SlotValue:
        """A value as it is called in this slot's language."""
        try:
            return self.said(date.fromisoformat(str(value.value)[:10]))
        except ValueError:
            return value

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        most = min(len(words), start + MOST_DATE_WORDS)
        for end in range(most, start, -1):
            if days := days_of(words[start:end], self.today, self.first, self.last, self.language):
                if any(self._outside(words[at:to]) for at in range(start + 1, end) for to in range(end + 1, most + 1)):
                    return  # "on the fourth | of July"
                values = self._told(days)
                yield Fill(end, values[0], len(values) == 1, values[1:], open=len(values) > 1)
            elif self._outside(words[start:end]):  # "the fourth of July", out of bounds, isn't "the fourth"
                return

    def _outside(self, words: Sequence[str]) -> bool:
        wide = self.unbounded
        return bool(days_of(words, self.today, wide.first, wide.last, self.language))

    def _told(self, days: Sequence[date]) -> tuple[SlotValue, ...]:
        years = len({day.year for day in days}) > 1
        return tuple(self.said(day, year=years) for day in days)

    @property
    def bounds(self) -> tuple[str, str]:
        return self.said(self.first).label, self.said(self.last).label

    @property
    def unbounded(self) -> BoundedDateSlot:
        wide = timedelta(days=FULL_DATE)
        first, last = min(self.first, self.today) - wide, max(self.last, self.today) + wide
        return BoundedDateSlot(self.today, self.language, first, last)

    def telling(self, value: SlotValue, other: SlotValue) -> tuple[str, ...]:
        mine, theirs = (date.fromisoformat(str(each.value)) for each in (value, other))
        return telling_years(mine.year, theirs.year, self.today, self.language)

    def apart(self, value: SlotValue, other: SlotValue) -> int:
        days = [date.fromisoformat(str(each.value)) for each in (value, other)]
        return abs((days[0] - days[1]).days)

    def keyed(self, keys: str) -> tuple[SlotValue, ...]:
        """The month, two digits of the day, and the year where it is wanted."""
        year = keys[-4:] if len(keys) > 4 else ""
        month, number = keys[: len(keys) - len(year) - 2], keys[len(keys) - len(year) - 2 : len(keys) - len(year)]
        if not month or len(month) > 2 or len(number) != 2:
            return ()
        near = range(self.today.year - YEARS, self.today.year + YEARS + 1)
        days = [day for each in ([int(year)] if year else near) if (day := _day(each, int(month), int(number)))]
        within = sorted((d for d in days if self.first <= d <= self.last), key=lambda d: abs(d - self.today))
        return self._told(within[:2])

    def forms(self) -> Forms:
        return _days(self.today, min(self.first, self.today), max(self.last, self.today), self.language)


def _day(year: int, month: int, number: int) -> date | None:
    try:
        return date(year, month, number)
    except ValueError:
        return None


@lru_cache(maxsize=8)
def _days(today: date, first: date, last: date, language: str) -> Forms:
    """What lies outside the bounds is expected too, as far as it is near: then the caller is told so."""
    year = timedelta(days=366)
    known = known_days(today, min(first, today - year), max(last, today + year), language)
    forms = spoken_forms((form, dated(day, language)) for form, day in known.said.items())
    years = year_forms(range(first.year, last.year + 1), language)
    return replace(forms, shapes=(("",), ("", "year")), parts={"year": years})


@lru_cache(maxsize=4)
def _times(language: str) -> Forms:
    known = clock_words(language)
    alone = ((form, times_of(fold(form, language), language)) for form in known.alone)
    forms = spoken_forms((form, timed(times[0], language)) for form, times in alone if times)
    parts = {"hour": known.hours, "before": known.before, "after": known.after, "part": part_forms(language)}
    clocks = [("",), ("hour",), ("hour", "after"), ("before", "hour"), ("before", "")]
    parted = (*((*clock, "part") for clock in clocks), *(("part", "lead", *clock) for clock in clocks))
    return replace(forms, shapes=(*clocks, *parted), parts={**parts, "lead": lead_forms(language)})
