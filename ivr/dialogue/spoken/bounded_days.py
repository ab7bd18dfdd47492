"""Days that words may mean within bounds, to come and past: "March third", "last Monday", "ten days ago", with a year.

Without bounds a day is the next such one (``date_forms``); within them it is each such one, the nearest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from ivr.dialogue.spoken.calendar import holiday_in, last_of_month, month_ahead
from ivr.dialogue.spoken.language import Language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import (
    MOST_DAYS_AHEAD,
    MOST_MONTHS_AHEAD,
    MOST_WEEKS_AHEAD,
    date_forms,
    fold,
)

_YEARS = range(1900, 2101)  # that are understood when they are said
FAR_OFF = 60  # days from which a day of another year is said with its year
_NEAR = 4  # years around the bounds within which a day without a year is looked for: a leap day is in one of them
_UNITS = {"d": 1, "w": 7, "y": 366}
MOST_DAYS = 150 * 366
MOST_YEARS_BACK = 30  # as so many ago
_CANDIDATES = 2  # are enough to be asked about


@dataclass(frozen=True, slots=True)
class KnownDays:
    """Comparable words -> what they mean. ``yearly``: a month and day, or a holiday, to which a year may be said."""

    days: Mapping[str, tuple[date, ...]]
    yearly: Mapping[str, tuple[int, int] | str]
    said: Mapping[str, date]  # as a recogniser expects them -> the nearest


def days_within(text: str) -> int:
    """ "90d" -> 90 days; "12w" and "120y" go too. Raises ValueError for anything else."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isdecimal() and number.isascii() and len(number) <= 4 and int(number)):
        raise ValueError(f"{text!r} is no span of days: write 90d, 12w or 2y")
    return min(int(number) * _UNITS[unit], MOST_DAYS)


def day_bounds(today: date, direction: str, within: str) -> tuple[date, date]:
    """The first and the last day of a variable's bounds; a year, where they don't say how far they reach."""
    try:
        reach = timedelta(days=days_within(within or "1y"))
    except ValueError:  # the checker has refused it
        reach = timedelta(days=366)
    return today if direction == "future" else today - reach, today if direction == "past" else today + reach


def days_of(words: Sequence[str], today: date, first: date, last: date, language: str) -> tuple[date, ...]:
    """The days that comparable words may mean from ``first`` to ``last``, the nearest to ``today`` first, at most
    two."""
    known = known_days(today, first, last, language)
    if (found := known.days.get(" ".join(words))) is not None:
        return found
    years, near = _years(language), {said: today.year + ahead for said, ahead in _near_years(language).items()}
    for length in range(1, min(len(words), 9)):
        said = " ".join(words[-length:])
        year = years.get(said, near.get(said))
        named = known.yearly.get(" ".join(words[:-length])) if year is not None else None
        if named is not None and year is not None and (day := _in_year(named, year)) is not None:
            return (day,) if first <= day <= last else ()
    return ()


def year_forms(years: Sequence[int], language: str) -> tuple[str, ...]:
    """Ways to say a year after a day."""
    spoken = words_for(language)
    return tuple(
        dict.fromkeys(way.format(said) for year in years for said in _names(year, spoken) for way in spoken.year_forms)
    )


def telling_years(year: int, other: int, today: date, language: str) -> tuple[str, ...]:
    """What tells a year from another by itself: "last year", "in twenty twenty five"."""
    spoken = words_for(language)
    if year == other:
        return ()
    near = spoken.near_years.get(str(year - today.year), ())
    return (*near, *(way.format(said) for said in _names(year, spoken) for way in spoken.year_alone_forms))


def day_and_year(day: date, language: str) -> str:
    """How a day is said that is far off: "Tuesday, March third, twenty twenty five"."""
    spoken = words_for(language)
    said = spoken.date(spoken.weekdays[day.weekday()], day.day, spoken.months[day.month - 1])
    return spoken.dated_year.format(day=said, year=next(iter(_names(day.year, spoken))))


