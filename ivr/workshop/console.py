"""The console's back end for flows: pictures of what is live, and simulated calls, away from the loop of real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ivr.config import Config
from ivr.errors import FlowError
from ivr.release.live import LiveFlows, aside
from ivr.release.releases import Releases
from ivr.release.serving import ServingVersions
from ivr.web.backend import FlowSummary, Trial
from ivr.workshop.picture.svg import render_svg
from ivr.workshop.simulate.simulator import Simulator
from ivr.workshop.tell.explain_company import explain_company

MOST_PICTURES = 40


class ConsoleWorkshop:
    """Implements ``ivr.web.backend.Flows``."""

    def __init__(self, config: Config, serving: ServingVersions, live: LiveFlows, releases: Releases) -> None:
        self._config = config
        self._serving = serving
        self._live = live
        self._releases = releases
        self.simulator = Simulator(config)
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

    def company(self) -> tuple[str, Mapping[str, Sequence[str]]] | None:
        library = self._serving.live
        if library.company is None:
            return None
        told = explain_company(library, library.company)
        return told.title, {heading: lines for heading, lines in told.sections.items() if lines}

    def status(self) -> Mapping[str, Any]:
        return self._live.status()

    def findings(self) -> Sequence[Mapping[str, Any]]:
        rejected = self._serving.rejected
        return [f.as_json() for f in rejected.findings] if rejected else []

    def rejected_at(self) -> str:
        rejected = self._serving.rejected
        return rejected.at.isoformat() if rejected and rejected.at else ""

    async def picture(self, flow: str) -> str:
        self.simulator.prepare()
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

    async def trial(self, flow: str, caller: str, language: str) -> Trial:
        library = self._serving.live
        if flow not in library.flows:
            raise FlowError(f"there is no flow {flow}", remedy=f"one of: {', '.join(library.flows)}")
        return await self.simulator.trial(library, flow, caller, language)

    async def stop(self) -> None:
        """End the simulator process. Idempotent."""
        await self.simulator.stop()
