"""Durations and sums of money: said and keyed, settled by bounds or asked about, corrected, in both languages."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import Perform
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.dialogue.spoken.amounts import amounts_of
from ivr.dialogue.spoken.durations import duration_words, durations_of
from ivr.dialogue.spoken.normalisation import fold, money_words, speech_form
from tests.unit.dialogue.talk import HUMAN, ROOT, Talk, made

FLOW = """
flow: visit
start: which
variables:
  stay: {type: %s}
intents:
  park: ["park for {stay}", "pay {stay}", "aparcar {stay}", "pagar {stay}"]
states:
  which: {ask: stay, prompt: "How much?", goto: book}
  book:
    action: visit.book
    with: {stay: stay}
    confirm: {policy: explicit, prompt: "<{stay}>?", no: {goto: which, clear: [stay]}}
    on: {ok: done, failed: human, timeout: human}
  done: {prompt: "Done: {stay}.", end: resolved}
"""


def visit(kind: str, language: str = "en-US", *, keys_led: bool = False) -> Talk:
    known = {"visit.book": ActionSignature("visit.book", (Parameter("stay", kind.partition(",")[0]),))}
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    library = made({"visit.yaml": FLOW % kind, "human.yaml": HUMAN, **universals}, known)
    return Talk(library, entry="visit", language=language, keys_led=keys_led, perform=False)


def booked(talk: Talk) -> object:
    return next(e.arguments["stay"] for e in reversed(talk.effects) if isinstance(e, Perform))


def answered(kind: str, said: str, language: str = "en-US") -> object:
    talk = visit(kind, language)
    talk.say(said)
    assert "?" in talk.said and "<" in talk.said, talk.said
    talk.say("sí" if language == "es-ES" else "yes")
    return booked(talk)


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ("half an hour", 30),
        ("ninety minutes", 90),
        ("an hour and a half", 90),
        ("about two and a half hours", 150),
        ("it takes an hour and fifteen minutes", 75),
        ("two hours fifteen", 135),
        ("three quarters of an hour", 45),
        ("45 minutes", 45),
        ("thirty", 30),
        ("one day", 1440),
    ],
)
def test_the_ways_people_say_how_long(said: str, minutes: int) -> None:
    assert answered("duration", said) == minutes


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ("media hora", 30),
        ("hora y media", 90),
        ("dos horas y cuarto", 135),
        ("unos noventa minutos", 90),
        ("treinta", 30),
    ],
)
def test_cuanto_dura(said: str, minutes: int) -> None:
    assert answered("duration", said, "es-ES") == minutes


def test_a_bare_number_is_hours_or_minutes_and_asked_about() -> None:
    talk = visit("duration")
    talk.say("two")
    assert "two hours" in talk.said and "two minutes" in talk.said
    talk.say("minutes")
    assert "<two minutes>" in talk.said


def test_bounds_tell_hours_from_minutes() -> None:
    assert answered("duration, min: 15, max: 480", "two") == 120


@pytest.mark.parametrize("keyed", [False, True])
def test_a_duration_out_of_bounds_names_both(keyed: bool) -> None:
    talk = visit("duration, min: 15, max: 120")
    if keyed:
        talk.key("180")
    else:
        talk.say("three hours")
    assert "That has to be between fifteen minutes and two hours." in talk.said
    talk.say("one hour")
    assert "<one hour>" in talk.said


def test_minutes_are_keyed() -> None:
    talk = visit("duration", keys_led=True)
    assert "Key the number of minutes, then press pound." in talk.said
    talk.key("90#")
    talk.key("1")
    assert booked(talk) == 90


def test_a_correction_changes_how_long() -> None:
    talk = visit("duration, min: 15")
    talk.say("an hour")
    talk.say("no, two hours")
    assert "<two hours>" in talk.said
    talk.say("yes")
    assert booked(talk) == 120


@pytest.mark.parametrize(
    ("said", "cents"),
    [
        ("twelve dollars", 1200),
        ("twelve dollars and fifty cents", 1250),
        ("$12.50", 1250),
        ("twelve oh five", 1205),
        ("fifty cents", 50),
        ("a hundred dollars", 10_000),
        ("fifteen hundred dollars", 150_000),
        ("it's about twenty bucks", 2000),
        ("twelve", 1200),
        ("$12,500.75", 1_250_075),
    ],
)
def test_the_ways_people_say_money(said: str, cents: int) -> None:
    if said.startswith("it's"):
        said = said.removeprefix("it's ")
    assert answered("money", said) == cents


@pytest.mark.parametrize(
    ("said", "cents"),
    [
        ("doce dólares", 1200),
        ("doce con cincuenta", 1250),
        ("cincuenta centavos", 50),
        ("mil quinientos dólares", 150_000),
    ],
)
def test_cuanto_cuesta(said: str, cents: int) -> None:
    assert answered("money", said, "es-ES") == cents


def test_twelve_fifty_is_asked_about_unless_bounds_tell() -> None:
    talk = visit("money")
    talk.say("twelve fifty")
    assert "twelve dollars and fifty cents" in talk.said and "one thousand two hundred fifty dollars" in talk.said
    talk.say("the first")
    assert "<twelve dollars and fifty cents>" in talk.said
    assert answered("money, max: 10000", "twelve fifty") == 1250
    assert answered("money, min: 5000", "twelve fifty") == 125_000


def test_cents_are_the_last_two_keys_and_one_or_two_keys_are_asked_about() -> None:
    talk = visit("money", keys_led=True)
    assert "two digits for the cents" in talk.said
    talk.key("1250#")
    assert "<twelve dollars and fifty cents>" in talk.said
    other = visit("money")
    other.key("12#")
    assert "press one" in other.said and "twelve dollars" in other.said and "twelve cents" in other.said
    other.key("1")
    assert "<twelve dollars>" in other.said


def test_an_amount_out_of_bounds_names_both() -> None:
    talk = visit("money, min: 500, max: 20000")
    talk.say("three hundred dollars")
    assert "That has to be between five dollars and two hundred dollars." in talk.said
    talk.key("30000")
    assert "That has to be between five dollars and two hundred dollars." in talk.said


@pytest.mark.parametrize("language", ["en-US", "es-ES"])
def test_what_is_said_back_is_understood(language: str) -> None:
    for minutes in (*range(1, 200), 240, 725, 1439, 1440, 2880, 14_400):
        said = fold(duration_words(minutes, language), language)
        assert durations_of(said, language) == (minutes,), said
    for cents in (*range(1, 400), 1250, 9999, 10_000, 123_456, 999_999, 12_345_678):
        assert amounts_of(fold(money_words(cents, language), language), language) == (cents,), cents


def test_a_written_sum_is_read_as_money_and_nothing_else_changes() -> None:
    assert speech_form("pay $3 now") == "pay three dollars now"
    assert speech_form("12 Angry Men") == "twelve angry men"
    assert speech_form("version 1.50") == "version one fifty"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("duration", "sixty seconds"),
        ("duration", "minus two hours"),
        ("duration", "1 1/2 hours"),
        ("duration", "three months"),
        ("money", "twenty euros"),
        ("money", "€20"),
        ("money", "minus five dollars"),
    ],
)
def test_nothing_is_cut_out_of_what_means_something_else(kind: str, said: str) -> None:
    talk = visit(kind)
    talk.say(said)
    assert "<" not in talk.said


def test_a_length_out_of_bounds_is_not_taken_for_its_number() -> None:
    talk = visit("duration")
    talk.say("100 hours")
    assert "That has to be between one minute and twenty four hours." in talk.said


def test_tenths_are_read_as_they_are_written() -> None:
    assert answered("duration", "1.5 hours") == 90
    assert answered("duration", "one hour ninety minutes") == 150
