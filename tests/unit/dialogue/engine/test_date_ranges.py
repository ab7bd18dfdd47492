"""Ranges of days: in one sentence or in two, keyed, within bounds, corrected; their parts; both languages."""

from __future__ import annotations

from datetime import datetime

import pytest

from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.engine.contract import Connect, Listen
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.dialogue.understanding.speech_grammar import slot_names
from tests.unit.dialogue.talk import HUMAN, ROOT, Talk, made

FLOW = """
flow: hotel
start: when
variables:
  stay: {type: date_range, %s}
states:
  when: {ask: stay, prompt: "What days?", goto: long}
  long:
    when:
      - {if: "stay.nights > 20", goto: too_long}
      - {goto: book}
  too_long: {prompt: "That is {stay.nights|plural:night,nights}.", clear: [stay], goto: when}
  book:
    action: room.book
    with: {stay: stay, first: stay.start, nights: stay.nights}
    confirm: {policy: explicit, prompt: "{stay}, {stay.nights|plural:night,nights}?"}
    on: {ok: said, failed: human, timeout: human}
  said: {prompt: "<{stay.start|date}> <{stay.end|date}>", end: resolved}
"""
BOOK = ActionSignature(
    "room.book",
    (Parameter("stay", "date_range"), Parameter("first", "date"), Parameter("nights", "number")),
    risk="reversible",
)


def hotel(bounds: str = "direction: future, within: 120d", language: str = "en-US") -> Talk:
    """It is Tuesday, 3 March 2026."""
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    library = made({"hotel.yaml": FLOW % bounds, "human.yaml": HUMAN, **universals}, {BOOK.name: BOOK})
    return Talk(library, entry="hotel", language=language)


def booked(talk: Talk) -> object:
    talk.key("1")
    return talk.performed[-1].arguments["stay"]


@pytest.mark.parametrize(
    ("said", "stay"),
    [
        ("from the third to the seventh of May", "2026-05-03/2026-05-07"),
        ("from May third to May seventh", "2026-05-03/2026-05-07"),
        ("May third through the seventh", "2026-05-03/2026-05-07"),
        ("between May third and May seventh", "2026-05-03/2026-05-07"),
        ("three nights from Friday", "2026-03-06/2026-03-09"),
        ("from Friday for three nights", "2026-03-06/2026-03-09"),
        ("tomorrow for one night", "2026-03-04/2026-03-05"),
        ("from Friday to Monday", "2026-03-06/2026-03-09"),
        ("from next Friday until Sunday", "2026-03-13/2026-03-15"),
        ("the twentieth to the fifth", "2026-03-20/2026-04-05"),
    ],
)
def test_in_one_sentence(said: str, stay: str) -> None:
    talk = hotel()
    talk.say(said)
    assert booked(talk) == stay


@pytest.mark.parametrize(
    ("said", "stay"),
    [
        ("del tres al siete de mayo", "2026-05-03/2026-05-07"),
        ("desde el viernes hasta el lunes", "2026-03-06/2026-03-09"),
        ("del viernes al lunes", "2026-03-06/2026-03-09"),
        ("tres noches desde el viernes", "2026-03-06/2026-03-09"),
        ("una noche a partir de mañana", "2026-03-04/2026-03-05"),
        ("entre el tres y el siete de mayo", "2026-05-03/2026-05-07"),
    ],
)
def test_en_una_frase(said: str, stay: str) -> None:
    talk = hotel(language="es-ES")
    talk.say(said)
    assert booked(talk) == stay


@pytest.mark.parametrize(
    "answer", ["until Monday", "Monday", "three nights", "for three nights", "to the ninth", "March ninth"]
)
def test_the_first_day_and_then_until_when(answer: str) -> None:
    talk = hotel()
    talk.say("from Friday")
    assert talk.said == "From Friday, March sixth. Until what day?"
    talk.say(answer)
    assert booked(talk) == "2026-03-06/2026-03-09"


def test_hasta_que_dia() -> None:
    talk = hotel(language="es-ES")
    talk.say("desde el viernes")
    assert "¿Hasta qué día?" in talk.said
    talk.say("hasta el lunes")
    assert booked(talk) == "2026-03-06/2026-03-09"


def test_two_days_are_keyed() -> None:
    talk = hotel()
    talk.key("503")
    assert "Until what day?" in talk.said
    talk.key("507")
    assert "from Sunday, May third to Thursday, May seventh, four nights?" in talk.said
    assert booked(talk) == "2026-05-03/2026-05-07"
    assert talk.performed[-1].arguments == {"stay": "2026-05-03/2026-05-07", "first": "2026-05-03", "nights": 4}


