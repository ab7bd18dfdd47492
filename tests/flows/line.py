"""The reference flows as tests call them: the workshop's simulation, step by step, with the scripts' own steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ivr.dialogue.engine.contract import Connect, DialogueEvent
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.record import Entered
from ivr.workshop.scripts.model import Call, End, Step, Suite
from ivr.workshop.scripts.runner import perform, start_of, unended, unexpected
from ivr.workshop.simulate.sandbox import TIME_ZONE, Sandbox
from ivr.workshop.simulate.simulation import Simulation
from tests.flows.reference import library


class Line:
    """One caller's calls."""

    def __init__(self, simulation: Simulation, sandbox: Sandbox) -> None:
        self.simulation = simulation
        self._sandbox = sandbox

    @property
    def dialogue(self) -> Dialogue:
        return self.simulation.dialogue

    @property
    def connected(self) -> Connect | None:
        return self.simulation.connected

    @property
    def ended(self) -> str:
        return self.simulation.outcome

    @property
    def said(self) -> Sequence[str]:
        return self.simulation.said

    @property
    def visited(self) -> Sequence[str]:
        return [e.what.state for e in self.simulation.entries if isinstance(e.what, Entered)]

    async def feed(self, *events: DialogueEvent) -> None:
        self.simulation.said.clear()
        for event in events:
            await self.simulation.feed(event)

    async def step(self, step: Mapping[str, Any]) -> None:
        wanted = Step.model_validate(step, by_alias=True)
        if wanted.expect is not None:
            assert list(unexpected(self.simulation, wanted.expect)) == []
        else:
            await perform(self.simulation, wanted)

    async def finish(self, end: Mapping[str, Any]) -> None:
        wrong = [found async for found in unended(self._sandbox, self.simulation, End.model_validate(end))]
        assert wrong == [], self.simulation.said


async def called(
    sandbox: Sandbox, script: Mapping[str, Any], at: datetime, answers: Mapping[str, str] | None = None
) -> Line:
    """A call of the script given, begun on fresh data."""
    call = Call.model_validate({"name": "a test", "steps": [], **script}, by_alias=True)
    suite = Suite.model_validate({"tests": "main", "at": at.isoformat(), "calls": []}, by_alias=True)
    await sandbox.reset(at)
    simulation = Simulation(library(), sandbox, at, start_of(suite, call))
    for action, outcome in (answers or {}).items():
        simulation.answer(action, outcome)
    line = Line(simulation, sandbox)
    await simulation.begin()
    return line


def moment(text: object) -> datetime:
    """The scripts' local time as an aware one."""
    at = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    return at.replace(tzinfo=ZoneInfo(TIME_ZONE))
