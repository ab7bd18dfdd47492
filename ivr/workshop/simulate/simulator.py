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

import structlog

from ivr.config import Config
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import FlowError, UnavailableError
from ivr.workers.frames import FIRST
from ivr.workers.process import Role, Worker

log = structlog.get_logger(__name__)

KEPT = 8  # versions: the live one, and drafts
FLOWS, BEGIN, OBEY, FORGET = range(FIRST, FIRST + 4)
ANSWER_S = 20.0  # twenty others may have asked before


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
    """Owner of the process (``workers.process.Owner``). ``prepare`` starts it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._worker = Worker(_ROLE, self)
        self._starting: asyncio.Task[str] | None = None
        self._told: list[str] = []  # versions that the process knows, the latest last
        self._numbers = itertools.count(1)

    @property
    def pid(self) -> int | None:
        return self._worker.pid

    def prepare(self) -> None:
        """Start the process unless it runs: somebody looks at a flow, and may want to try it in a moment."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._worker.start(), name="simulator-start")

    async def stop(self) -> None:
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        await self._worker.stop()

    async def trial(self, version: Version, flow: str, caller: str, language: str) -> RemoteTrial:
        """A call that begins in ``flow``. Raises SimulatorUnavailable."""
        self.prepare()
        assert self._starting is not None
        await asyncio.shield(self._starting)
        if not await self._worker.wait_up(_ROLE.start_s):
            raise SimulatorUnavailable("the simulator does not start", remedy="see worker.* in the log")
        if version.name not in self._told:
            self._told = [*self._told, version.name][-KEPT:]
            flows = {"version": version.name, "sources": dict(version.sources)}
            self._worker.send(FLOWS, 0, json.dumps(flows).encode())
        question = {"version": version.name, "flow": flow, "caller": caller, "language": language}
        return RemoteTrial(self._worker, next(self._numbers), question)

    # --- for the worker (Owner) ------------------------------------------------------------------------------

    def setup(self) -> bytes:
        return pickle.dumps(self._config)

    def ready(self, body: bytes) -> bool:
        return True

    def received(self, kind: int, number: int, body: bytes) -> None:
        """It says nothing unasked."""

    def lost(self, reason: str, restart_in_s: float | None) -> None:
        """A new process knows no flows and no calls."""
        self._told = []
        if restart_in_s is not None:
            log.warning("worker.died", role=_ROLE.name, pid=self.pid, reason=reason, restart_in_s=restart_in_s)


class RemoteTrial:
    """Implements ``ivr.web.backend.Trial``."""

    def __init__(self, worker: Worker, number: int, question: Mapping[str, str]) -> None:
        self._worker = worker
        self._number = number
        self._question = question

    async def begin(self) -> Mapping[str, Any]:
        return await self._ask(BEGIN, self._question)

    async def obey(self, line: str) -> Mapping[str, Any]:
        return await self._ask(OBEY, {"line": line})

    def close(self) -> None:
        self._worker.send(FORGET, self._number)

    async def _ask(self, kind: int, question: Mapping[str, str]) -> Mapping[str, Any]:
        answer = await self._worker.request(kind, self._number, json.dumps(question).encode(), timeout_s=ANSWER_S)
        told: Mapping[str, Any] = json.loads(answer)
        if error := told.get("error"):
            raise FlowError(error)
        return told
