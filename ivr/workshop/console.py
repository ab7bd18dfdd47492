"""The workshop behind the web console: pictures of what is live, and simulated calls, away from the loop that serves
real ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from ivr.company import company_of
from ivr.config import Config
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import FlowError
from ivr.events import CALLER_ID
from ivr.record import Entered, Entry
from ivr.release.live import LiveFlows, aside
from ivr.release.releases import Releases
from ivr.release.serving import ServingVersions
from ivr.web.backend import FlowSummary
from ivr.workshop.folder import Folder
from ivr.workshop.picture.svg import render_svg
from ivr.workshop.scripts.verdict import entry_lines
from ivr.workshop.simulate.alone import entry_of
from ivr.workshop.simulate.commands import obey
from ivr.workshop.simulate.room import ScratchRoom
from ivr.workshop.simulate.simulation import Setting, Simulation

T = TypeVar("T")

SHOWN = frozenset({"caller", "prompt", "heard", "action", "handoff", "error", "end", "resume"})
MOST_PICTURES = 40


class Annex:
    """A loop in a thread of its own: a simulated call's database works in that thread, and nobody waits for it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulations", daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()


class ConsoleWorkshop:
    """Implements ``ivr.web.backend.Flows``."""

    def __init__(self, config: Config, shelf: ServingVersions, live: LiveFlows, releases: Releases) -> None:
        self._config = config
        self._shelf = shelf
        self._live = live
        self._releases = releases
        self._annex: Annex | None = None
        self._pictures: dict[tuple[str, str], str] = {}

    def summaries(self) -> Sequence[FlowSummary]:
        library, entry = self._shelf.live, self._config.flows.entry
        names = sorted(library.flows, key=lambda name: (name != entry, name))
        return [
            FlowSummary(name, " ".join(flow.about.split()), library.versions[name], len(flow.states))
            for name in names
            if (flow := library.flows[name])
        ]

    def languages(self) -> Sequence[str]:
        return self._shelf.live.languages

    def status(self) -> Mapping[str, Any]:
        return self._live.status()

    def findings(self) -> Sequence[Mapping[str, Any]]:
        rejected = self._shelf.rejected
        return [f.as_json() for f in rejected.findings] if rejected else []

    def rejected_at(self) -> str:
        rejected = self._shelf.rejected
        return rejected.at.isoformat() if rejected and rejected.at else ""

    async def picture(self, flow: str) -> str:
        library = self._shelf.live
        key = (library.version, flow)
        if key not in self._pictures:
            drawn = await aside(render_svg, library, flow)
            while len(self._pictures) >= MOST_PICTURES:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[key] = drawn
        return self._pictures[key]

    async def history(self, limit: int) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "at": step.at.isoformat(),
                "kind": step.kind,
                "version": step.version,
                "previous": step.previous,
                "by": step.by,
                "changed": list(step.changed),
            }
            for step in await self._releases.history(limit=limit)
        ]

    async def roll_back(self, by: str, version: str) -> str:
        return await self._live.roll_back(by, version)

    async def trial(self, flow: str, caller: str, language: str) -> ConsoleTrial:
        self._annex = self._annex or Annex()
        library = self._shelf.live
        if flow not in library.flows:
            raise FlowError(f"there is no flow {flow}", remedy=f"one of: {', '.join(library.flows)}")
        return await self._annex.run(_trial(self._annex, library, self._config, flow, caller, language))

    async def close(self) -> None:
        if self._annex is not None:
            self._annex.close()


async def _trial(
    annex: Annex, library: FlowLibrary, config: Config, flow: str, caller: str, language: str
) -> ConsoleTrial:
    tried, entry = entry_of(Folder(Path(config.flows.directory), library.sources, company_of(config)), flow)
    room = ScratchRoom(config)
    now = datetime.now(room.zone)
    await room.reset(now)
    setting = Setting(at=now, caller=caller, entry=entry, language=language, persona=config.flows.persona)
    return ConsoleTrial(annex, Simulation(tried, room, setting), room)


class ConsoleTrial:
    """Implements ``ivr.web.backend.Trial``."""

    def __init__(self, annex: Annex, simulation: Simulation, room: ScratchRoom) -> None:
        self._annex = annex
        self._simulation = simulation
        self._room = room

    async def begin(self) -> Mapping[str, Any]:
        return await self._annex.run(self._begin())

    async def _begin(self) -> Mapping[str, Any]:
        return await self._told(await self._simulation.begin(), "")

    async def obey(self, line: str) -> Mapping[str, Any]:
        return await self._annex.run(self._obey(line))

    async def _obey(self, line: str) -> Mapping[str, Any]:
        typed = await obey(self._simulation, line)
        return await self._told(typed.entries, typed.text)

    async def _told(self, entries: Sequence[Entry], text: str) -> Mapping[str, Any]:
        simulation = self._simulation
        caller_id = str(simulation.facts.get(CALLER_ID) or "")
        held = await self._room.records(caller_id) if caller_id and not self._room.down else None
        return {
            "entries": [
                {"kind": e.kind, "state": e.state, "text": " ".join(_words(line) for line in entry_lines(e))}
                for e in entries
                if e.kind in SHOWN
            ],
            "text": text,
            "states": [e.what.state for e in entries if isinstance(e.what, Entered)],
            "state": simulation.state,
            "slots": {name: simulation.label(name, value) for name, value in simulation.slots.items()},
            "records": held or {},
            "result": simulation.result,
            "over": simulation.over,
        }

    async def close(self) -> None:
        await self._annex.run(self._room.close())


def _words(line: str) -> str:
    """A line of the terminal's without the column that says who speaks."""
    return line[9:] if len(line) > 9 else line.strip()
