"""The harness of a sub-flow: who calls is found out first, by the company file's action where it has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.config import Config
from ivr.workshop.folder import folders
from ivr.workshop.simulate.harness import TRIAL, entry_of
from tests.unit.dialogue.checker.test_identity_reached import HUMAN, UNIVERSALS

MAIN = "flow: main\nstart: sub\nstates:\n  sub: {call: sub, on: {done: bye}}\n  bye: {prompt: Bye., end: resolved}\n"
SUB = "flow: sub\nstart: say\nstates:\n  say: {prompt: Hello., goto: done}\n  done: {return: done}\n"
COMPANY = """
company: A dentist
actions:
  patient.by_number:
    {service: practice, method: GET, path: "/patients/{number}", parameters: {number: digits}, facts: {caller.id: /id}}
  patient.identify:
    {service: practice, method: GET, path: /patients, outcomes: {unknown: 404}, facts: {caller.id: /id}, gives: likely}
"""


@pytest.mark.parametrize("company", [COMPANY, ""])
def test_the_company_files_action_is_performed_first(company: str, tmp_path: Path) -> None:
    files = {"main": MAIN, "sub": SUB, "human": HUMAN, "universals": UNIVERSALS, "company": company}
    for name, text in files.items():
        if text:
            (tmp_path / f"{name}.yaml").write_text(text)
    config = Config.model_validate({"company": {"package": ""}})
    library, entry = entry_of(folders([tmp_path], config)[0], "sub")
    assert entry == TRIAL
    flow = library.flows[TRIAL]
    if company:
        assert flow.states[flow.start].action == "patient.identify", "what wants a number can't be asked at once"
        assert {"ok", "unknown", "failed", "timeout"} <= flow.states[flow.start].on.keys()
    else:
        assert flow.start == "try"
