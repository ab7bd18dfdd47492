from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.spoken.normalisation import (
    date_forms,
    date_words,
    dates_heard,
    digit_words,
    digits_of,
    fold,
    fold_digits,
    listed,
    money_words,
    next_on,
    number_forms,
    number_of,
    number_words,
    ordinal_forms,
    ordinal_of,
    ordinal_words,
    roman_numeral,
    roman_value,
    speech_form,
    spelt,
)

LANGUAGES = ("en-US", "es-ES")


@pytest.mark.parametrize(
    ("n", "english", "spanish"),
    [
        (0, "zero", "cero"),
        (16, "sixteen", "dieciséis"),
        (21, "twenty one", "veintiuno"),
        (45, "forty five", "cuarenta y cinco"),
        (100, "one hundred", "cien"),
        (101, "one hundred one", "ciento uno"),
        (500, "five hundred", "quinientos"),
        (1999, "one thousand nine hundred ninety nine", "mil novecientos noventa y nueve"),
        (21000, "twenty one thousand", "veintiún mil"),
        (1_000_000, "one million", "un millón"),
        (-3, "minus three", "menos tres"),
    ],
)
def test_numbers_in_words(n: int, english: str, spanish: str) -> None:
    assert (number_words(n, "en-US"), number_words(n, "es-ES")) == (english, spanish)


@pytest.mark.parametrize(
    ("n", "english", "spanish"),
    [(1, "first", "primero"), (3, "third", "tercero"), (12, "twelfth", "duodécimo"), (20, "twentieth", "vigésimo")],
)
def test_ordinals_in_words(n: int, english: str, spanish: str) -> None:
    assert (ordinal_words(n, "en-US"), ordinal_words(n, "es-ES")) == (english, spanish)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_way_to_say_a_number_is_heard_as_that_number(language: str) -> None:
    for n in range(2001):
        for form in number_forms(n, language):
            assert number_of(form.split(), language) == n
    for n in range(1, 100):
        for form in ordinal_forms(n, language):
            assert ordinal_of(form.split(), language) == n


def test_what_is_no_number() -> None:
    assert number_of(["twenty", "vertigo"], "en-US") is None and number_of([], "en-US") is None


@pytest.mark.parametrize("language", LANGUAGES)
@given(digits=st.from_regex(r"[0-9]{1,12}", fullmatch=True))
def test_digits_survive_being_spoken(language: str, digits: str) -> None:
    assert digits_of(digit_words(digits, language).split(), language) == digits


def test_digits_as_people_say_them() -> None:
    assert digits_of(["double", "five", "oh", "one"], "en-US") == "5501"
    assert digits_of(["five", "times"], "en-US") is None
    assert digits_of(["double"], "en-US") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("II", 2), ("IV", 4), ("XIV", 14), ("MCMLXXXIV", 1984), ("IIII", None), ("ii", None), ("VX", None), ("", None)],
)
def test_roman(text: str, value: int | None) -> None:
    assert roman_value(text) == value
    assert value is None or roman_numeral(value) == text


LANGUAGES = ("en-US", "es-ES")
TODAY = date(2026, 3, 3)


def test_text_becomes_words() -> None:
    assert speech_form("Move 12 Angry Men to #3, please!") == "move twelve angry men to three please"
    assert speech_form("What's the 3rd one? 5551234") == "what's the third one five five five one two three four"
    assert speech_form("Fast & 1,500") == "fast and one thousand five hundred"
    assert speech_form("I'm cancelling my favourite") == "i'm canceling my favorite"
    assert fold("¿Qué hay? Don't") == ("que", "hay", "dont")
    assert fold_digits("my pin is 12 34")[-4:] == ("one", "two", "three", "four")


@given(st.text(max_size=60))
def test_any_text_becomes_plain_words(text: str) -> None:
    for word in fold(text):
        assert word and word == word.lower() and "'" not in word and not word.isspace()


def test_dates_said_and_heard() -> None:
    assert date_words(date(2026, 7, 4), "en-US") == "Saturday, July fourth"
    assert date_words(date(2026, 5, 1), "es-ES") == "viernes, primero de mayo"
    heard = dates_heard(TODAY, "en-US")
    assert heard["july fourth"] == heard["july four"] == heard["the fourth of july"] == date(2026, 7, 4)
    assert heard["tomorrow"] == date(2026, 3, 4) and heard["friday"] == date(2026, 3, 6)
    assert heard["march second"] == date(2027, 3, 2)
    assert dates_heard(TODAY, "es-ES")["el veinticinco de diciembre"] == date(2026, 12, 25)
    assert "february thirtieth" not in heard and heard["february twenty ninth"] == date(2028, 2, 29)


@pytest.mark.parametrize("language", LANGUAGES)
def test_dates_are_never_past(language: str) -> None:
    assert all(day >= TODAY for day in date_forms(TODAY, language).values())


def test_the_next_such_day() -> None:
    assert next_on(3, 3, TODAY) == TODAY and next_on(3, 2, TODAY) == date(2027, 3, 2) and next_on(4, 31, TODAY) is None


def test_money_lists_and_spelling() -> None:
    assert money_words(1250, "en-US") == "twelve dollars and fifty cents"
    assert money_words(100, "en-US") == "one dollar" and money_words(1, "en-US") == "one cent"
    assert money_words(2101, "es-ES") == "veintiún dólares con un centavo"
    assert listed(["a", "b", "c"], "en-US") == "a, b and c" and listed(["a", "b"], "es-ES") == "a y b"
    assert listed([], "en-US") == "" and spelt("AB-12") == "A, B, 1, 2"
