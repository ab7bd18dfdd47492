"""Opening hours: one calendar for everything that knows hours.

Hours are what the clock on the company's wall says, so they follow daylight saving. Whatever opens during an hour that
occurs twice is open from its first occurrence; whatever closes then, closes at its last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ivr.config import Hours
from ivr.errors import ConfigError
from ivr.ports import HoursOverride

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOK_AHEAD_DAYS = 400  # a year of holidays and some more
_INTERVAL = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """Minutes of the day. An ``end`` not after ``start`` is on the next day; 1440 is midnight at the end of the day."""

    start: int
    end: int

    @property
    def overnight(self) -> bool:
        return self.end <= self.start


def parse_intervals(text: str) -> tuple[Interval, ...]:
    """``HH:MM-HH:MM[, …]``; "" is closed. Raises ValueError."""
    if not text.strip():
        return ()
    found = []
    for part in text.split(","):
        match = _INTERVAL.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is not HH:MM-HH:MM")
        hours = (int(match[1]), int(match[3]))
        minutes = (int(match[2]), int(match[4]))
        start, end = (hour * 60 + minute for hour, minute in zip(hours, minutes, strict=True))
        if max(minutes) > 59 or start >= 1440 or end > 1440:
            raise ValueError(f"{part.strip()!r} is not a time of day; 24:00 ends a day")
        if start == end:
            raise ValueError(f"{part.strip()!r} opens and closes at once; a whole day is 00:00-24:00")
        found.append(Interval(start, end))
    return tuple(found)


class Calendar:
    """``zone`` is the company's. Raises ConfigError with every fault in ``hours``."""

    def __init__(self, hours: Hours, zone: ZoneInfo) -> None:
        self._zone = zone
        self._holidays = frozenset(hours.holidays)
        faults: list[str] = []
        days: list[tuple[Interval, ...]] = []
        for day in WEEKDAYS:
            try:
                days.append(parse_intervals(getattr(hours, day)))
            except ValueError as error:
                faults.append(f"desk.hours.{day}: {error}")
        if faults:
            raise ConfigError("\n".join(faults), remedy='write for instance mon = "08:00-12:00, 13:00-20:00"')
        self._days = tuple(days)

    def open_at(self, moment: datetime) -> bool:
        """``moment`` is aware."""
        today = moment.astimezone(self._zone).date()
        # Yesterday's last interval may reach into today.
        return any(start <= moment < end for day in (today - _DAY, today) for start, end in self._spans(day))

    def next_opening(self, moment: datetime) -> datetime | None:
        """When it opens next, in the company's zone: ``moment`` itself while open, None when it never does."""
        if self.open_at(moment):
            return moment.astimezone(self._zone)
        today = moment.astimezone(self._zone).date()
        for ahead in range(LOOK_AHEAD_DAYS):
            starts = [start for start, _ in self._spans(today + ahead * _DAY) if start > moment]
            if starts:
                return min(starts).astimezone(self._zone)
        return None

    def _spans(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The intervals that begin on ``day``, as instants in UTC; a holiday has none and cuts the night before."""
        if day in self._holidays:
            return
        for interval in self._days[day.weekday()]:
            last_day = day + _DAY if interval.overnight else day
            end = 0 if last_day in self._holidays else interval.end
            closes = max(self._local(last_day, end, fold=0), self._local(last_day, end, fold=1))
            yield self._local(day, interval.start, fold=0), closes

    def _local(self, day: date, minute: int, *, fold: int) -> datetime:
        days, rest = divmod(minute, 1440)
        clock = time(rest // 60, rest % 60, fold=fold)
        return datetime.combine(day + days * _DAY, clock, self._zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class HoursNow:
    """``next_opening``: while closed; None when it never opens. ``closes``: by a supervisor's word, None otherwise."""

    open: bool
    next_opening: datetime | None = None
    closes: datetime | None = None


def in_force(calendar: Calendar, override: HoursOverride | None, now: datetime) -> HoursNow:
    """The calendar, unless a supervisor said otherwise for now."""
    if override is not None and override.open:
        return HoursNow(True, closes=override.until)
    if override is None and calendar.open_at(now):
        return HoursNow(True)
    return HoursNow(False, calendar.next_opening(override.until if override is not None else now))
