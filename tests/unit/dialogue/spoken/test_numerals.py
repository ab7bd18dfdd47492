from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.spoken.numerals import (
    digit_words,
    digits_of,
    number_forms,
    number_of,
    number_words,
    ordinal_forms,
    ordinal_of,
    ordinal_words,
    roman_numeral,
    roman_value,
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
