"""The console's back end for flows: pictures of what is live, and simulated calls, away from the loop of real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from ivr.company import company_of
from ivr.config import Config
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.signature import ActionSignature
from ivr.ports import Passages, PassedStates
from ivr.release.checker import Checker
from ivr.release.live import LiveFlows, aside
from ivr.release.releases import Releases
from ivr.release.serving import ServingVersions
from ivr.web.backend import FlowSummary, Trial
from ivr.workshop.picture.model import picture_model, shown_in
from ivr.workshop.picture.traffic import count, traffic_of
from ivr.workshop.simulate.driver import PARTS
from ivr.workshop.simulate.mock_services import services_of
from ivr.workshop.simulate.simulator import Simulator, Version
from ivr.workshop.tell.explain_company import explain_company

MOST_PICTURES = 40
MOST_CALLS = 2000  # of which the traffic is counted


class ConsoleWorkshop:
    """Implements ``ivr.web.backend.Flows``."""

    def __init__(
        self,
        config: Config,
        serving: ServingVersions,
        live: LiveFlows,
        releases: Releases,
        checker: Checker,
        calls: PassedStates | None = None,
    ) -> None:
        self._config = config
        self._serving = serving
        self._live = live
        self._releases = releases
        self._checker = checker
        self.simulator = Simulator(config)
        self._calls = calls
        self._company = company_of(config)
        self._pictures: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._findings: tuple[str, tuple[Finding, ...]] = ("", ())  # of a version

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

    async def picture(self, flow: str, sources: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        self.simulator.prepare()
        if sources is not None:
            findings = await self._live.checked(sources)
            return await self._checker.run(_drawn, dict(sources), flow, self._company.all_signatures, findings)
        library = shown_in(self._serving.live, flow)
        key = (library.version, flow)
        if key not in self._pictures:
            if self._findings[0] != library.version:
                self._findings = (library.version, await self._live.checked(library.sources))
            drawn = await aside(picture_model, library, flow, self._findings[1])
            while len(self._pictures) >= MOST_PICTURES:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[key] = drawn
        return self._pictures[key]

    def newest(self) -> Mapping[str, str]:
        return self._live.newest

    async def traffic(self, flow: str, days: int) -> Mapping[str, Any]:
        library = shown_in(self._serving.live, flow)
        passed = Passages((), frozenset())
        if self._calls is not None:
            passed = await self._calls.passages(datetime.now(UTC) - timedelta(days=days), MOST_CALLS)
        return await aside(lambda: traffic_of(count(passed.visits, passed.abandoned), library, flow))

    async def bench(self, flow: str, sources: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        if sources is not None:
            return await self._checker.run(_bench_of, dict(sources), flow, self._company.all_signatures)
        return _bench(self._serving.live, flow)

    async def history(self, limit: int) -> Sequence[Mapping[str, Any]]:
        return [{**asdict(step), "at": step.at.isoformat()} for step in await self._releases.history(limit=limit)]

    async def roll_back(self, by: str, version: str, why: str = "") -> str:
        return await self._live.roll_back(by, version, why)

    async def trial(self, flow: str, caller: str, language: str, sources: Mapping[str, str] | None = None) -> Trial:
        version = Version.of(sources) if sources is not None else Version.of_library(shown_in(self._serving.live, flow))
        return await self.simulator.trial(version, flow, caller, language)

    async def stop(self) -> None:
        """End the simulator process. Idempotent."""
        await self.simulator.stop()


def _shown(sources: Mapping[str, str], flow: str, signatures: Mapping[str, ActionSignature]) -> FlowLibrary:
    """As far as the files can be understood."""
    loaded = load_library(sources, signatures)
    return shown_in(loaded.library or loaded.draft, flow)


def _drawn(
    sources: Mapping[str, str], flow: str, signatures: Mapping[str, ActionSignature], findings: Sequence[Finding]
) -> Mapping[str, Any]:
    """In the checker's process. What stands in the way is marked."""
    return picture_model(_shown(sources, flow, signatures), flow, findings)


def _bench_of(sources: Mapping[str, str], flow: str, signatures: Mapping[str, ActionSignature]) -> Mapping[str, Any]:
    """In the checker's process."""
    return _bench(_shown(sources, flow, signatures), flow)


def _bench(library: FlowLibrary, flow: str) -> Mapping[str, Any]:
    return {
        "flow": shown_in(library, flow).flows[flow].flow,
        "languages": list(library.languages),
        "parts": list(PARTS),
        "services": sorted(services_of(library)),
    }
