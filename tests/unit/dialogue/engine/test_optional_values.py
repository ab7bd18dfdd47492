"""``day?``: what is passed on where it is known, and left out where it isn't, to a sub-flow, an action or a service."""

from __future__ import annotations

import pytest

from tests.unit.dialogue.talk import HUMAN, ROOT, SIGNATURES, Talk, made

ORDERS = """
flow: titles
start: menu
variables: {day: date, other: date, number: {type: number, max: 20}}
intents:
  hold: ["hold until {day}", "hold my deliveries"]
  stop: ["stop until {day}", "stop my deliveries"]
states:
  menu:
    prompt: "What would you like?"
    choices:
      - {intent: hold, key: 1, label: "hold", goto: hold}
      - {intent: stop, key: 2, label: "stop", goto: stop}
  hold: {call: hold, with: {day: day?, number: "1"}, on: {done: menu}}
  stop:
    http:
      service: deliveries
      path: "/stop"
      body: {until: day?, why: {note: "'away'", days: [day?, other?, "2 + 1"]}, by: member.nickname?}
      risk: none
    on: {ok: bye, refused: bye, failed: human, timeout: human}
  bye: {prompt: "Bye.", end: resolved}
"""
HOLD = """
flow: hold
start: which
parameters: {day: date, number: {type: number, max: 20}}
states:
  which:
    when:
      - {if: "filled(day)", goto: known}
      - {goto: asked}
  known: {prompt: "Until {day}.", goto: done}
  asked: {prompt: "For now, {number} of them.", goto: done}
  done: {return: done}
"""


@pytest.fixture
def talk() -> Talk:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    return Talk(made({"titles.yaml": ORDERS, "hold.yaml": HOLD, "human.yaml": HUMAN, **universals}, SIGNATURES))


def test_a_sub_flow_gets_what_is_known(talk: Talk) -> None:
    assert talk.say("hold until July fourth").said.startswith("Until Saturday, July fourth.")


def test_a_sub_flow_does_not_get_what_is_not(talk: Talk) -> None:
    assert talk.say("hold my deliveries").said.startswith("For now, one of them.")
    assert not talk.errors


def test_a_service_gets_what_is_known_also_inside_lists_and_mappings(talk: Talk) -> None:
    talk.say("stop until July fourth")
    assert talk.performed[-1].arguments["body"] == {
        "until": "2026-07-04",
        "why": {"note": "away", "days": ["2026-07-04", 3]},
    }


def test_a_service_does_not_get_what_is_not(talk: Talk) -> None:
    talk.say("stop my deliveries")
    assert talk.performed[-1].arguments["body"] == {"why": {"note": "away", "days": [3]}}
    assert not talk.errors
