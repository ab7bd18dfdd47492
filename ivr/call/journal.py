"""The journal: what happens on a call goes to the store, behind the call, and to the log and the live view.

A slow or dead database never holds up a caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from ivr.call.registry import CallRegistry
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import IvrError
from ivr.events import CALLER_ID
from ivr.ports import CallRecords, Clock, ResumePoints
from ivr.record import Entered, Entry, Failed, Happening, Keyed, Understood, attributes

log = structlog.get_logger(__name__)

WRITE_TIMEOUT_S = 2.0
BACKLOG = 1000
RESUME_WITHIN = timedelta(minutes=30)
STORE_TIMEOUT_S = 2.0


class Journal:
    """Ordered, bounded, best-effort. ``lost`` counts entries that the store did not take."""

    def __init__(self, records: CallRecords, call_id: str) -> None:
        self._records = records
        self._call_id = call_id
        self._queue: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue(BACKLOG)
        self._entries: list[Entry] = []  # appended since the writer last looked: one transaction for all
        self._task: asyncio.Task[None] | None = None
        self.lost = 0

    def begin(self, caller: str, called: str, at: datetime, extra: Mapping[str, Any]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._write(), name=f"journal {self._call_id}")
        self._put(lambda: self._records.begin(self._call_id, caller, called, at, extra))

    def append(self, entry: Entry) -> None:
        if len(self._entries) >= BACKLOG:
            self.lost += 1
            return
        self._entries.append(entry)
        if len(self._entries) == 1:
            self._put(self._append_gathered)

    async def _append_gathered(self) -> None:
        entries, self._entries = self._entries, []
        try:
            await self._records.append_all(self._call_id, entries)
        except BaseException:
            self.lost += len(entries) - 1  # the writer counts one
            raise

    def update(self, **changes: Any) -> None:
        self._put(lambda: self._records.update(self._call_id, **changes))

    def keep_resume_point(self, dialogue: Dialogue, at: datetime) -> None:
        """The call drops now: where it stopped is kept, if worth it, for callers who are known."""
        snapshot, caller_id = dialogue.snapshot(), dialogue.facts.get(CALLER_ID)
        if snapshot is not None and caller_id:
            self._put(lambda: self._records.save_resume_point(str(caller_id), snapshot, at))

    async def finish(self, outcome: str, at: datetime, canonical: Mapping[str, Any]) -> None:
        """Write the rest, then the end of the call. Returns once written, or given up."""
        self._put(lambda: self._records.finish(self._call_id, outcome, at, canonical))
        self._put(None)
        if self._task is not None:
            await self._task

    def _give_up(self, write: Callable[[], Awaitable[None]]) -> None:
        if write == self._append_gathered:
            self.lost += len(self._entries)
            self._entries = []
        else:
            self.lost += 1

    def _put(self, write: Callable[[], Awaitable[None]] | None) -> None:
        try:
            self._queue.put_nowait(write)
        except asyncio.QueueFull:
            self.lost += 1
            if write is None and self._task is not None:
                self._task.cancel()

    async def _write(self) -> None:
        failing = False
        while (write := await self._queue.get()) is not None:
            if failing and not self._queue.empty():
                self._give_up(write)  # the store is down: don't wait two seconds for each of a hundred writes
                continue
            try:
                async with asyncio.timeout(WRITE_TIMEOUT_S):
                    await write()
                failing = False
            except (IvrError, TimeoutError, OSError) as error:
                self.lost += 1
                if not failing:
                    log.warning("journal.failed", error=str(error) or "timeout")
                failing = True


@dataclass(slots=True)
class Counts:
    """What the canonical line counts. ``turns``: what the caller said or keyed; ``acted``: there was any of it."""

    turns: int = 0
    barge_ins: int = 0
    acted: bool = False


class Recorder:
    """What happens on one call, told to its journal, the log and the live view; and counted, here only.

    ``fields`` identify the call on every log line, with the flow and the state that it is in now."""

    def __init__(self, call_id: str, leg_id: str, journal: Journal, registry: CallRegistry, clock: Clock) -> None:
        self.fields: dict[str, Any] = {"call_id": call_id, "leg": leg_id, "flow": "", "flow_version": "", "state": ""}
        self.counts = Counts()
        self._keying = False
        self._journal = journal
        self._registry = registry
        self._clock = clock

    @property
    def state(self) -> str:
        """ "flow.state"; "" before the first."""
        return str(self.fields["state"])

    def opened(self, dialogue: Dialogue) -> None:
        """It is known now which flow serves the call."""
        start, version = dialogue.start, dialogue.flow_version
        self.fields.update(flow=start.entry, flow_version=version)
        self._journal.update(flow=start.entry, flow_version=version, language=start.language, persona=start.persona)

    def record(self, what: Happening) -> None:
        match what:
            case Entered(state=state):
                self.fields.update(state=state, flow=state.partition(".")[0])
            case Understood():
                self.counts.turns += 1
                self.counts.acted = True
            case Keyed():
                self.counts.turns += not self._keying  # keys in a row, with no answer between them, are one turn
                self.counts.acted = True
        self._keying = isinstance(what, Keyed)
        self._registry.on_move()
        emit = log.error if isinstance(what, Failed) else log.info
        emit(f"dialogue.{what.kind}", **attributes(what))
        self._journal.append(Entry(what, self._clock.now(), self.state))

    def barged_in(self) -> None:
        """Speech stopped a prompt."""
        self.counts.barge_ins += 1


async def resume_point(points: ResumePoints, caller_id: str, now: datetime) -> Mapping[str, object] | None:
    """The snapshot of this caller's call that dropped within RESUME_WITHIN, used once; None without, or when the
    store does not answer."""
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            return await points.take_resume_point(caller_id, now - RESUME_WITHIN)
    except (IvrError, TimeoutError, OSError) as error:
        log.warning("resume.unavailable", error=str(error) or "timeout")
        return None
