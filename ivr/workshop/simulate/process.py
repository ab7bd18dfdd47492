"""The simulator process, ``python -m ivr.workshop.simulate.process FD``: simulated calls, away from the real ones.

It answers what ``simulator`` asks. A version is compiled once a flow, whoever simulates how often.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from ivr.actions.http import NAME as HTTP
from ivr.company import company_of
from ivr.config import Config
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import FlowError, IvrError
from ivr.events import CALLER_ID
from ivr.record import Entered, Performed
from ivr.workers.bounded import MOST_MEMORY, limit_memory
from ivr.workers.frames import Life, asked, inherited
from ivr.workers.link import Link, serve
from ivr.workshop.folder import Folder, mocks_of
from ivr.workshop.scripts.report import entry_lines
from ivr.workshop.simulate.commands import obey
from ivr.workshop.simulate.driver import USUAL
from ivr.workshop.simulate.harness import entry_of
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.simulate.simulation import Simulation
from ivr.workshop.simulate.simulator import BEGIN, FLOWS, FORGET, KEPT

log = structlog.get_logger(__name__)

SHOWN = frozenset({"caller", "prompt", "heard", "action", "handoff", "error", "end", "resume"})
NICENESS = 5  # callers go first


class SimulatedCalls:
    """``workers.link.Work``: everything in one thread, in order, so that the loop answers pings meanwhile."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._thread = ThreadPoolExecutor(1)
        self._config = Config()
        self._sources: dict[str, Mapping[str, str]] = {}  # by version
        self._compiled: dict[tuple[str, str], tuple[FlowLibrary, str]] = {}  # by version and flow
        self._calls: dict[int, tuple[Simulation, Sandbox]] = {}

    def received(self, kind: int, number: int, body: bytes) -> None:
        if kind == Life.SETUP:
            self._config = pickle.loads(body)  # noqa: S301 - from the process that started this one
            self._link.send(Life.READY)
        elif kind == FLOWS:
            self._thread.submit(self._take, json.loads(body))
        elif kind == FORGET:
            self._thread.submit(self._calls.pop, number, None)
        else:
            asking, question = asked(body)
            self._link.answer(asking, self._thread.submit(self._answer, kind, number, json.loads(question)))

    async def run(self) -> None:
        await asyncio.Event().wait()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    # --- in the thread ---------------------------------------------------------------------------------------

    def _take(self, flows: Mapping[str, Any]) -> None:
        self._sources[flows["version"]] = flows["sources"]
        while len(self._sources) > KEPT:
            self._sources.pop(next(iter(self._sources)))
        self._compiled = {key: each for key, each in self._compiled.items() if key[0] in self._sources}

    def _answer(self, kind: int, number: int, question: Mapping[str, str]) -> bytes:
        try:
            told = asyncio.run(self._begin(number, **question) if kind == BEGIN else self._obey(number, **question))
        except IvrError as error:
            told = {"error": str(error)}
        except MemoryError:
            log.error("simulation.memory", flow_version=question.get("version", ""))
            told = {"error": f"the simulated call took more than {MOST_MEMORY >> 20:,} MB of memory"}
        except Exception:  # a simulated call must not end the others
            log.exception("simulation.failed", flow_version=question.get("version", ""))
            told = {"error": "the simulation failed; the log says why"}
        return json.dumps(told, default=str).encode()

    async def _begin(self, number: int, version: str, flow: str, caller: str, language: str) -> Mapping[str, Any]:
        key = version, flow
        if key not in self._compiled:
            flows = self._config.flows
            folder = Folder(Path(flows.directory), self._sources[version], company_of(self._config))
            self._compiled[key] = entry_of(folder, flow)
            log.info("simulation.compiled", flow=flow, flow_version=version)
        library, entry = self._compiled[key]
        sandbox = Sandbox(self._config)
        sandbox.mocks = mocks_of(Path(self._config.flows.directory))
        now = datetime.now(sandbox.zone)
        await sandbox.reset(now)
        start = replace(USUAL, caller=caller, entry=entry, language=language, persona=self._config.flows.persona)
        self._calls[number] = Simulation(library, sandbox, now, start), sandbox
        return await self._obey(number, "/call")

    async def _obey(self, number: int, line: str) -> Mapping[str, Any]:
        if number not in self._calls:
            raise FlowError("this simulated call is lost", remedy="call again")
        simulation, sandbox = self._calls[number]
        library = simulation.library
        typed = await obey(simulation, line)
        caller_id = str(simulation.facts.get(CALLER_ID) or "")
        held = await sandbox.records(caller_id) if caller_id and not sandbox.down else None
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
            "facts": {name: str(value) for name, value in simulation.facts.items() if value not in (None, "")},
            "records": held or {},
            "requests": [_request(e.what, library) for e in typed.entries if isinstance(e.what, Performed)],
            "result": simulation.result,
            "over": simulation.over,
        }


def _request(done: Performed, library: FlowLibrary) -> Mapping[str, Any]:
    """What was asked of whom; ``service`` is "" for what the line does itself."""
    known = library.company.actions.get(done.action) if library.company is not None else None
    asked = dict(done.arguments)
    service = known.service if known is not None else str(asked.get("service", "")) if done.action == HTTP else ""
    path = known.path if known is not None else str(asked.get("path", "")) if service else ""
    method = known.method if known is not None else str(asked.get("method", "POST")) if service else ""
    return {
        "action": done.action,
        "service": service,
        "request": f"{method} {path}".strip(),
        "outcome": done.outcome,
        "error": done.error,
        "arguments": asked,
        "values": dict(done.values),
    }


def _words(line: str) -> str:
    """A line of the terminal's without the column that says who speaks."""
    return line[9:] if len(line) > 9 else line.strip()


def main() -> None:
    os.nice(NICENESS)
    limit_memory()
    asyncio.run(serve(inherited(), SimulatedCalls))


if __name__ == "__main__":
    main()
