"""Every call in flows/*.test.yaml, as ``ivr flow test`` runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest
import yaml

from ivr.reference import COMPANY
from ivr.workshop.scripts.coverage import Observation
from ivr.workshop.scripts.model import against, read_script, script_files
from ivr.workshop.scripts.report import failure_lines
from ivr.workshop.scripts.runner import Runner
from ivr.workshop.simulate.sandbox import Sandbox
from tests.flows.line import moment
from tests.flows.reference import FLOWS, library

FILES = [read_script(path) for path in script_files([FLOWS])]


def scripts() -> Iterator[tuple[str, datetime, Mapping[str, Any]]]:
    for file in sorted(FLOWS.glob("*.test.yaml")):
        suite = yaml.safe_load(file.read_text())
        for call in suite["calls"]:
            yield f"{suite['tests']}: {call['name']}", moment(call.get("at", suite["at"])), call


SCRIPTS = list(scripts())


def test_the_scripts_name_only_what_there_is() -> None:
    assert [finding.render() for file in FILES for finding in against(file, library(), COMPANY)] == []


@pytest.mark.parametrize("name", [name for name, _, _ in SCRIPTS])
async def test_call(name: str, sandbox: Sandbox) -> None:
    report = await Runner(library(), sandbox).run(FILES, only=name)
    own = [result for result in report.results if f"{result.suite}: {result.name}" == name]
    assert len(own) == 1
    assert own[0].failure is None, "\n".join(failure_lines(own[0], own[0].failure))


async def test_they_visit_every_state_that_callers_can_bring_about(sandbox: Sandbox) -> None:
    observation = Observation(library(), sandbox.classifiers)
    with observation.watching():
        report = await Runner(library(), sandbox).run(FILES)
    assert report.passed
    coverage = observation.coverage()
    # what only another database brings about is tried in test_reference_flows.py
    supervisors = {"human.announcement", "human.closed_reason"}  # what they say: test_supervisors_words
    assert set(coverage.unvisited) <= {"discs.not_out", *supervisors}
    assert coverage.state_share >= 0.98
    assert coverage.edge_share >= 0.70


def test_every_flow_has_scripts() -> None:
    suites = {file.name.removesuffix(".test.yaml") for file in FLOWS.glob("*.test.yaml")}
    assert suites == set(library().flows)


def test_names_tell_calls_apart() -> None:
    names = [name for name, _, _ in SCRIPTS]
    assert len(names) == len(set(names)) > 90
