"""Any words and keys at all, where a value is asked for: no call breaks, and no value lies outside of its bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.engine.contract import Perform
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.dialogue.spoken.date_spans import span_of
from tests.unit.dialogue.talk import HUMAN, NOW, ROOT, Talk, made
from tests.unit.examples import examples

FLOW = """
flow: any
start: which
variables:
  it: {type: %s}
states:
  which: {ask: it, prompt: "Which?", goto: use}
  use:
    action: it.use
    with: {it: it}
    confirm: {policy: explicit, prompt: "<{it}>?", no: {goto: which, clear: [it]}}
    on: {ok: done, failed: human, timeout: human}
  done: {prompt: "Done.", end: resolved}
"""
TODAY = NOW.date()


def _day(value: object, first: date, last: date) -> bool:
    return first <= date.fromisoformat(str(value)) <= last


def _stay(value: object) -> bool:
    span = span_of(str(value))
    return span.last is not None and TODAY <= span.first < span.last <= TODAY + timedelta(days=366)


HOLDS: Mapping[str, Callable[[object], bool]] = {
    'time, earliest: "08:00", latest: "18:00"': lambda value: "08:00" <= str(value) <= "18:00",
    "date, direction: past, within: 2y": lambda value: _day(value, TODAY - timedelta(days=732), TODAY),
    "date_range, direction: future, within: 1y": _stay,
    "phone, length: [7, 10]": lambda value: 7 <= len(str(value).lstrip("+")) <= 10,
    "duration, min: 15, max: 480": lambda value: isinstance(value, int) and 15 <= value <= 480,
    "money, min: 100, max: 100000": lambda value: isinstance(value, int) and 100 <= value <= 100_000,
    "code, pattern: AA-9999": lambda value: re.fullmatch("[A-Z]{2}-[0-9]{4}", str(value)) is not None,
    "boolean": lambda value: isinstance(value, bool),
}
WORDS = {
    "en-US": (
        "one two three five ten twelve fifteen twenty thirty fifty hundred thousand half quarter past to a an and the "
        "of at in from until for night nights week weeks day days hour hours minute minutes morning evening tonight "
        "noon march april friday monday first third tenth last next year ago dollars cents bucks oh double triple plus "
        "bravo b k d as dash yes no maybe not i mean um please it's about 12:30 $12.50 2026 555 01 +1 minus "
        "point never mind"
    ),
    "es-ES": (
        "uno dos tres cinco diez doce quince veinte treinta cien mil media cuarto y a las la el de del en desde hasta "
        "por noche noches semana día hora horas minutos mañana tarde marzo abril viernes lunes primero pasado próximo "
        "año hace dólares centavos doble más barcelona be ka guion sí no tal vez quiero decir este favor 12:30 $5 555 "
        "menos"
    ),
}
MADE: dict[str, FlowLibrary] = {}


def library(kind: str) -> FlowLibrary:
    if kind not in MADE:
        use = ActionSignature("it.use", (Parameter("it", kind.partition(",")[0]),), risk="reversible")
        universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
        MADE[kind] = made({"any.yaml": FLOW % kind, "human.yaml": HUMAN, **universals}, {use.name: use})
    return MADE[kind]


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("kind", HOLDS)
@examples(40)
@given(data=st.data())
def test_nothing_breaks_and_bounds_hold(kind: str, language: str, data: st.DataObject) -> None:
    sentence = st.lists(st.sampled_from(WORDS[language].split()), min_size=1, max_size=9).map(" ".join)
    keys = st.text(alphabet="123456789#", min_size=1, max_size=9).map(lambda text: f"keys {text}")
    talk = Talk(library(kind), entry="any", language=language, perform=False)
    for said in data.draw(st.lists(st.one_of(sentence, keys), min_size=1, max_size=4)):
        if said.startswith("keys "):
            talk.key(said.removeprefix("keys "))
        else:
            talk.say(said)
    used = [effect.arguments["it"] for effect in talk.effects if isinstance(effect, Perform)]
    assert all(HOLDS[kind](value) for value in used), used
    known = talk.dialogue._call.frame.variables.get("it")
    assert known is None or HOLDS[kind](known.value), known
