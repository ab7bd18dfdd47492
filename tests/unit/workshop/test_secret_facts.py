"""A secret fact in the workshop: the simulator's trace, its tables, saved calls, recorded services, explanations."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ivr.dialogue.flows.library import FlowLibrary
from ivr.workshop.compare.diff_company import company_changes
from ivr.workshop.scripts.report import entry_lines
from ivr.workshop.simulate.commands import obey
from ivr.workshop.simulate.mock_services import MockServices, parse_mock
from ivr.workshop.simulate.personal_data import PersonalData, secret_names
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.simulate.simulation import Simulation
from ivr.workshop.tell.explain_company import explain_company
from tests.unit.dialogue.engine.test_secret_facts import COMPANY, FORMS, MAIN, PIN, WORD
from tests.unit.dialogue.talk import HUMAN, ROOT, made
from tests.unit.workshop.conftest import MORNING

MOCK = f"""
mock: practice
answers:
  - {{on: GET /patients, json: {{id: "7", name: Ada, pin: "{PIN}", word: {WORD}}}}}
  - {{on: POST /proofs, body: {{said: "{PIN}", known: "{PIN}"}}, json: {{}}}}
  - {{on: POST /proofs, status: 403}}
  - {{on: POST /notes, body: {{note: "{PIN}"}}, json: {{}}}}
  - {{on: "POST /of/{PIN}", json: {{}}}}
"""


def library(company: str = COMPANY) -> FlowLibrary:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    return made({"main.yaml": MAIN, "company.yaml": company, "human.yaml": HUMAN, **universals}, {})


async def test_a_simulated_call_does_with_it_and_shows_nothing(sandbox: Sandbox) -> None:
    before = sandbox.mocks
    sandbox.mocks = MockServices.of([parse_mock("practice.mock.yaml", MOCK)])
    try:
        call = Simulation(library(), sandbox, MORNING)
        typed = [await obey(call, line) for line in ("/call", "check me", PIN, "tell them", "ask the web", "/facts")]
        more = [await obey(call, line) for line in ("/slots", "/state", "somebody else")]
    finally:
        sandbox.mocks = before
    assert call.performed == ["patient.identify", "patient.prove", "patient.tell", "http.call"]
    assert call.facts["caller.identity"] == "verified", "the service was sent what it knows"
    lines = [line for each in (*typed, *more) for entry in each.entries for line in entry_lines(entry)]
    tables = [each.text for each in (*typed, *more)]
    kept = json.dumps([entry.to_json() for entry in call.entries], ensure_ascii=False)
    assert "•••" in kept and "patient.pin" in " ".join(tables)
    for form in FORMS:
        assert form not in "\n".join((*lines, *tables, kept)).lower()


def test_what_a_real_service_answered_is_recorded_without_it() -> None:
    secret = secret_names(library())
    assert {"pin", "word", "known", "b"} <= secret, "by its place in answers, and by the names it is sent under"
    data = PersonalData(secret, ())
    answer: Mapping[str, object] = {"id": "7", "pin": PIN, "word": WORD}
    data.learn(answer)
    assert data.masked(answer) == {"id": "7", "pin": "12345678", "word": "secret"}
    assert data.path(f"/of/{PIN}") == "/of/12345678"


def test_colleagues_read_that_it_is_secret() -> None:
    flows = library()
    assert flows.company is not None
    (known, *_) = explain_company(flows, flows.company).sections.values()
    assert "patient.pin: digits, secret, brought by patient.identify." in known
    open_now = library(COMPANY.replace("{type: digits, secret: true}\n  patient.word", "digits\n  patient.word"))
    (change,) = company_changes(flows.company, open_now.company)
    assert (change.kind, change.care) == ("secret", True)
