"""Dates with bounds: which year is meant, past days, a year said or keyed, corrections; both languages."""

from __future__ import annotations

import pytest

from ivr.dialogue.flows.signature import ActionSignature, Parameter
from tests.unit.dialogue.talk import HUMAN, ROOT, Talk, made

FLOW = """
flow: visit
start: when
variables:
  day: {type: date, %s}
states:
  when: {ask: day, prompt: "What day?", goto: book}
  book:
    action: visit.book
    with: {day: day}
    confirm: {policy: explicit, prompt: "On {day|date}?"}
    on: {ok: said, failed: human, timeout: human}
  said: {prompt: "<{day}>", end: resolved}
"""
BOOK = ActionSignature("visit.book", (Parameter("day", "date"),), risk="reversible")


def visit(bounds: str, language: str = "en-US") -> Talk:
    """It is Tuesday, 3 March 2026."""
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    library = made({"visit.yaml": FLOW % bounds, "human.yaml": HUMAN, **universals}, {BOOK.name: BOOK})
    return Talk(library, entry="visit", language=language)


def booked(talk: Talk) -> object:
    talk.key("1")
    return talk.performed[-1].arguments["day"]


@pytest.mark.parametrize(
    ("bounds", "said", "day"),
    [
        ("direction: past, within: 90d", "January fifth", "2026-01-05"),
        ("direction: past, within: 90d", "December twentieth", "2025-12-20"),
        ("direction: past, within: 90d", "yesterday", "2026-03-02"),
        ("direction: past, within: 90d", "ten days ago", "2026-02-21"),
        ("direction: past, within: 90d", "last Monday", "2026-03-02"),
        ("direction: past, within: 90d", "on Friday", "2026-02-27"),
        ("direction: past, within: 90d", "the fifth", "2026-02-05"),
        ("direction: past, within: 90d", "Christmas", "2025-12-25"),
        ("direction: future, within: 90d", "on Friday", "2026-03-06"),
        ("direction: future, within: 90d", "May first", "2026-05-01"),
        ("direction: past, within: 120y", "July fourth nineteen eighty four", "1984-07-04"),
        ("direction: past, within: 120y", "July 4, 1984", "1984-07-04"),
        ("within: 2y", "July fourth of last year", "2025-07-04"),
    ],
)
def test_days_within_bounds(bounds: str, said: str, day: str) -> None:
    talk = visit(bounds)
    talk.say(said)
    assert booked(talk) == day


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("el cinco de enero", "2026-01-05"),
        ("ayer", "2026-03-02"),
        ("anteayer", "2026-03-01"),
        ("hace diez días", "2026-02-21"),
        ("el viernes pasado", "2026-02-27"),
        ("veinte de diciembre de dos mil veinticinco", "2025-12-20"),
    ],
)
def test_dias_pasados(said: str, day: str) -> None:
    talk = visit("direction: past, within: 90d", "es-ES")
    talk.say(said)
    assert booked(talk) == day


def test_a_day_of_two_years_is_asked_about() -> None:
    talk = visit("within: 1y")
    talk.say("July fourth")
    assert "Saturday, July fourth, twenty twenty six" in talk.said
    assert "Friday, July fourth, twenty twenty five" in talk.said
    talk.say("last year")
    assert "On Friday, July fourth, twenty twenty five?" in talk.said
    assert booked(talk) == "2025-07-04"


def test_dos_años() -> None:
    talk = visit("within: 1y", "es-ES")
    talk.say("el cuatro de julio")
    assert "sábado, cuatro de julio de dos mil veintiséis" in talk.said
    talk.say("el año pasado")
    assert booked(talk) == "2025-07-04"


@pytest.mark.parametrize("said", ["July fourth", "the fourth of July", "on the fourth of july please", ""])
def test_out_of_bounds_names_both(said: str) -> None:
    talk = visit("direction: future, within: 90d")
    if not said:
        talk.key("704")
    else:
        talk.say(said)
    assert "between Tuesday, March third and Monday, June first" in talk.said
    talk.say("May first")
    assert booked(talk) == "2026-05-01"


def test_fuera_de_limites() -> None:
    talk = visit("direction: future, within: 90d", "es-ES")
    talk.say("el cuatro de julio")
    assert "Tiene que ser entre martes, tres de marzo y lunes, primero de junio" in talk.said


def test_keys_within_bounds() -> None:
    talk = visit("direction: past, within: 90d")
    talk.key("1220")
    assert "On Saturday, December twentieth, twenty twenty five?" in talk.said
    assert booked(talk) == "2025-12-20"


def test_wide_bounds_are_keyed_with_the_year() -> None:
    talk = visit("direction: past, within: 120y")
    talk.silence()
    talk.silence()
    assert "four for the year" in talk.said
    talk.key("7041984")
    assert booked(talk) == "1984-07-04"


@pytest.mark.parametrize(
    ("language", "first", "correction"),
    [
        ("en-US", "July tenth twenty twenty five", "no, July fourth"),
        ("es-ES", "diez de julio de dos mil veinticinco", "no, el cuatro de julio"),
    ],
)
def test_correction_takes_the_nearest_year(language: str, first: str, correction: str) -> None:
    talk = visit("within: 1y", language)
    talk.say(first)
    talk.say(correction)
    assert booked(talk) == "2025-07-04"


def test_a_year_that_is_keyed_where_it_was_not_asked_for_is_a_year() -> None:
    """Bounds of two years: 303 alone is asked about, and who goes on with the year is not cut off."""
    for keys, back in (("3032024", "March third, twenty twenty four"), ("303#", "Did you mean")):
        talk = visit("direction: past, within: 2y")
        talk.key(keys)
        assert back in talk.said


def test_years_ago() -> None:
    talk = visit("direction: past, within: 3y")
    talk.say("two years ago")
    assert "March third, twenty twenty four" in talk.said