@lru_cache(maxsize=8)
def known_days(today: date, first: date, last: date, language: str) -> KnownDays:
    spoken = words_for(language)
    anchor = min(max(today, first), last)
    reach = range(max(first.year, anchor.year - _NEAR), min(last.year, anchor.year + _NEAR) + 1)
    yearly: dict[str, tuple[int, int] | str] = {}
    for month, name in enumerate(spoken.months, 1):
        for number in range(1, 32):
            if number <= last_of_month(date(2024, month, 1)).day:
                yearly.update(dict.fromkeys(spoken.day_forms(number, name), (month, number)))
    yearly |= spoken.holidays
    past = dict(_past(today, spoken))
    ahead = {form: day for form, day in date_forms(today, language).items() if form not in yearly}
    said: dict[str, tuple[date, ...]] = {}
    for form, which in yearly.items():
        found = [day for year in reach if (day := _in_year(which, year)) is not None]
        said[form] = _within(found, today, first, last)
    numbers = dict(_numbered(today, spoken))
    for form, days in numbers.items():
        said[form] = _within(days, today, first, last)
    for form, day in ahead.items():
        if form not in numbers:
            said[form] = _within([day], today, first, last)
    for form, day in past.items():  # "Monday" is the one to come where that can be
        said[form] = said.get(form) or _within([day], today, first, last)
    folded = {" ".join(fold(form, language)): days for form, days in reversed(said.items()) if days}
    comparable = {" ".join(fold(form, language)): which for form, which in yearly.items()}
    return KnownDays(folded, comparable, {form: days[0] for form, days in said.items() if days})


def _within(days: Sequence[date], today: date, first: date, last: date) -> tuple[date, ...]:
    known = sorted({day for day in days if first <= day <= last}, key=lambda day: (abs(day - today), day < today))
    return tuple(known[:_CANDIDATES])


def _in_year(which: tuple[int, int] | str, year: int) -> date | None:
    if isinstance(which, str):
        return holiday_in(which, year)
    try:
        return date(year, *which)
    except ValueError:
        return None


def _numbered(today: date, spoken: Language) -> Iterator[tuple[str, list[date]]]:
    """ "the fifth", of this month or one beside it."""
    for number in range(1, 32) if spoken.day_of_month_forms else ():
        months = [month_ahead(today.replace(day=1), ahead) for ahead in (-2, -1, 0, 1, 2)]
        days = [month.replace(day=number) for month in months if number <= last_of_month(month).day]
        nearest = max((d for d in days if d <= today), default=None), min((d for d in days if d > today), default=None)
        for form in spoken.day_of_month_forms:
            yield form.format((spoken.month_days or spoken.ordinal)(number)), [d for d in nearest if d is not None]


def _past(today: date, spoken: Language) -> Iterator[tuple[str, date]]:
    """ "yesterday", "ten days ago", "last Monday"."""

    def forms(kind: str, day: date, said: str = "") -> Iterator[tuple[str, date]]:
        for form in spoken.past_forms.get(kind, ()):
            yield form.format(said), day

    yield from forms("yesterday", today - timedelta(days=1))
    yield from forms("before_yesterday", today - timedelta(days=2))
    for back in range(1, 8):
        day = today - timedelta(days=back)
        weekday = spoken.weekdays[day.weekday()]
        yield from forms("weekday", day, weekday)
        yield from ((form.format(weekday), day) for form in spoken.weekday_forms)
    yield from forms("a_week", today - timedelta(days=7))
    yield from forms("a_month", month_ahead(today, -1))
    yield from forms("a_year", month_ahead(today, -12))
    for many in range(1, MOST_DAYS_AHEAD + 1):
        yield from forms("days" if many > 1 else "a_day", today - timedelta(days=many), spoken.before_noun(many))
    for many in range(2, MOST_WEEKS_AHEAD + 1):
        yield from forms("weeks", today - timedelta(days=7 * many), spoken.before_noun(many))
    for many in range(2, MOST_YEARS_BACK + 1):
        yield from forms("years", month_ahead(today, -12 * many), spoken.before_noun(many))
    for many in range(2, MOST_MONTHS_AHEAD + 1):
        yield from forms("months", month_ahead(today, -many), spoken.before_noun(many))


def _names(year: int, spoken: Language) -> Iterator[str]:
    yield from spoken.years(year)
    yield spoken.cardinal(year)
    yield from spoken.more_cardinals(year)


@lru_cache(maxsize=4)
def _near_years(language: str) -> Mapping[str, int]:
    near = words_for(language).near_years
    return {" ".join(fold(form, language)): int(ahead) for ahead, forms in near.items() for form in forms}


@lru_cache(maxsize=4)
def _years(language: str) -> Mapping[str, int]:
    return {" ".join(fold(form, language)): year for year in reversed(_YEARS) for form in year_forms([year], language)}
