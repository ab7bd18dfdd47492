from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.spoken.normalisation import (
    date_forms,
    date_words,
    dates_heard,
    fold,
    fold_digits,
    listed,
    money_words,
    next_on,
    speech_form,
    spelt,
)

LANGUAGES = ("en-US", "es-ES")
TODAY = date(2026, 3, 3)


def test_text_becomes_words() -> None:
    assert speech_form("Move 12 Angry Men to #3, please!") == "move twelve angry men to three please"
    assert speech_form("What's the 3rd one? 5551234") == "what's the third one five five five one two three four"
    assert speech_form("Fast & 1,500") == "fast and one thousand five hundred"
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
