"""The http verb never asks a service about everything: what is blank or unknown brings a human instead."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import ActionDone
from ivr.dialogue.flows.uri_template import EmptyPart, expanded
from ivr.events import ActionResult
from tests.unit.dialogue.talk import HUMAN, ROOT, SIGNATURES, Talk, made

APPOINTMENTS = """
flow: titles
start: look
variables:
  id: text
  note: text
states:
  look:
    action: queue.read
    returns: {id: titles}
    on: {ok: ask, failed: human, timeout: human}
  ask:
    prompt: "Shall I cancel it?"
    choices:
      - {intent: "yes", key: 1, label: "cancel it", goto: withdraw}
      - {intent: "no", key: 2, label: "keep it", goto: bye}
  withdraw:
    http: {service: calendar, method: DELETE, path: "PATH", risk: none}
    on: {ok: bye, refused: bye, failed: human, timeout: human}
  bye: {prompt: "Bye.", end: resolved}
"""
BLANK = [
    "",
    " ",
    "\t",
    "\u00a0",
    ".",
    "..",
    "/",
    "//",
    "\\",
    "-",
    "_",
    "%",
    "?",
    "#",
    "\x00",
    "\x7f",
    "1\n2",
    "\u3164",
    None,
]


def at_withdrawal(value: object, path: str = "/appointments/{id}") -> Talk:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    sources = {"titles.yaml": APPOINTMENTS.replace("PATH", path), "human.yaml": HUMAN, **universals}
    talk = Talk(made(sources, SIGNATURES), perform=False)
    (look,) = talk.performed
    talk.send(ActionDone(look.token, ActionResult("ok", {"titles": value})))
    return talk.key("1")


@pytest.mark.parametrize("value", BLANK)
def test_what_is_blank_is_never_sent_and_brings_a_human(value: object) -> None:
    talk = at_withdrawal(value)
    assert [perform.name for perform in talk.performed] == ["queue.read"], "no request was made"
    assert talk.connects, "the caller gets a person"
    assert talk.errors


@pytest.mark.parametrize("path", ["/appointments/{call.caller}", "/appointments/{note}", "/of/{member.address}/all"])
def test_a_fact_that_nobody_knows_is_never_sent(path: str) -> None:
    talk = at_withdrawal("a7", path)
    assert [perform.name for perform in talk.performed] == ["queue.read"]
    assert talk.connects


def test_what_names_something_is_one_segment() -> None:
    talk = at_withdrawal("../a 7/ü")
    assert talk.performed[-1].arguments["path"] == "/appointments/..%2Fa%207%2F%C3%BC"


@pytest.mark.parametrize("value", BLANK)
def test_a_template_refuses_what_is_blank(value: object) -> None:
    with pytest.raises(EmptyPart, match="id"):
        expanded("/appointments/{ id }/notes", {"id": value}.get)