def test_the_parts_are_said() -> None:
    talk = hotel()
    talk.say("from May third to May seventh")
    talk.say("yes")
    assert "<Sunday, May third> <Thursday, May seventh>" in talk.said


def test_the_parts_stand_in_conditions() -> None:
    talk = hotel()
    talk.say("from May first to May thirtieth")
    assert "That is twenty nine nights." in talk.said


def test_an_end_before_the_start_is_asked_again() -> None:
    talk = hotel()
    talk.say("from May seventh to May third")
    assert "From Thursday, May seventh. Until what day?" in talk.said
    talk.say("May third")
    assert "between Friday, May eighth and" in talk.said
    talk.key("503")
    assert "between Friday, May eighth and" in talk.said
    talk.say("May ninth")
    assert booked(talk) == "2026-05-07/2026-05-09"


@pytest.mark.parametrize(
    ("language", "said", "bounds"),
    [
        ("en-US", "from the third to the seventh of August", "between Tuesday, March third and Wednesday, July first"),
        ("es-ES", "del tres al siete de agosto", "entre martes, tres de marzo y miércoles, primero de julio"),
    ],
)
def test_a_range_out_of_bounds_says_them(language: str, said: str, bounds: str) -> None:
    talk = hotel(language=language)
    talk.say(said)
    assert bounds in talk.said


@pytest.mark.parametrize(
    ("said", "stay"),
    [
        ("no, from Saturday", "2026-03-07/2026-03-10"),
        ("no, from Saturday to Sunday", "2026-03-07/2026-03-08"),
        ("no, two nights from Saturday", "2026-03-07/2026-03-09"),
    ],
)
def test_corrections(said: str, stay: str) -> None:
    talk = hotel()
    talk.say("from Friday to Monday")
    talk.say(said)
    assert booked(talk) == stay


def test_back_from_until_when_asks_for_the_first_day() -> None:
    talk = hotel()
    talk.say("from Friday")
    talk.say("go back")
    assert "What days?" in talk.said
    talk.say("from May third to May seventh")
    assert booked(talk) == "2026-05-03/2026-05-07"


def test_a_range_of_which_parts_are_said_before_an_action_is_named() -> None:
    """The checker wants what is confirmed to be heard: the first day and the nights do, the nights alone do not."""
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}

    def codes(prompt: str) -> set[str]:
        flow = (FLOW % "direction: future").replace('"{stay}, {stay.nights|plural:night,nights}?"', f'"{prompt}"')
        sources = {"hotel.yaml": flow, "human.yaml": HUMAN, **universals}
        return {f.code for f in check_sources(sources, LineFacts({BOOK.name: BOOK})).findings if f.file == "hotel.yaml"}

    assert "confirm-unnamed" in codes("{stay.nights|plural:night,nights}?")
    assert "confirm-unnamed" not in codes("{stay.nights|plural:night,nights} from {stay.start|date}?")


def test_a_secret_range_is_in_no_record() -> None:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    flow = FLOW % "direction: future, secret: true"
    library = made({"hotel.yaml": flow, "human.yaml": HUMAN, **universals}, {BOOK.name: BOOK})
    talk = Talk(library, entry="hotel")
    talk.say("from Friday")
    assert talk.dialogue.slots == {"stay.start": "•••"}
    assert "riday" not in str(talk.dialogue.transcript)


def test_a_range_follows_the_language() -> None:
    talk = hotel()
    talk.say("from May third to May seventh")
    talk.say("español")
    assert "de domingo, tres de mayo a jueves, siete de mayo" in talk.said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-US", "from may third to may seventh"),
        ("en-US", "three nights from friday"),
        ("en-US", "from friday"),
        ("es-ES", "desde el viernes hasta el lunes"),
    ],
)
def test_a_recogniser_expects_ranges(language: str, said: str) -> None:
    talk = hotel(language=language)
    grammar = next(effect.grammar for effect in reversed(talk.effects) if isinstance(effect, Listen)).speech
    assert grammar.covers(said)
    assert all(len(set(names)) == len(names) for names in map(slot_names, grammar.templates))


@pytest.mark.parametrize(
    ("said", "stay"),
    [
        ("for a week from march tenth", "2026-03-10/2026-03-17"),
        ("two weeks starting friday", "2026-03-06/2026-03-20"),
    ],
)
def test_weeks_are_nights_too(said: str, stay: str) -> None:
    talk = hotel()
    talk.say(said)
    assert booked(talk) == stay


