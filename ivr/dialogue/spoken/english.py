"""English: how numbers and dates are made. Its words and sentences are data, in ``english.yaml``."""

from __future__ import annotations

from collections.abc import Iterator

import jellyfish

from ivr.dialogue.spoken.language import read_language, words

# num2words was tried for these two languages (0.5.14): its Spanish says "veintiuno mil" and "quadragésimo", its English
# has to lose its commas and "and"s again, and it takes 15 (Spanish) to 55 times as long where a grammar is made.
_SMALL = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
_IRREGULAR = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
_IRREGULAR |= {"twelve": "twelfth"}


def _cardinal(n: int, joiner: str = " ") -> str:
    if n < 20:
        return _SMALL[n]
    if n < 100:
        tens, rest = divmod(n, 10)
        return _TENS[tens - 2] + (f" {_SMALL[rest]}" if rest else "")
    size, name = (1_000_000, "million") if n >= 1_000_000 else (1000, "thousand") if n >= 1000 else (100, "hundred")
    many, rest = divmod(n, size)
    return f"{_cardinal(many, joiner)} {name}" + (f"{joiner}{_cardinal(rest, joiner)}" if rest else "")


def _more_cardinals(n: int) -> Iterator[str]:
    more = [_cardinal(n, " and ")] if n > 100 and n % 100 else []
    yield from more
    if 1000 < n < 10_000 and n % 100 == 0 and n % 1000:
        yield f"{_cardinal(n // 100)} hundred"
    if 100 <= n < 200:
        for form in (_cardinal(n), *more):
            yield form.replace("one hundred", "a hundred", 1)


def _ordinal(n: int) -> str:
    head, space, last = _cardinal(n).rpartition(" ")
    return head + space + (_IRREGULAR.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"))


def _teens() -> Iterator[tuple[str, str]]:
    for teen, ten in ((n, (n - 10) * 10) for n in range(13, 20)):
        for say in (_cardinal, _ordinal):
            yield say(teen), say(ten)
            yield say(ten), say(teen)


def _day_forms(day: int, month: str) -> tuple[str, ...]:
    nth = _ordinal(day)
    return f"{month} {nth}", f"{month} the {nth}", f"the {nth} of {month}", f"{month} {_cardinal(day)}"


def _more_day_forms(day: int, month: str) -> tuple[str, ...]:
    nth = _ordinal(day)
    return f"{nth} of {month}", f"{nth} {month}", f"{_cardinal(day)} {month}", f"the {nth} day of {month}"


def _years(year: int) -> Iterator[str]:
    century, rest = divmod(year, 100)
    if 2000 <= year < 2010:
        yield _cardinal(year)
    if rest >= 10:
        yield f"{_cardinal(century)} {_cardinal(rest)}"
    elif rest:
        yield f"{_cardinal(century)} oh {_cardinal(rest)}"
    elif century % 10:
        yield f"{_cardinal(century)} hundred"


def _count(many: int, names: tuple[str, str]) -> str:
    return f"{_cardinal(many)} {names[many != 1]}"


def _hour(hour: int) -> tuple[str, ...]:
    return () if hour == 0 else (_cardinal(hour),)


def _time(hour: int, minute: int) -> str:
    if minute == 0 and hour in (0, 12):
        return "noon" if hour else "midnight"
    part = (
        "at night"
        if hour == 0
        else "in the morning"
        if hour < 12
        else "in the afternoon"
        if hour < 17
        else "in the evening"
    )
    clock = [_cardinal(hour % 12 or 12), *(["oh"] if 0 < minute < 10 else []), *([_cardinal(minute)] if minute else [])]
    return f"{' '.join(clock)} {part}"


ENGLISH = read_language(
    "en",
    "english.yaml",
    cardinal=_cardinal,
    ordinal=_ordinal,
    more_cardinals=_more_cardinals,
    teens=dict(_teens()),
    date=lambda weekday, day, month: f"{weekday.capitalize()}, {month.capitalize()} {_ordinal(day)}",
    day_forms=_day_forms,
    more_day_forms=_more_day_forms,
    before_noun=_cardinal,
    years=_years,
    clock={"hour": _hour, "said": _time},
    durations={"count": _count},
    sound=jellyfish.metaphone,
)
