"""The simulator as the console uses it: a supervised process, started when somebody first looks at a flow, shared.

Spoken to over ``workers.frames``; a frame's number is the simulated call. SETUP is the ``Config``, pickled: both ends
are one release. FLOWS: files that calls may begin in, {"version", "sources"}; the newest KEPT are. BEGIN {"version",
"flow", "caller", "language"} and OBEY {"line"} are requests, answered with what ``ivr.web.backend.Trial`` says, or
{"error"}. FORGET ends a simulated call.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ivr.config import Config
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import FlowError, UnavailableError
from ivr.workers.bounded import BoundedWorker, Tell
from ivr.workers.frames import FIRST
from ivr.workers.process import Role, Worker

KEPT = 8  # versions: the live one, and drafts
FLOWS, BEGIN, OBEY, FORGET = range(FIRST, FIRST + 4)
LIMIT_S = 10.0  # of one request; the largest flows that we know begin in one


@dataclass(frozen=True, slots=True)
class Version:
    """Flow files to call; ``name`` is theirs alone."""

    name: str
    sources: Mapping[str, str] = field(repr=False)

    @classmethod
    def of_library(cls, library: FlowLibrary) -> Version:
        return cls(library.version, library.sources)

    @classmethod
    def of(cls, sources: Mapping[str, str]) -> Version:
        """Of files that nobody has put together yet."""
        text = json.dumps(sources, sort_keys=True)
        return cls(f"draft-{hashlib.sha256(text.encode()).hexdigest()[:12]}", sources)


class SimulatorUnavailable(UnavailableError):
    """The simulator process does not answer."""


_ROLE = Role(
    name="simulator",
    title="the simulator",
    module=("ivr.workshop.simulate.process",),
    errors=(SimulatorUnavailable,),
    remedy="it restarts by itself: call again",
    start_s=30.0,
    hung_after_s=15.0,
)


class Simulator:
    """``prepare`` starts the process. Each request is bounded: what never comes to an end ends the process,
    and all have to call again."""

    def __init__(self, config: Config, limit_s: float = LIMIT_S) -> None:
        def late() -> SimulatorUnavailable:
            return SimulatorUnavailable(
                f"the simulated call took longer than {limit_s:g} s", remedy="see what the checker says of these files"
            )

        self._worker = BoundedWorker(_ROLE, limit_s, late, setup=pickle.dumps(config), forgotten=self._forget)
        self._starting: asyncio.Task[Worker] | None = None
        self._told: list[str] = []  # versions that the process knows, the latest last
        self._numbers = itertools.count(1)

    @property
    def pid(self) -> int | None:
        return self._worker.pid

    def prepare(self) -> None:
        """Start the process unless it runs: somebody looks at a flow, and may want to try it in a moment."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._worker.start(), name="simulator-start")
            self._starting.add_done_callback(lambda done: done.cancelled() or done.exception())  # is said to who calls

    async def stop(self) -> None:
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        await self._worker.stop()

    async def trial(self, version: Version, flow: str, caller: str, language: str) -> RemoteTrial:
        """A call that begins in ``flow``."""
        return RemoteTrial(self, next(self._numbers), version, flow, caller, language)

    async def ask(self, kind: int, number: int, version: Version, question: Mapping[str, str]) -> Mapping[str, Any]:
        """What came of it. Raises SimulatorUnavailable, FlowError. Whoever gives up waiting ends nobody's call."""

        def known(tell: Tell) -> None:
            if version.name not in self._told:
                self._told = [*self._told, version.name][-KEPT:]
                tell(FLOWS, 0, json.dumps({"version": version.name, "sources": dict(version.sources)}).encode())

        asking = asyncio.create_task(
            self._worker.ask(kind, number, json.dumps(question).encode(), before=known), name="simulated"
        )
        asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        told: Mapping[str, Any] = json.loads(await asyncio.shield(asking))
        if error := told.get("error"):
            raise FlowError(error)
        return told

    def end(self, number: int) -> None:
        self._worker.tell(FORGET, number)

    def _forget(self) -> None:
        self._told = []


class RemoteTrial:
    """Implements ``ivr.web.backend.Trial``."""

    def __init__(
        self, simulator: Simulator, number: int, version: Version, flow: str, caller: str, language: str
    ) -> None:
        self._simulator, self._number, self._version = simulator, number, version
        self._question = {"version": version.name, "flow": flow, "caller": caller, "language": language}

    async def begin(self) -> Mapping[str, Any]:
        return await self._simulator.ask(BEGIN, self._number, self._version, self._question)

    async def obey(self, line: str) -> Mapping[str, Any]:
        return await self._simulator.ask(OBEY, self._number, self._version, {"line": line})

    def close(self) -> None:
        self._simulator.end(self._number)
