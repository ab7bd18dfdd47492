"""Calendar days that callers name: holidays, fixed and movable, months ahead. Pure arithmetic, in any language.

A holiday is written "12-25" (month and day), "easter" or "easter-2" (days from it), or "11-thursday-4" (the fourth of a
month; "5-monday-last" the last), and after any of them "+1", days later.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WRITTEN = re.compile(r"(easter|\d+-\d+|\d+-[a-z]+-(?:[1-4]|last))([+-]\d+)?")
LEAP_YEARS = 9  # years within which every day of a year comes


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones, Butcher)."""
    century, of_century = divmod(year, 100)
    golden = year % 19
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - epact - of_century % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def month_ahead(day: date, months: int) -> date:
    """The same day so many months later, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), last_of_month(date(year, month + 1, 1)))


def last_of_month(day: date) -> date:
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return following - timedelta(days=1)


def next_holiday(written: str, today: date) -> date:
    """The next such day, today included. Raises ValueError for what is not written so, or is in no calendar."""
    for year in range(today.year - 1, today.year + LEAP_YEARS):
        found = holiday_in(written, year)
        if found is not None and found >= today:
            return found
    raise ValueError(f"{written} is in no calendar")


def holiday_in(written: str, year: int) -> date | None:
    """The holiday of a year; None where that year has none. Raises ValueError for what is not written so."""
    known = _WRITTEN.fullmatch(written)
    if known is None:
        raise ValueError(f"{written} is no holiday")
    rule, days = known.group(1), timedelta(days=int(known.group(2) or 0))
    if rule == "easter":
        return easter(year) + days
    month, *rest = rule.split("-")
    if len(rest) == 1:
        try:
            return date(year, int(month), int(rest[0])) + days
        except ValueError:
            return None
    weekday, nth = rest
    if nth == "last":
        last = last_of_month(date(year, int(month), 1))
        return last - timedelta(days=(last.weekday() - _WEEKDAYS.index(weekday)) % 7) + days
    first = date(year, int(month), 1)
    return first + timedelta(days=(_WEEKDAYS.index(weekday) - first.weekday()) % 7 + 7 * (int(nth) - 1)) + days
