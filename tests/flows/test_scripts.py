"""Every call in flows/*.test.yaml, on the real engine, actions and store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest
import yaml

from tests.flows.conftest import Begin
from tests.flows.line import moment
from tests.flows.reference import FLOWS, library


def scripts() -> Iterator[tuple[str, datetime, Mapping[str, Any]]]:
    for file in sorted(FLOWS.glob("*.test.yaml")):
        suite = yaml.safe_load(file.read_text())
        for call in suite["calls"]:
            yield f"{suite['tests']}: {call['name']}", moment(call.get("at", suite["at"])), call


SCRIPTS = list(scripts())


@pytest.mark.parametrize(("at", "call"), [pytest.param(at, call, id=name) for name, at, call in SCRIPTS])
async def test_call(at: datetime, call: Mapping[str, Any], begin: Begin) -> None:
    line = await begin(call, at)
    for step in call["steps"]:
        await line.step(step)
    await line.finish(call.get("end", {}))


def test_every_flow_has_scripts() -> None:
    suites = {file.name.removesuffix(".test.yaml") for file in FLOWS.glob("*.test.yaml")}
    assert suites == set(library().flows)


def test_names_tell_calls_apart() -> None:
    names = [name for name, _, _ in SCRIPTS]
    assert len(names) == len(set(names)) > 90
