"""Text normalisation: text as words; numbers, dates, money and lists in words and back, by the language's rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache

from ivr.dialogue.spoken.calendar import last_of_month, month_ahead, next_holiday
from ivr.dialogue.spoken.language import Language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.similarity import unaccented

DAYS = 7
MOST_DAYS_AHEAD, MOST_WEEKS_AHEAD, MOST_MONTHS_AHEAD = 31, 12, 12
LARGEST = 2000  # heard numbers are looked up in a table up to here
MOST_NUMBER_WORDS = 7  # of one of four figures
_ROMAN = {1000: "M", 900: "CM", 500: "D", 400: "CD", 100: "C", 90: "XC", 50: "L", 40: "XL", 10: "X"}
_ROMAN |= {9: "IX", 5: "V", 4: "IV", 1: "I"}
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_APART = re.compile(r"[^\w']+|_")
_SIGN = re.compile(r"(?<![\w+])\+(?=\(?\d)")  # "+1": a country
_SUM = re.compile(r"\$\s?(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d\d))?(?![\d.]*\d)")  # "$12.50", which recognisers write
_CURRENCIES = {"€": "euros", "£": "pounds"}
_ABROAD = re.compile(r"([€£])\s?(\d[\d,.]*\d|\d)")
_TENTHS = re.compile(r"(?<=\d)\.(?=\d(?![\d.]))(?<!\.\d\.)")  # "1.5"
_FIGURES = re.compile(r"\d+(?:st|nd|rd|th|º|ª)?|[^\W\d]+(?:'[^\W\d]+)*|\d+")


# -- numbers --------------------------------------------------------------------------------------------------


def number_words(n: int, language: str) -> str:
    """3 -> "three", -3 -> "minus three"; 10**9 and more stay figures."""
    spoken = words_for(language)
    if abs(n) >= 1_000_000_000:
        return str(n)
    return f"{spoken.minus} {spoken.cardinal(-n)}" if n < 0 else spoken.cardinal(n)


def ordinal_words(n: int, language: str) -> str:
    """3 -> "third" / "tercero"; what has no place (0, -1) as a number."""
    return words_for(language).ordinal(n) if n > 0 else number_words(n, language)


def digit_words(digits: str, language: str) -> str:
    """ "4071" -> "four zero seven one"."""
    cardinal = words_for(language).cardinal
    return " ".join(cardinal(int(d)) for d in digits if d.isdecimal() and d.isascii())


def number_forms(n: int, language: str) -> tuple[str, ...]:
    """Every way a caller says ``n``, the usual one first."""
    return (number_words(n, language), *words_for(language).more_cardinals(n))


def ordinal_forms(n: int, language: str) -> tuple[str, ...]:
    return ordinal_words(n, language), *words_for(language).more_ordinals(n)


def number_of(words: Sequence[str], language: str) -> int | None:
    """("twenty", "three") -> 23; None when these words aren't exactly one number up to LARGEST."""
    return _heard(words_for(language)).get(unaccented(" ".join(words)))


def ordinal_of(words: Sequence[str], language: str) -> int | None:
    return _heard(words_for(language), ordinal=True).get(unaccented(" ".join(words)))


def digits_of(words: Sequence[str], language: str) -> str | None:
    """Digit words ("double five" included) -> the digits; None when another word is among them."""
    spoken = words_for(language)
    names, digits, repeat = digit_names(spoken), [], 1
    for word in words:
        if word in spoken.repeats:
            repeat = spoken.repeats[word]
        elif (digit := names.get(unaccented(word))) is not None:
            digits.append(digit * repeat)
            repeat = 1
        else:
            return None
    return "".join(digits) if repeat == 1 and digits else None


def roman_value(text: str) -> int | None:
    """ "II" -> 2; None when ``text`` is no roman numeral in capitals (up to MMMCMXCIX)."""
    return _romans().get(text)


def roman_numeral(n: int) -> str:
    """2 -> "II"; 1..3999."""
    numeral = ""
    for value, letters in _ROMAN.items():
        many, n = divmod(n, value)
        numeral += letters * many
    return numeral


@lru_cache(maxsize=1)
def _romans() -> dict[str, int]:
    return {roman_numeral(n): n for n in range(1, 4000)}


@lru_cache(maxsize=16)
def _heard(spoken: Language, ordinal: bool = False) -> dict[str, int]:
    """Words without accents -> the number; the first that is said so."""
    table: dict[str, int] = {}
    for n in range(1, spoken.last_ordinal + 1) if ordinal else range(LARGEST + 1):
        for form in ordinal_forms(n, spoken.tag) if ordinal else number_forms(n, spoken.tag):
            table.setdefault(unaccented(form), n)
    return table


@lru_cache(maxsize=4)
def large_numbers(spoken: Language) -> Mapping[str, int]:
    """As ``_heard`` up to four figures, which are written as one number, and thousands beyond; made when first asked
    for."""
    table: dict[str, int] = {}
    for n in (*range(10_000), *range(10_000, 1_000_000, 1000)):
        for form in number_forms(n, spoken.tag):
            table.setdefault(unaccented(form), n)
    return table


