"""Slots of a range of days: said at once, or its first day and then its last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

from ivr.dialogue.spoken.bounded_days import telling_years
from ivr.dialogue.spoken.date_spans import Span, Spans, night_forms, span_of, span_words
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import number_words
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.dialogue.understanding.measure_slots import DurationSlot, MoneySlot
from ivr.dialogue.understanding.slots import Fill, Forms, dated
from ivr.dialogue.understanding.time_slots import BoundedDateSlot, TimeSlot

MOST_WORDS = 24


class HalfSpan(SlotValue):
    """A first day; the last is to be asked for."""

    __slots__ = ()


def spanned(text: str, language: str) -> SlotValue:
    """Raises ValueError for what is no range."""
    return SlotValue(text, span_words(span_of(text), language))


def part_of(text: str, part: str, language: str) -> SlotValue | None:
    try:
        span = span_of(text)
    except ValueError:
        return None
    last = span.last or span.first
    match part:
        case "start":
            return dated(span.first, language)
        case "end":
            return dated(last, language)
        case "nights":
            nights = (last - span.first).days
            return SlotValue(nights, number_words(nights, language))
    return None


def moved(text: str, first: str) -> str:
    """A range that begins on another day, as many nights long."""
    span, begun = span_of(text), date.fromisoformat(first)
    return Span(begun, begun + ((span.last or span.first) - span.first)).text


@dataclass(frozen=True, eq=False)
class DateRangeSlot:
    """Days from ``first`` to ``last``. ``begun``: the first of them, once it is known."""

    today: date
    language: str
    first: date
    last: date
    begun: date | None = None
    type: str = "date_range"

    @property
    def day(self) -> BoundedDateSlot:
        """What one of its days may be: the last of them, once the first is known."""
        first = self.first if self.begun is None else self.begun + timedelta(days=1)
        return BoundedDateSlot(self.today, self.language, first, self.last)

    @property
    def full(self) -> bool:
        """The last day is keyed as the first is."""
        return BoundedDateSlot(self.today, self.language, self.first, self.last).full

    @property
    def yearly(self) -> bool:
        return BoundedDateSlot(self.today, self.language, self.first, self.last).yearly

    def named(self, value: SlotValue) -> SlotValue:
        """A value as it is called in this slot's language."""
        try:
            return self._value(span_of(str(value.value)))
        except ValueError:
            return value

    def fills(self, words: Sequence[str], start: int) -> Iterator[Fill]:
        within = Spans(self.today, self.first, self.last, self.language, self.begun)
        wide = self.unbounded
        beyond = Spans(self.today, wide.first, wide.last, self.language, wide.begun)
        for end in range(min(len(words), start + MOST_WORDS), start, -1):
            said = words[start:end]
            if values := self._values(within.read(said)):
                yield Fill(end, values[0], len(values) == 1, values[1:], open=len(values) > 1)
            elif beyond.read(said):  # a range out of bounds isn't its first day
                return

    def _values(self, spans: Iterable[Span]) -> tuple[SlotValue, ...]:
        """With their years where they tell one from another. A first day after which none is left is none."""
        known = [span for span in spans if span.last is not None or span.first < self.last]
        if any(span.last is not None for span in known):  # of one whose last day was said, and lies beyond, nothing
            known = [span for span in known if span.last is not None]
        years = len({span.first.year for span in known}) > 1
        return tuple(self._value(span, year=years) for span in known)

    def _value(self, span: Span, *, year: bool = False) -> SlotValue:
        first = self.day.said(span.first, year=year)
        if span.last is None:
            return HalfSpan(first.value, first.label)
        last = self.day.said(span.last, year=year)
        return SlotValue(span.text, words_for(self.language).spans.said.format(first=first.label, last=last.label))

    def holds(self, text: str) -> bool:
        """Whether a range lies within."""
        span = span_of(text)
        return self.first <= span.first and (span.last or span.first) <= self.last

    @property
    def bounds(self) -> tuple[str, str]:
        return self.day.bounds

    @property
    def unbounded(self) -> DateRangeSlot:
        wide = BoundedDateSlot(self.today, self.language, self.first, self.last).unbounded
        return replace(self, first=wide.first, last=wide.last, begun=None if self.begun is None else wide.first)

    def telling(self, value: SlotValue, other: SlotValue) -> tuple[str, ...]:
        mine, theirs = (date.fromisoformat(str(each.value)[:10]) for each in (value, other))
        return telling_years(mine.year, theirs.year, self.today, self.language)

    def apart(self, value: SlotValue, other: SlotValue) -> int:
        days = [date.fromisoformat(str(each.value).partition("/")[0]) for each in (value, other)]
        return abs((days[0] - days[1]).days)

    def keyed(self, keys: str) -> tuple[SlotValue, ...]:
        """One day: the first, then the last, which is the next such day."""
        day = self.day if self.begun is None else replace(self.day, today=self.begun)
        days = [date.fromisoformat(str(value.value)) for value in day.keyed(keys)]
        return self._values(map(Span, days) if self.begun is None else (Span(self.begun, day) for day in days[:1]))

    def forms(self) -> Forms:
        days = BoundedDateSlot(self.today, self.language, self.first, self.last).forms()
        return replace(days, shapes=_SHAPES, parts={**days.parts, **_parts(self.language), "last": days.said})


# "last" is a day again: no part stands twice in one row
_DAYS = (("",), ("", "year"))
_TO = (("", "to", "last"), ("", "to", "last", "year"))
_FROM = tuple(("from", *row) for row in (*_DAYS, *_TO, ("", "nights")))
_NIGHTS = (("", "nights"), ("nights", ""), ("nights", "from", ""), ("nights",))
_SHAPES = (*_DAYS, *_TO, *_FROM, *_NIGHTS, *(("to", *row) for row in _DAYS))


@lru_cache(maxsize=4)
def _parts(language: str) -> dict[str, tuple[str, ...]]:
    spans = words_for(language).spans
    nights = tuple(form for _, form in night_forms(language))
    return {"from": spans.first, "to": spans.last, "nights": nights}


NAMED = (BoundedDateSlot, DateRangeSlot)  # whose values are called by how far off they are
BOUNDED = (TimeSlot, BoundedDateSlot, DateRangeSlot, DurationSlot, MoneySlot)  # whose words may mean two values
