"""Clock times in words and back: "half past three", "las tres y media de la tarde"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from functools import lru_cache

from ivr.dialogue.spoken.language import Clock, Language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold

DAY = 1440  # minutes
HALF = 720
_DAYTIME = range(7 * 60, 19 * 60)  # the likelier of two readings


def minutes_of(text: str) -> int:
    """ "15:30" -> minutes of the day. Raises ValueError for what is not HH:MM."""
    hour, colon, minute = text.partition(":")
    if not (colon and len(hour) == len(minute) == 2 and (hour + minute).isdecimal() and (hour + minute).isascii()):
        raise ValueError(f"{text!r} is no clock time: write 08:00")
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError(f"{text!r} is on no clock")
    return int(hour) * 60 + int(minute)


def minutes_of_iso(text: object) -> int:
    """What programs write, "15:30" or "15:30:00" (ISO 8601), in minutes of the day; seconds are dropped. Raises
    ValueError for anything else."""
    if not isinstance(text, str) or ":" not in text:
        raise ValueError(f"{text!r} is no clock time")
    found = time.fromisoformat(text)
    return found.hour * 60 + found.minute


def clock_time(minutes: int) -> str:
    """Minutes of the day -> "15:30"."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def time_words(minutes: int, language: str) -> str:
    """How a time is said back: "three thirty in the afternoon"."""
    clock = words_for(language).clock
    return clock_time(minutes) if clock is None else clock.said(*divmod(minutes, 60))


def readings(minutes: int) -> tuple[int, ...]:
    """A time as keyed or said without a part of the day: from 1:00 to 12:59 it is one of two, the likelier first."""
    if not 60 <= minutes < HALF + 60:
        return (minutes,)
    both = (minutes % HALF, minutes % HALF + HALF)
    return both if both[0] in _DAYTIME and both[1] not in _DAYTIME else both[::-1]


def times_of(words: Sequence[str], language: str) -> tuple[int, ...]:
    """What comparable words mean as a time, in minutes of the day: two where the part of the day is open."""
    spoken = words_for(language)
    if spoken.clock is None:
        return ()
    known, parts = _heard(spoken)
    text = " ".join(words)
    if (found := known.get(text)) is not None:
        return found
    for length in range(1, min(len(words), 5)):
        for part, rest in ((words[-length:], words[:-length]), (words[:length], _led(words[length:], spoken.clock))):
            hours, said = parts.get(" ".join(part)), known.get(" ".join(rest))
            if hours is not None and said is not None:
                return tuple(time for time in said if time // 60 in hours)
    return ()


def _led(words: Sequence[str], clock: Clock) -> Sequence[str]:
    """ "tonight | at eight"."""
    for lead in sorted((tuple(lead.split()) for lead in clock.leads), key=len, reverse=True):
        if tuple(words[: len(lead)]) == lead:
            return words[len(lead) :]
    return words


def by_day(minutes: int) -> bool:
    return minutes in _DAYTIME


@dataclass(frozen=True, slots=True)
class ClockWords:
    """What times are put together from: by itself ("noon"), or an hour with something ``before`` ("half past") or
    ``after`` it ("thirty", "o'clock")."""

    alone: tuple[str, ...]
    hours: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


@lru_cache(maxsize=4)
def clock_words(language: str) -> ClockWords:
    """What a recogniser expects of times: a few dozen words, where the times themselves are thousands."""
    clock = words_for(language).clock
    if clock is None:
        return ClockWords((), (), (), ())
    hours = [said for hour in range(24) for said in clock.hour(hour)]
    ways = [*clock.whole, *(way for _, way in _minute_ways(words_for(language), clock))]
    around = [way.split("{h}") for way in ways]
    before = dict.fromkeys(lead.strip() for lead, _ in around if lead)
    after = dict.fromkeys(trail.strip() for _, trail in around if trail)
    twice = [f"{said} {said}" for said in dict.fromkeys(hours) if said in after]  # no two slots say the same word
    return ClockWords((*clock.named, *twice), tuple(dict.fromkeys(hours)), tuple(before), tuple(after))


def lead_forms(language: str) -> tuple[str, ...]:
    clock = words_for(language).clock
    return () if clock is None else clock.leads


def part_forms(language: str) -> tuple[str, ...]:
    clock = words_for(language).clock
    return () if clock is None else tuple(form for forms in clock.parts.values() for form in forms)


def telling_parts(minutes: int, other: int, language: str) -> tuple[str, ...]:
    """Parts of the day that tell a time from another: "in the morning"."""
    spoken = words_for(language)
    parts = {} if spoken.clock is None else _heard(spoken)[1]
    return tuple(part for part, hours in parts.items() if minutes // 60 in hours and other // 60 not in hours)


def _minute_ways(spoken: Language, clock: Clock) -> Iterator[tuple[int, str]]:
    """Ways to say so many minutes around an hour, {h}; below 0: to the hour that comes. The roundest first."""
    for minute in sorted(range(1, 60), key=lambda m: (m % 30 > 0, m % 15 > 0, m % 5 > 0, m)):
        name = spoken.cardinal(minute)
        said = clock.under_ten.format(name) if minute < 10 else name
        yield from ((minute, way.replace("{m}", said)) for way in clock.minutes)
        yield from ((minute, way) for way in clock.past.get(str(minute), ()))
        yield from ((-minute, way) for way in clock.to.get(str(minute), ()))


def _forms(spoken: Language, clock: Clock) -> Iterator[tuple[str, int]]:
    for hour in range(24):
        for said in clock.hour(hour):
            for way in clock.whole:
                yield way.format(h=said), hour * 60
            for minutes, way in _minute_ways(spoken, clock):
                if minutes > 0:
                    yield way.format(h=said), hour * 60 + minutes
                elif 0 < hour <= HALF // 60:
                    yield way.format(h=said), ((hour - 1) or 12) * 60 + 60 + minutes


def _named(spoken: Language, clock: Clock) -> Iterator[tuple[str, int]]:
    """ "noon", and "quarter to noon"."""
    for name, text in clock.named.items():
        named = minutes_of(text)
        yield name, named
        for minutes, way in _minute_ways(spoken, clock):
            if way not in clock.minutes:
                yield way.format(h=name), (named + minutes) % DAY


@lru_cache(maxsize=4)
def _heard(spoken: Language) -> tuple[Mapping[str, tuple[int, ...]], Mapping[str, frozenset[int]]]:
    """Comparable words -> times; a part of the day -> its hours."""
    assert spoken.clock is not None
    known: dict[str, tuple[int, ...]] = {}
    for form, minutes in _named(spoken, spoken.clock):
        known.setdefault(" ".join(fold(form, spoken.tag)), (minutes,))
    for form, minutes in _forms(spoken, spoken.clock):
        known.setdefault(" ".join(fold(form, spoken.tag)), readings(minutes))
    parts: dict[str, frozenset[int]] = {}
    for hours, forms in spoken.clock.parts.items():
        first, last = map(int, hours.split("-"))
        within = frozenset(h % 24 for h in range(first, last + 1 if last >= first else last + 25))
        parts.update((" ".join(fold(form, spoken.tag)), within) for form in forms)
    return known, parts