def test_a_week_from_friday_is_a_day() -> None:
    talk = hotel()
    talk.say("a week from friday")
    assert "From Friday, March thirteenth. Until what day?" in talk.said


def test_a_first_day_that_would_make_it_end_too_late_is_refused() -> None:
    talk = hotel("direction: future, within: 30d")
    talk.say("from march thirty first to april second")
    talk.say("no, from april second")
    assert "That has to be between Tuesday, March third and Thursday, April second." in talk.said
    assert booked(talk) == "2026-03-31/2026-04-02"


def test_days_of_another_year_are_said_with_it() -> None:
    talk = hotel("direction: future, within: 1y")
    talk.say("from march first to march third")
    assert "March first, twenty twenty seven to Wednesday, March third, twenty twenty seven" in talk.said


def test_which_year_of_two_is_told_by_itself() -> None:
    talk = hotel("direction: past, within: 2y")
    talk.say("from july first to july third")
    assert "twenty twenty five" in talk.said and "twenty twenty four" in talk.said
    talk.say("last year")
    assert booked(talk) == "2025-07-01/2025-07-03"


def test_whoever_goes_on_asking_for_an_end_before_the_beginning_gets_a_person() -> None:
    talk = hotel()
    talk.say("from march tenth")
    for _ in range(4):
        talk.key("309#")
    assert any(isinstance(effect, Connect) for effect in talk.effects)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-US", "from May seventh to May third"),
        ("en-US", "from May third to May third"),
        ("es-ES", "del siete de mayo al tres de mayo"),
    ],
)
def test_who_always_ends_before_the_start_gets_a_person(language: str, said: str) -> None:
    talk = hotel(language=language)
    for _ in range(4):
        assert not talk.connects
        talk.say(said)
    assert talk.connects


def test_a_first_day_after_which_none_is_left_is_refused() -> None:
    talk = hotel("direction: future, within: 30d")
    talk.say("from April second")
    assert "between Tuesday, March third and Thursday, April second" in talk.said
    talk.key("402")
    assert "between Tuesday, March third and Thursday, April second" in talk.said


def test_a_correction_moves_no_last_day_out_of_bounds() -> None:
    talk = hotel("direction: future, within: 30d")
    talk.say("from March twentieth to March twenty fifth")
    talk.say("no, from April first")
    assert "between Tuesday, March third and Thursday, April second" in talk.said
    assert "from Friday, March twentieth to Wednesday, March twenty fifth" in talk.said
    talk.say("no, from March twenty first")
    assert booked(talk) == "2026-03-21/2026-03-26"


@pytest.mark.parametrize(
    ("language", "said", "year", "until"),
    [
        ("en-US", "from July fourth", "last year", "to July sixth"),
        ("en-US", "from July fourth to July sixth", "last year", ""),
        ("es-ES", "desde el cuatro de julio", "el año pasado", "hasta el seis de julio"),
    ],
)
def test_a_year_tells_which_range(language: str, said: str, year: str, until: str) -> None:
    talk = hotel("within: 1y", language)
    talk.say(said)
    talk.say(year)
    if until:
        talk.say(until)
    assert booked(talk) == "2025-07-04/2025-07-06"


def test_ranges_of_two_years_are_told_apart_aloud() -> None:
    talk = hotel("within: 1y")
    talk.say("from July fourth to July sixth")
    assert "Monday, July sixth, twenty twenty six" in talk.said
    assert "Sunday, July sixth, twenty twenty five" in talk.said


def test_the_last_day_keyed_is_the_next_such_day() -> None:
    talk = hotel("within: 1y")
    talk.key("704#").key("2").key("706#")
    assert booked(talk) == "2025-07-04/2025-07-06"


def test_over_new_year_by_keys() -> None:
    talk = hotel("direction: future, within: 1y")
    talk.key("1228").key("103#")
    assert booked(talk) == "2026-12-28/2027-01-03"


def test_both_days_are_keyed_with_their_years_where_one_is() -> None:
    talk = hotel("direction: past, within: 3y")
    talk.key("7042024").key("7062024")
    assert booked(talk) == "2024-07-04/2024-07-06"


def test_a_range_that_ends_out_of_bounds_in_another_year_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.dialogue.talk.NOW", datetime(2026, 12, 31, 23, 59))
    talk = hotel("direction: future, within: 1y")
    talk.say("December thirty first to January second")
    assert booked(talk) == "2026-12-31/2027-01-02"
