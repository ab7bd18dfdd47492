"""Durations in words and back: "an hour and a half", "ninety minutes", "dos horas y cuarto"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ivr.dialogue.spoken.language import DurationWords, Language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold, number_forms, number_of, number_words

HOUR, DAY, WEEK = 60, 1440, 10080  # minutes
UNITS: Mapping[str, int] = {"minute": 1, "hour": HOUR, "day": DAY, "week": WEEK}
MOST: Mapping[str, int] = {"minute": 600, "hour": 240, "day": 366, "week": 52}  # of each that are understood
MOST_WORDS = 10
_HOURS_ALONE = 24  # a number without its unit may be so many hours,
_HOURS_FIRST = 12  # and rather is where it is one of these


def duration_words(minutes: int, language: str) -> str:
    """How a duration is said back: 90 -> "one hour and thirty minutes"; whole days from two on as days."""
    known = words_for(language).durations
    if known is None or minutes < 0:
        return number_words(minutes, language)
    if minutes >= 2 * DAY and minutes % DAY == 0:
        return known.count(minutes // DAY, known.units["day"])
    hours, rest = divmod(minutes, HOUR)
    said = [known.count(many, known.units[unit]) for many, unit in ((hours, "hour"), (rest, "minute")) if many]
    return f" {known.joiner} ".join(said) or known.count(0, known.units["minute"])


def durations_of(words: Sequence[str], language: str) -> tuple[int, ...]:
    """What these words may be in minutes, the likeliest first: "two" is two hours before it is two minutes."""
    spoken = words_for(language)
    if spoken.durations is None or not words or len(words) > MOST_WORDS:
        return ()
    whole, hours, rests = _heard(spoken)
    if (minutes := whole.get(" ".join(words))) is not None:
        return (minutes,)
    for at in range(1, len(words)):
        first, rest = hours.get(" ".join(words[:at])), rests.get(" ".join(words[at:]))
        if first is not None and rest is not None:
            return (first + rest,)
    number = number_of(words, language)
    if not number:
        return ()
    both = (number * HOUR, number) if number <= _HOURS_FIRST else (number, number * HOUR)
    return both if number <= _HOURS_ALONE else (number,)


def unit_words(minutes: int, number: int, language: str) -> tuple[str, ...]:
    """What tells such a reading of a number from the other: "hours"."""
    known = words_for(language).durations
    return () if known is None else known.units["hour" if minutes == number * HOUR else "minute"]


@lru_cache(maxsize=4)
def other_units(language: str) -> frozenset[str]:
    """Words after a number that make another length of it: of units that were not understood with it."""
    known = words_for(language).durations
    if known is None:
        return frozenset()
    return frozenset(word for name in (*known.others, *sum(known.units.values(), ())) for word in fold(name, language))


@dataclass(frozen=True, slots=True)
class DurationParts:
    """What durations are put together from: ``alone``, or hours with the ``rest`` after them, or a bare number."""

    alone: tuple[str, ...]
    hours: tuple[str, ...]
    rest: tuple[str, ...]
    numbers: tuple[str, ...]


@lru_cache(maxsize=16)
def duration_parts(longest: int, language: str) -> DurationParts:
    """What a recogniser expects of durations up to ``longest`` minutes."""
    known = words_for(language).durations
    if known is None:
        return DurationParts((), (), (), ())
    alone = [form for form, minutes in _alone(known, language) if minutes <= longest]
    hours = [form for form, minutes in _many(known, language, "hour") if minutes <= longest]
    rest = [form for form, _ in _rests(known, language)] if longest > HOUR else []
    numbers = [form for n in range(1, min(longest, 120) + 1) for form in number_forms(n, language)]
    return DurationParts(*(tuple(dict.fromkeys(forms)) for forms in (alone, hours, rest, numbers)))


def _many(known: DurationWords, language: str, unit: str) -> Iterator[tuple[str, int]]:
    one, several = known.units[unit]
    for form in known.one.get(unit, ()):
        yield form, UNITS[unit]
    for n in range(1, MOST[unit] + 1):
        yield known.count(n, known.units[unit]), n * UNITS[unit]
        for form in number_forms(n, language):
            yield f"{form} {several if n > 1 else one}", n * UNITS[unit]


def _alone(known: DurationWords, language: str) -> Iterator[tuple[str, int]]:
    yield from known.named.items()
    for unit in ("minute", "day", "week"):
        yield from _many(known, language, unit)
    for n in range(1, MOST["hour"] + 1):
        for more, ways in known.halves.items():
            yield from (
                (way.format(n=form), n * HOUR + int(more)) for way in ways for form in number_forms(n, language)
            )


def _rests(known: DurationWords, language: str) -> Iterator[tuple[str, int]]:
    for minutes, ways in known.after.items():
        yield from ((way, int(minutes)) for way in ways)
    for n in range(1, 100):
        said = [known.count(n, known.units["minute"]), *number_forms(n, language)]
        yield from ((way.format(m=each), n) for each in said for way in known.rests)


@lru_cache(maxsize=4)
def _heard(spoken: Language) -> tuple[Mapping[str, int], Mapping[str, int], Mapping[str, int]]:
    """Comparable words -> minutes: of whole durations, of hours, of what follows hours."""
    assert spoken.durations is not None
    known, tag = spoken.durations, spoken.tag
    hours = list(_many(known, tag, "hour"))

    def table(forms: Iterator[tuple[str, int]]) -> dict[str, int]:
        made: dict[str, int] = {}
        for form, minutes in forms:
            made.setdefault(" ".join(fold(form, tag)), minutes)
        return made

    whole = iter([*_alone(known, tag), *hours])
    return table(whole), table(iter(hours)), table(_rests(known, tag))