@lru_cache(maxsize=8)
def digit_names(spoken: Language) -> dict[str, str]:
    """Word -> digit, without accents."""
    return {**{unaccented(spoken.cardinal(n)): str(n) for n in range(10)}, **spoken.digit_names}


# -- text -----------------------------------------------------------------------------------------------------


def _tokens(text: str) -> Iterator[str]:
    lowered = THOUSANDS.sub("", text.lower().replace("’", "'").replace("&", " and "))
    for piece in _APART.split(lowered):
        yield from _FIGURES.findall(piece)


@lru_cache(maxsize=16384)
def speech_form(text: str, language: str = "en-US") -> str:
    """Text as a recogniser's phrase: lower-case words, apostrophes kept, figures spelt out ("3rd" -> "third"), words
    in the one spelling that recognisers write.

    Up to four figures are a number, more are digits one by one."""
    spoken = words_for(language)
    spellings, words = spoken.spellings, []
    text = _TENTHS.sub(f" {spoken.point} ", _ABROAD.sub(lambda m: f"{m[2]} {_CURRENCIES[m[1]]}", text))
    text = _SUM.sub(lambda m: f" {money_words(_cents(m), language)} ", text)
    for token in _tokens(_SIGN.sub(f" {spoken.phone.get('plus', ('',))[0]} ", text)):
        figures = token.rstrip("stndrhºª") if token[0].isdigit() else ""
        if figures and figures != token and figures.isdecimal() and len(figures) <= 4:
            words.append(ordinal_words(int(figures), language))
        elif token.isdecimal() and token.isascii():
            short = len(token) <= 4 and not (token[0] == "0" and len(token) > 1)
            words.append(number_words(int(token), language) if short else digit_words(token, language))
        else:
            words.append(spellings.get(token, token))
    return " ".join(words)


@lru_cache(maxsize=16384)
def fold(text: str, language: str = "en-US") -> tuple[str, ...]:
    """Text as comparable words: ``speech_form`` without apostrophes and accents."""
    return tuple(unaccented(speech_form(text, language)).replace("'", "").split())


@lru_cache(maxsize=1024)
def fold_digits(text: str, language: str = "en-US") -> tuple[str, ...]:
    """As ``fold``, but every figure is a digit of its own: "12 34" -> one two three four."""
    return fold(re.sub(r"\d", lambda m: f" {digit_words(m.group(), language)} ", text), language)


# -- dates ----------------------------------------------------------------------------------------------------


def date_words(day: date, language: str) -> str:
    """How a date is said back: "Friday, December twenty fifth" / "viernes, veinticinco de diciembre"."""
    spoken = words_for(language)
    return spoken.date(spoken.weekdays[day.weekday()], day.day, spoken.months[day.month - 1])


def next_on(month: int, day: int, today: date) -> date | None:
    """The next such day, today included; None when no calendar has it."""
    for year in range(today.year, today.year + 9):
        try:
            candidate = date(year, month, day)
        except ValueError:
            continue
        if candidate >= today:
            return candidate
    return None


@lru_cache(maxsize=16)
def date_forms(today: date, language: str) -> dict[str, date]:
    """Every spoken date of the coming year -> the day it means, seen from ``today``. The first meaning wins."""
    spoken = words_for(language)
    forms = {word: today + timedelta(days=ahead) for ahead, word in enumerate(spoken.coming_days)}
    for ahead in range(1, 8):
        day = today + timedelta(days=ahead)
        forms.update((form.format(spoken.weekdays[day.weekday()]), day) for form in spoken.weekday_forms)
    for month, name in enumerate(spoken.months, 1):
        for number in range(1, 32):
            if (found := next_on(month, number, today)) is not None:
                forms.update(dict.fromkeys(spoken.day_forms(number, name), found))
    for form, day in _relative_dates(today, spoken):
        forms.setdefault(form, day)
    return forms


def _relative_dates(today: date, spoken: Language) -> Iterator[tuple[str, date]]:
    """ "in two weeks", "a week from Friday", "next Monday" (of the next calendar week), "the fifth", "Christmas"."""

    def ahead(kind: str, days: int, said: str = "") -> Iterator[tuple[str, date]]:
        for form in spoken.ahead_forms.get(kind, ()):
            yield form.format(said), today + timedelta(days=days)

    for kind, days in (("a_week", 7), ("two_weeks", 14), ("two_days", 2)):
        yield from ahead(kind, days)
    saturday = 5 - today.weekday()
    yield from ahead("weekend", saturday if saturday > 0 else saturday + 7)
    for kind, each, most in (("days", 1, MOST_DAYS_AHEAD), ("weeks", DAYS, MOST_WEEKS_AHEAD)):
        for many in range(2, most + 1) if kind in spoken.ahead_forms else ():
            yield from ahead(kind, each * many, spoken.before_noun(many))
    named = [(word, days) for days, word in enumerate(spoken.coming_days)]
    named += [(spoken.weekdays[(today + timedelta(days=days)).weekday()], days) for days in range(1, DAYS + 1)]
    for word, days in named:
        yield from ahead("week_from", days + 7, word)
        yield from ahead("weeks_from", days + 14, word)
        yield from ahead("three_weeks_from", days + 21, word)
    monday = today + timedelta(days=7 - today.weekday())
    for number, weekday in enumerate(spoken.weekdays):
        for form in spoken.next_weekday_forms:
            yield form.format(weekday), monday + timedelta(days=number)
    for number in range(1, 32) if spoken.day_of_month_forms else ():
        said = (spoken.month_days or spoken.ordinal)(number)
        for form in spoken.day_of_month_forms:
            yield form.format(said), _next_numbered(number, today)
    yield from _months_ahead(today, spoken)
    for name, when in spoken.holidays.items():
        day = next_holiday(when, today)
        yield name, day
        for kind, days in (("day_after", 1), ("day_before", -1), ("week_from", 7)):
            for form in spoken.ahead_forms.get(kind, ()):
                yield form.format(name), day + timedelta(days=days)


