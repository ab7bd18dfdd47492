"""What the doctor says of who can take calls."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from ivr.cli.skill_coverage import skill_coverage
from ivr.config import Agent, Config, DeskConfig, Hours, LineConfig, Relaxation
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import read_directory
from ivr.reference import COMPANY

FLOWS = Path(__file__).parents[3] / "flows"
OPEN = Hours(mon="09:00-17:00")


@pytest.fixture(scope="module")
def library() -> FlowLibrary:
    loaded = load_library(read_directory(FLOWS), COMPANY.all_signatures)
    assert loaded.library is not None, [finding.render() for finding in loaded.findings]
    return loaded.library


def agent(name: str, *skills: str, on_call: bool = False) -> Agent:
    return Agent(name=name, target=f"sip:{name}@127.0.0.1", skills=skills, on_call=on_call)


def told(library: FlowLibrary, desk: DeskConfig, accounts: Collection[str] = ()) -> dict[str, str]:
    found = skill_coverage(Config(desk=desk), library, accounts)
    return {each.subject: f"{each.state}: {each.detail}" for each in found}


def test_every_skill_of_the_flows_is_looked_at(library: FlowLibrary) -> None:
    desk = DeskConfig(hours=OPEN, agents=(agent("front", "general"),))
    assert {f"skill {skill}" for skill in ("general", "discs", "retention")} <= set(told(library, desk))


def test_phones_and_accounts_that_can_take_them(library: FlowLibrary) -> None:
    desk = DeskConfig(hours=OPEN, agents=(agent("front", "general", "discs"), agent("rita", "retention")))
    found = told(library, desk, ["rita", "ann"])
    assert found["skill general"] == "ok: front, ann (console)"
    assert found["skill discs"] == "ok: front"
    assert found["skill retention"] == "ok: rita (console)"


def test_a_skill_that_nobody_has(library: FlowLibrary) -> None:
    desk = DeskConfig(hours=OPEN, agents=(agent("front", "general"),))
    assert told(library, desk)["skill discs"] == "note: nobody has it: generalists take its callers"
    relaxing = desk.model_copy(update={"line": LineConfig(relax=(Relaxation(skill="discs"),))})
    assert "180 s for nobody, then general" in told(library, relaxing)["skill discs"]
    specialist = DeskConfig(hours=OPEN, agents=(agent("rita", "retention"),))
    assert told(library, specialist)["skill general"] == "note: nobody has it: whoever there is takes its callers"


def test_nobody_ever_can(library: FlowLibrary) -> None:
    nobody = told(library, DeskConfig())
    assert nobody == {"the line": "bad: nobody has a phone or an account: nobody can ever take a call"}
    closed = DeskConfig(hours=Hours(), agents=(agent("front", "general"),))
    assert told(library, closed)["the line"].startswith("bad: the office never opens")
    assert "the line" not in told(library, closed, ["ann"]), "a console has no hours"
    night = closed.model_copy(update={"agents": (agent("front", "general", on_call=True),)})
    assert told(library, night)["skill general"] == "ok: front"
