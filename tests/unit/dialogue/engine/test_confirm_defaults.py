"""What a flow says once about asking before it acts: callers are asked so in every state that changes something."""

from __future__ import annotations

import pytest

from ivr.dialogue.checker.check import check
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.library import FlowLibrary, load_library
from tests.unit.dialogue.checker.test_identity_reached import HUMAN, UNIVERSALS
from tests.unit.dialogue.talk import Talk

COMPANY = """
company: A dentist
actions:
  visit.cancel: {service: practice, path: /cancel, parameters: {day: date}, risk: irreversible, needs: unknown}
  visit.look: {service: practice, method: GET, path: /look, needs: unknown}
"""
MAIN = """
flow: main
start: ask
defaults: {confirm: {policy: explicit, prompt: "Shall I do it for {day}?"}}
variables: {day: date}
intents: {cancel: ["cancel {day}"], look: [look it up]}
states:
  ask:
    prompt: "What can I do?"
    choices:
      - {intent: cancel, key: 1, label: "cancel", goto: when}
      - {intent: look, key: 2, label: "look", goto: look}
  when: {ask: day, prompt: "When?", goto: cancel}
  cancel: {action: visit.cancel, with: {day: day}, on: {ok: ask, failed: human, timeout: human}}
  look: {action: visit.look, on: {ok: ask, failed: human, timeout: human}}
"""
SPANISH = """
wording: main
language: es-ES
prompts: {cancel.confirm: "¿Anulo la cita del {day}?"}
"""


def library(main: str = MAIN) -> FlowLibrary:
    sources = {"main.yaml": main, "company.yaml": COMPANY, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    loaded = load_library({**sources, "main.es-ES.yaml": SPANISH}, {})
    assert loaded.library is not None, loaded.findings
    return loaded.library


def begun(main: str = MAIN, **more: str) -> Talk:
    return Talk(library(main), entry="main", perform=False, **more)  # type: ignore[arg-type]


def test_who_cancels_is_asked_by_these_words_and_heard() -> None:
    talk = begun()
    talk.say("cancel march ninth")
    assert "Shall I do it for Monday, March ninth?" in talk.said and talk.performed == []
    talk.say("yes")
    assert [(each.name, each.arguments) for each in talk.performed] == [("visit.cancel", {"day": "2026-03-09"})]


def test_what_only_looks_something_up_does_not_ask() -> None:
    talk = begun()
    talk.say("look it up")
    assert [each.name for each in talk.performed] == ["visit.look"]


def test_what_a_state_says_itself_wins() -> None:
    own = MAIN.replace("with: {day: day},", 'with: {day: day}, confirm: {prompt: "Cancel {day}, really?"},')
    confirm = library(own).flows["main"].states["cancel"].confirm
    assert confirm is not None and confirm.policy == "explicit", "what it leaves out is the flow's"
    talk = begun(own)
    talk.say("cancel march ninth")
    assert "Cancel Monday, March ninth, really?" in talk.said


@pytest.mark.parametrize(("main", "codes"), [(MAIN, set()), (MAIN.replace("defaults", "# defaults"), {"unconfirmed"})])
def test_the_checker_sees_the_same(main: str, codes: set[str]) -> None:
    findings = check(library(main), LineFacts(services=("practice",)))
    assert {finding.code for finding in findings} & {"unconfirmed", "confirm-unnamed"} == codes


def test_in_spanish_it_has_spanish_words() -> None:
    words = library().wordings["main", "es-ES", "neutral"]
    assert list(words.prompts) == ["cancel.confirm"]
    findings = check(library(), LineFacts(services=("practice",)))
    assert not [finding for finding in findings if finding.code == "unknown-prompt"]
