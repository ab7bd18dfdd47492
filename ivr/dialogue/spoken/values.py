"""How things are said and heard: words from text, and numbers, dates, money and lists into words and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import lru_cache

from ivr.dialogue.spoken.numerals import (
    digit_words,
    number_forms,
    number_of,
    number_words,
    ordinal_forms,
    ordinal_of,
    ordinal_words,
    plain,
    tongue,
)

_APART = re.compile(r"[^\w']+|_")
_FIGURES = re.compile(r"\d+(?:st|nd|rd|th|º|ª)?|[^\W\d]+(?:'[^\W\d]+)*|\d+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")

_MONTHS = {
    "en": [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ],
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
}
_DAYS = {
    "en": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
    "es": ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"],
}


def _tokens(text: str) -> Iterator[str]:
    lowered = _THOUSANDS.sub("", text.lower().replace("’", "'").replace("&", " and "))
    for piece in _APART.split(lowered):
        yield from _FIGURES.findall(piece)


@lru_cache(maxsize=16384)
def speech_form(text: str, language: str = "en-US") -> str:
    """Text as a recogniser's phrase: lower-case words, apostrophes kept, figures spelt out ("3rd" -> "third").

    Up to four figures are a number, more are digits one by one."""
    words = []
    for token in _tokens(text):
        figures = token.rstrip("stndrhºª") if token[0].isdigit() else ""
        if figures and figures != token and figures.isdecimal() and len(figures) <= 4:
            words.append(ordinal_words(int(figures), language))
        elif token.isdecimal() and token.isascii():
            short = len(token) <= 4 and not (token[0] == "0" and len(token) > 1)
            words.append(number_words(int(token), language) if short else digit_words(token, language))
        else:
            words.append(token)
    return " ".join(words)


@lru_cache(maxsize=16384)
def fold(text: str, language: str = "en-US") -> tuple[str, ...]:
    """Text as comparable words: ``speech_form`` without apostrophes and accents."""
    return tuple(plain(speech_form(text, language)).replace("'", "").split())


@lru_cache(maxsize=1024)
def fold_digits(text: str, language: str = "en-US") -> tuple[str, ...]:
    """As ``fold``, but every figure is a digit of its own: "12 34" -> one two three four."""
    return fold(re.sub(r"\d", lambda m: f" {digit_words(m.group(), language)} ", text), language)


# -- dates ----------------------------------------------------------------------------------------------------


def date_words(day: date, language: str) -> str:
    """How a date is said back: "Friday, December twenty fifth" / "viernes, veinticinco de diciembre"."""
    spoken = tongue(language)
    name, month = _DAYS[spoken][day.weekday()], _MONTHS[spoken][day.month - 1]
    if spoken == "es":
        return f"{name}, {'primero' if day.day == 1 else number_words(day.day, language)} de {month}"
    return f"{name.capitalize()}, {month.capitalize()} {ordinal_words(day.day, language)}"


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
    """Every spoken date of the coming year -> the day it means, seen from ``today``."""
    spoken, forms = tongue(language), {}
    near = {"en": ("today", "tomorrow", "the day after tomorrow"), "es": ("hoy", "mañana", "pasado mañana")}[spoken]
    for ahead, word in enumerate(near):
        forms[word] = today + timedelta(days=ahead)
    for ahead in range(1, 8):
        day = today + timedelta(days=ahead)
        name = _DAYS[spoken][day.weekday()]
        for form in (f"el {name}", name, f"el próximo {name}") if spoken == "es" else (name, f"on {name}"):
            forms[form] = day
    for month, name in enumerate(_MONTHS[spoken], 1):
        for number in range(1, 32):
            if (found := next_on(month, number, today)) is None:
                continue
            if spoken == "es":
                for said in (*number_forms(number, language), *(("primero",) if number == 1 else ())):
                    forms[f"el {said} de {name}"] = found
                    forms[f"{said} de {name}"] = found
            else:
                nth = ordinal_words(number, language)
                forms[f"{name} {nth}"] = found
                forms[f"{name} the {nth}"] = found
                forms[f"the {nth} of {name}"] = found
                forms[f"{name} {number_words(number, language)}"] = found
    return forms


@lru_cache(maxsize=16)
def dates_heard(today: date, language: str) -> dict[str, date]:
    """``date_forms`` with comparable keys."""
    return {" ".join(fold(form, language)): day for form, day in date_forms(today, language).items()}


# -- saying things --------------------------------------------------------------------------------------------


def money_words(cents: int, language: str) -> str:
    """1250 -> "twelve dollars and fifty cents"."""
    whole, rest = divmod(abs(cents), 100)
    sign = "" if cents >= 0 else ("menos " if tongue(language) == "es" else "minus ")
    if tongue(language) == "es":
        head = f"{number_words(whole, language)} dólar{'' if whole == 1 else 'es'}".replace("uno dólar", "un dólar")
        tail, joiner = f"{number_words(rest, language)} centavo{'' if rest == 1 else 's'}", " con "
    else:
        head = f"{number_words(whole, language)} dollar{'' if whole == 1 else 's'}"
        tail, joiner = f"{number_words(rest, language)} cent{'' if rest == 1 else 's'}", " and "
    return sign + (head if not rest else tail if not whole else head + joiner + tail)


def listed(items: Iterable[object], language: str, last: str = "") -> str:
    """("a", "b", "c") -> "a, b and c"."""
    texts = [str(item) for item in items]
    if len(texts) < 2:
        return "".join(texts)
    joiner = last or ("y" if tongue(language) == "es" else "and")
    return f"{', '.join(texts[:-1])} {joiner} {texts[-1]}"


def spelt(text: str) -> str:
    """ "AB12" -> "A, B, 1, 2"."""
    return ", ".join(c.upper() for c in text if c.isalnum())


__all__ = [
    "date_forms",
    "date_words",
    "dates_heard",
    "digit_words",
    "fold",
    "fold_digits",
    "listed",
    "money_words",
    "next_on",
    "number_forms",
    "number_of",
    "number_words",
    "ordinal_forms",
    "ordinal_of",
    "ordinal_words",
    "speech_form",
    "spelt",
    "tongue",
]
