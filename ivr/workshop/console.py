"""The console's back end for flows: pictures of what is live, and simulated calls, away from the loop of real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ivr.company import company_of
from ivr.config import Config
from ivr.errors import FlowError
from ivr.events import CALLER_ID
from ivr.record import Entered
from ivr.release.live import LiveFlows, aside
from ivr.release.releases import Releases
from ivr.release.serving import ServingVersions
from ivr.web.backend import FlowSummary
from ivr.workshop.folder import Folder
from ivr.workshop.picture.svg import render_svg
from ivr.workshop.scripts.report import entry_lines
from ivr.workshop.simulate.commands import obey
from ivr.workshop.simulate.driver import USUAL
from ivr.workshop.simulate.harness import entry_of
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.simulate.simulation import Simulation

SHOWN = frozenset({"caller", "prompt", "heard", "action", "handoff", "error", "end", "resume"})
MOST_PICTURES = 40


class ConsoleWorkshop:
    """Implements ``ivr.web.backend.Flows``."""

    def __init__(self, config: Config, serving: ServingVersions, live: LiveFlows, releases: Releases) -> None:
        self._config = config
        self._serving = serving
        self._live = live
        self._releases = releases
        self._pictures: dict[tuple[str, str], str] = {}

    def summaries(self) -> Sequence[FlowSummary]:
        library, entry = self._serving.live, self._config.flows.entry
        names = sorted(library.flows, key=lambda name: (name != entry, name))
        return [
            FlowSummary(name, " ".join(flow.about.split()), library.versions[name], len(flow.states))
            for name in names
            if (flow := library.flows[name])
        ]

    def languages(self) -> Sequence[str]:
        return self._serving.live.languages

    def status(self) -> Mapping[str, Any]:
        return self._live.status()

    def findings(self) -> Sequence[Mapping[str, Any]]:
        rejected = self._serving.rejected
        return [f.as_json() for f in rejected.findings] if rejected else []

    def rejected_at(self) -> str:
        rejected = self._serving.rejected
        return rejected.at.isoformat() if rejected and rejected.at else ""

    async def picture(self, flow: str) -> str:
        library = self._serving.live
        key = (library.version, flow)
        if key not in self._pictures:
            drawn = await aside(render_svg, library, flow)
            while len(self._pictures) >= MOST_PICTURES:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[key] = drawn
        return self._pictures[key]

    async def history(self, limit: int) -> Sequence[Mapping[str, Any]]:
        return [{**asdict(step), "at": step.at.isoformat()} for step in await self._releases.history(limit=limit)]

    async def roll_back(self, by: str, version: str) -> str:
        return await self._live.roll_back(by, version)

    async def trial(self, flow: str, caller: str, language: str) -> ConsoleTrial:
        library, flows = self._serving.live, self._config.flows
        if flow not in library.flows:
            raise FlowError(f"there is no flow {flow}", remedy=f"one of: {', '.join(library.flows)}")
        folder = Folder(Path(flows.directory), library.sources, company_of(self._config))
        tried, entry = await aside(entry_of, folder, flow)
        sandbox = Sandbox(self._config)
        now = datetime.now(sandbox.zone)
        await sandbox.reset(now)
        start = replace(USUAL, caller=caller, entry=entry, language=language, persona=flows.persona)
        return ConsoleTrial(Simulation(tried, sandbox, now, start), sandbox)


class ConsoleTrial:
    """Implements ``ivr.web.backend.Trial``: every turn in a thread, for the loop has calls to serve."""

    def __init__(self, simulation: Simulation, sandbox: Sandbox) -> None:
        self._simulation = simulation
        self._sandbox = sandbox

    async def begin(self) -> Mapping[str, Any]:
        return await self.obey("/call")

    async def obey(self, line: str) -> Mapping[str, Any]:
        return await aside(asyncio.run, self._obey(line))

    async def _obey(self, line: str) -> Mapping[str, Any]:
        simulation = self._simulation
        typed = await obey(simulation, line)
        caller_id = str(simulation.facts.get(CALLER_ID) or "")
        held = await self._sandbox.records(caller_id) if caller_id and not self._sandbox.down else None
        return {
            "entries": [
                {"kind": e.kind, "state": e.state, "text": " ".join(_words(line) for line in entry_lines(e))}
                for e in typed.entries
                if e.kind in SHOWN
            ],
            "text": typed.text,
            "states": [e.what.state for e in typed.entries if isinstance(e.what, Entered)],
            "state": simulation.state,
            "slots": {name: simulation.label(name, value) for name, value in simulation.slots.items()},
            "records": held or {},
            "result": simulation.result,
            "over": simulation.over,
        }


def _words(line: str) -> str:
    """A line of the terminal's without the column that says who speaks."""
    return line[9:] if len(line) > 9 else line.strip()