def _months_ahead(today: date, spoken: Language) -> Iterator[tuple[str, date]]:
    """ "in two months", "in a month", "next month" (its first day), "the end of the month"."""
    first = month_ahead(today.replace(day=1), 1)
    named_first = today if today.day == 1 else first
    last = last_of_month(today)
    named = [("a_month", month_ahead(today, 1)), ("next_month", first), ("end_of_month", last)]
    named.append(("first_of_month", named_first))
    for kind, day in (*named, ("end_of_next_month", last_of_month(first))):
        for form in spoken.ahead_forms.get(kind, ()):
            yield form, day
    for many in range(2, MOST_MONTHS_AHEAD + 1):
        for form in spoken.ahead_forms.get("months", ()):
            yield form.format(spoken.before_noun(many)), month_ahead(today, many)


def _next_numbered(number: int, today: date) -> date:
    """The next day that is a month's ``number``-th (1..31), today included."""
    day = today
    while day.day != number:
        day += timedelta(days=1)
    return day


@lru_cache(maxsize=16)
def dates_heard(today: date, language: str) -> dict[str, date]:
    """``date_forms`` with comparable keys, and forms that are understood where no recogniser expects them."""
    known = {" ".join(fold(form, language)): day for form, day in date_forms(today, language).items()}
    for form, day in (*lasting_until(today, language), *_rarer_dates(today, words_for(language))):
        known.setdefault(" ".join(fold(form, language)), day)
    return known


def lasting_until(today: date, language: str) -> Iterator[tuple[str, date]]:
    """ "for two weeks", where one day is asked for: the one on which that is over, begun today."""
    spoken = words_for(language)
    days = {"for_a_week": (DAYS,), "for_two_weeks": (2 * DAYS,), "for_days": range(2, MOST_DAYS_AHEAD + 1)}
    lasts = [(kind, many, today + timedelta(days=many)) for kind, those in days.items() for many in those]
    lasts += [("for_weeks", many, today + timedelta(days=DAYS * many)) for many in range(2, MOST_WEEKS_AHEAD + 1)]
    lasts.append(("for_a_month", 1, month_ahead(today, 1)))
    lasts += [("for_months", many, month_ahead(today, many)) for many in range(2, MOST_MONTHS_AHEAD + 1)]
    for kind, many, day in lasts:
        for form in spoken.ahead_forms.get(kind, ()):
            yield form.format(spoken.before_noun(many)), day


def _rarer_dates(today: date, spoken: Language) -> Iterator[tuple[str, date]]:
    for month, name in enumerate(spoken.months, 1):
        for number in range(1, 32):
            if (found := next_on(month, number, today)) is not None:
                yield from ((form, found) for form in spoken.more_day_forms(number, name))
    following = month_ahead(today.replace(day=1), 1)
    for number in range(1, last_of_month(following).day + 1):
        said = (spoken.month_days or spoken.ordinal)(number)
        yield from ((form.format(said), following.replace(day=number)) for form in spoken.next_month_forms)


# -- saying things --------------------------------------------------------------------------------------------


def money_words(cents: int, language: str) -> str:
    """1250 -> "twelve dollars and fifty cents"."""
    spoken, money = words_for(language), words_for(language).money
    sums = [
        f"{spoken.before_noun(n)} {names[n != 1]}"
        for n, names in zip(divmod(abs(cents), 100), (money.unit, money.cent), strict=True)
        if n
    ]
    said = f" {money.joiner} ".join(sums) or f"{spoken.before_noun(0)} {money.unit[1]}"
    return said if cents >= 0 else f"{spoken.minus} {said}"


def _cents(written: re.Match[str]) -> int:
    return 100 * int(written[1].replace(",", "")) + int(written[2] or 0)


def listed(items: Iterable[object], language: str, last: str = "") -> str:
    """("a", "b", "c") -> "a, b and c"."""
    texts = [str(item) for item in items]
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} {last or words_for(language).joiner} {texts[-1]}"


def spelt(text: str) -> str:
    """ "AB12" -> "A, B, 1, 2"."""
    return ", ".join(c.upper() for c in text if c.isalnum())
