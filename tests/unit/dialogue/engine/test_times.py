"""Clock times: said and keyed, settled by bounds or asked about, in both languages."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ivr.dialogue.flows.signature import ActionSignature, Parameter
from tests.unit.dialogue.talk import HUMAN, ROOT, Talk, made

FLOW = """
flow: visit
start: when
variables:
  at: {type: time%s}
states:
  when: {ask: at, prompt: "At what time?", goto: said}
  said: {prompt: "<{at}>", end: resolved}
"""


def visit(bounds: str = "", language: str = "en-US", flow: str = FLOW, known: Sequence[ActionSignature] = ()) -> Talk:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    sources = {"visit.yaml": flow % bounds, "human.yaml": HUMAN, **universals}
    library = made(sources, {each.name: each for each in known})
    return Talk(library, entry="visit", language=language)


OFFICE = ', earliest: "08:00", latest: "18:00"'


@pytest.mark.parametrize(
    ("said", "back"),
    [
        ("half past three", "<three thirty in the afternoon>"),
        ("quarter to five", "<four forty five in the afternoon>"),
        ("noon", "<noon>"),
    ],
)
def test_bounds_settle_an_hour(said: str, back: str) -> None:
    talk = visit(OFFICE)
    talk.say(said)
    assert back in talk.said


def test_an_open_hour_is_asked_about() -> None:
    talk = visit()
    talk.say("three thirty")
    asked = talk.said
    assert "three thirty in the afternoon" in asked and "three thirty in the morning" in asked
    talk.say("the second")
    assert "<three thirty in the morning>" in talk.said


def test_keys_are_a_time_too() -> None:
    talk = visit(OFFICE)
    talk.key("330")
    assert "<three thirty in the afternoon>" in talk.said


def test_spanish() -> None:
    talk = visit(OFFICE, "es-ES")
    talk.say("a las tres y media de la tarde")
    assert "<las tres y media de la tarde>" in talk.said


def test_part_of_the_day_alone_settles_what_was_asked() -> None:
    talk = visit()
    talk.say("at three thirty")
    talk.say("in the morning")
    assert "<three thirty in the morning>" in talk.said
    spanish = visit("", "es-ES")
    spanish.say("a las tres y media")
    spanish.say("de la mañana")
    assert "<las tres y media de la mañana>" in spanish.said


def test_keyed_open_hour_names_the_keys() -> None:
    talk = visit()
    talk.key("330#")
    assert "press one" in talk.said and "press two" in talk.said
    talk.key("2")
    assert "<three thirty in the morning>" in talk.said


@pytest.mark.parametrize("keyed", [False, True])
def test_time_out_of_bounds_names_both(keyed: bool) -> None:
    talk = visit(', earliest: "08:00", latest: "12:00"')
    if keyed:
        talk.key("330#")
    else:
        talk.say("at half past three")
    assert "That has to be between eight in the morning and noon." in talk.said
    talk.say("nine")
    assert "<nine in the morning>" in talk.said


def test_hora_fuera_de_limites() -> None:
    talk = visit(', earliest: "08:00", latest: "12:00"', "es-ES")
    talk.say("a las tres y media")
    assert "Tiene que ser entre las ocho de la mañana y las doce del mediodía." in talk.said


BOOKED = """
flow: visit
start: when
variables:
  at: {type: time%s}
states:
  when: {ask: at, prompt: "At what time?", goto: book}
  book:
    action: visit.book
    with: {at: at}
    confirm: {policy: explicit, prompt: "At {at}?"}
    on: {ok: said, failed: human, timeout: human}
  said: {prompt: "<{at}> <{at|time}>", end: resolved}
"""
BOOK = ActionSignature("visit.book", (Parameter("at", "time"),), risk="reversible")


@pytest.mark.parametrize(
    ("language", "first", "correction", "at"),
    [
        ("en-US", "three p m", "no, at four", "16:00"),
        ("en-US", "seven in the morning", "no, at eight", "08:00"),
        ("es-ES", "a las tres de la tarde", "no, a las cuatro", "16:00"),
    ],
)
def test_correction_takes_the_nearest_hour(language: str, first: str, correction: str, at: str) -> None:
    talk = visit("", language, BOOKED, (BOOK,))
    talk.say(first)
    talk.say(correction)
    talk.say("yes" if language == "en-US" else "sí")
    assert talk.performed[-1].arguments == {"at": at}


def test_correction_out_of_bounds_names_them() -> None:
    talk = visit(OFFICE, "en-US", BOOKED, (BOOK,))
    talk.say("three")
    talk.say("no, at seven")
    assert "between eight in the morning and six in the evening" in talk.said
    talk.say("no, at four")
    talk.say("yes")
    assert talk.performed[-1].arguments == {"at": "16:00"}


@pytest.mark.parametrize(
    ("language", "said", "back"),
    [
        ("en-US", "tonight at eight", "<eight in the evening>"),
        ("en-US", "this afternoon around half past two", "<two thirty in the afternoon>"),
        ("en-US", "eight this evening", "<eight in the evening>"),
        ("es-ES", "esta noche a las ocho", "<las ocho de la noche>"),
        ("es-ES", "por la mañana a las nueve", "<las nueve de la mañana>"),
    ],
)
def test_the_part_of_the_day_may_come_first(language: str, said: str, back: str) -> None:
    talk = visit(language=language)
    talk.say(said)
    assert back in talk.said


def test_half_seven_is_half_past() -> None:
    talk = visit(OFFICE)
    talk.say("half nine")
    assert "<nine thirty in the morning>" in talk.said


def test_a_correction_by_day_stays_by_day() -> None:
    """Four in the morning is nearer to nine than four in the afternoon, and nobody means it."""
    talk = visit("", flow=BOOKED, known=[BOOK])
    talk.say("nine in the morning")
    talk.say("no, at four")
    assert "At four in the afternoon?" in talk.said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-US", "quarter to eight"),
        ("en-US", "ten to eight"),
        ("es-ES", "diez para las ocho"),
        ("es-ES", "un cuarto para las ocho"),
    ],
)
def test_a_time_out_of_bounds_is_not_the_hour_in_it(language: str, said: str) -> None:
    talk = visit(OFFICE, language)
    talk.say(said)
    assert "between eight in the morning" in talk.said or "entre las ocho de la mañana" in talk.said


@pytest.mark.parametrize(
    ("language", "said", "back"),
    [
        ("en-US", "quarter to noon", "<eleven forty five in the morning>"),
        ("en-US", "half past noon", "<twelve thirty in the afternoon>"),
        ("es-ES", "cuarto para el mediodía", "<las once y cuarenta y cinco de la mañana>"),
    ],
)
def test_around_noon(language: str, said: str, back: str) -> None:
    talk = visit(OFFICE, language)
    talk.say(said)
    assert back in talk.said
    assert visit(OFFICE, language).listen.grammar.speech.covers(said)


@pytest.mark.parametrize("said", ["half past midnight", "half nine"])
def test_half_is_never_left_out(said: str) -> None:
    talk = visit()
    talk.say(said)
    assert "thirty" in talk.said


def test_the_keys_of_an_hour_begin_with_no_zero() -> None:
    talk = visit()
    talk.silence().silence()
    assert "with no zero in front" in talk.said
    spanish = visit("", "es-ES")
    spanish.silence().silence()
    assert "sin cero delante" in spanish.said
