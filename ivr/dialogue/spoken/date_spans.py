"""Ranges of days in words: "from the third to the seventh of May", "three nights from Friday", or a first day alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from ivr.dialogue.spoken.bounded_days import days_of
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import date_words, fold

MOST_NIGHTS = 60
WEEK = 7
_HALF_A_YEAR = timedelta(days=183)  # a last day without its year is no farther from the first than this
_MONTH_WORDS = 4  # "of May", "de mayo de este año"

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """``last`` is None where only the first day is known: none was said, or one before the first."""

    first: date
    last: date | None = None

    @property
    def text(self) -> str:
        """ISO 8601; with nothing after the slash for an open one."""
        return f"{self.first.isoformat()}/{'' if self.last is None else self.last.isoformat()}"


def span_of(text: str) -> Span:
    """Of "2026-05-03/2026-05-07". Raises ValueError for anything else, and for one that ends before it begins."""
    first, _, last = text.partition("/")
    span = Span(date.fromisoformat(first), date.fromisoformat(last))
    if span.last is not None and span.last < span.first:
        raise ValueError(f"{text} ends before it begins")
    return span


def span_words(span: Span, language: str) -> str:
    """ "from Sunday, May third to Thursday, May seventh"."""
    last = span.last if span.last is not None else span.first
    first, ending = date_words(span.first, language), date_words(last, language)
    return words_for(language).spans.said.format(first=first, last=ending)


@dataclass(frozen=True, slots=True)
class Spans:
    """Reads ranges that lie from ``first`` to ``last``; ``begun``: the first day, where that is known already."""

    today: date
    first: date
    last: date
    language: str
    begun: date | None = None

    def read(self, words: Sequence[str]) -> tuple[Span, ...]:
        """What the words may mean, the likeliest first."""
        known = _words(self.language)
        if self.begun is not None and (found := self._ended(words, self.begun, known)):
            return found
        whole = _without(words, known.first)
        for at in range(1, len(whole)):
            for connector in known.last:
                rest = whole[at + len(connector) :] if tuple(whole[at : at + len(connector)]) == connector else ()
                if rest and (found := self._between(whole[:at], rest)):
                    return found
        led = len(whole) < len(words)  # "from"
        alone = () if self.begun is not None else self._days(whole, bare=led)
        if alone:  # "a week from Friday" is a day
            return tuple(Span(day) for day in alone)
        for at in range(1, len(whole)):
            for day, stay in ((whole[:at], whole[at:]), (whole[at:], whole[:at])):
                if nights := known.nights.get(" ".join(stay)):
                    spans = (self._lasting(first, nights) for first in self._days(_without(day, known.first)))
                    return tuple(span for span in spans if span is not None)
        return ()

    def _ended(self, words: Sequence[str], begun: date, known: _Words) -> tuple[Span, ...]:
        """An answer to "until when?": a day, or how long."""
        if nights := known.nights.get(" ".join(words)):
            span = self._lasting(begun, nights)
            return () if span is None else (span,)
        for connector in ((), *known.last):
            if tuple(words[: len(connector)]) == connector and (rest := words[len(connector) :]):
                ending = self._after(begun, rest, bare=bool(connector))
                if ending is not None and ending != begun:
                    return (Span(begun, ending),)
        return ()

    def _lasting(self, first: date, nights: int) -> Span | None:
        last = first + timedelta(days=nights)
        return Span(first, last) if last <= self.last else None

    def _between(self, words: Sequence[str], ending: Sequence[str]) -> tuple[Span, ...]:
        if not self._known(ending):
            return ()
        for tail in (*range(2, _MONTH_WORDS + 1), 1):  # "the third | to the seventh of May"
            if tail < len(ending) and (begun := self._days((*words, *ending[-tail:]))):
                break
        else:
            begun = self._days(words)
        return tuple(Span(first, self._after(first, ending)) for first in begun)

    def _after(self, first: date, words: Sequence[str], *, bare: bool = True) -> date | None:
        """The last day that words mean after the first; None where they mean one before it."""
        later = [day for day in self._days(words, bare=bare) if day > first]
        if later:
            return min(later)
        anchored = days_of(words, first, first, self.last, self.language)
        if not anchored and bare:
            anchored = self._bare(words, first, first)
        near = [day for day in anchored if first < day <= first + _HALF_A_YEAR]
        return min(near, default=None)

    def _days(self, words: Sequence[str], *, bare: bool = True) -> tuple[date, ...]:
        """A day within; ``bare``: also without its article, "del tres"."""
        found = days_of(words, self.today, self.first, self.last, self.language)
        return found if found or not words or not bare else self._bare(words, self.today, self.first)

    def _bare(self, words: Sequence[str], today: date, first: date) -> tuple[date, ...]:
        for article in _words(self.language).articles:
            if found := days_of((article, *words), today, first, self.last, self.language):
                return found
        return ()

    def _known(self, words: Sequence[str]) -> bool:
        return bool(self._days(words)) or bool(days_of(words, self.first, self.first, self.last, self.language))


@dataclass(frozen=True, slots=True)
class _Words:
    first: tuple[Words, ...]
    last: tuple[Words, ...]
    nights: dict[str, int]
    articles: tuple[str, ...]


@lru_cache(maxsize=4)
def _words(language: str) -> _Words:
    spans = words_for(language).spans

    def folded(forms: Sequence[str]) -> tuple[Words, ...]:
        return tuple(sorted({tuple(fold(form, language)) for form in forms}, key=len, reverse=True))

    nights = {" ".join(fold(form, language)): n for n, form in night_forms(language)}
    return _Words(folded(spans.first), folded(spans.last), nights, spans.articles)


def night_forms(language: str) -> Iterator[tuple[int, str]]:
    """ "for three nights", "for a week"."""
    spoken = words_for(language)
    for form in spoken.spans.night:
        yield 1, form
    for many in range(2, MOST_NIGHTS + 1):
        for form in spoken.spans.nights:
            yield many, form.format(spoken.before_noun(many))
    for form in spoken.spans.week:
        yield WEEK, form
    for many in range(2, MOST_NIGHTS // WEEK + 1):
        for form in spoken.spans.weeks:
            yield WEEK * many, form.format(spoken.before_noun(many))


def _without(words: Sequence[str], beginnings: Sequence[Words]) -> Sequence[str]:
    for beginning in beginnings:
        if tuple(words[: len(beginning)]) == beginning:
            return words[len(beginning) :]
    return words
