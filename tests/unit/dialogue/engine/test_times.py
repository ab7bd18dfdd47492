"""Clock times: said and keyed, settled by bounds or asked about, in both languages."""

from __future__ import annotations

import pytest

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


def visit(bounds: str = "", language: str = "en-US") -> Talk:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    library = made({"visit.yaml": FLOW % bounds, "human.yaml": HUMAN, **universals}, {})
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
