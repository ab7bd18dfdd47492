"""The journal: a call's record goes to the store behind the call; a slow or dead database never holds up a caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from ivr.errors import IvrError
from ivr.ports import CallRecords
from ivr.record import Entry

log = structlog.get_logger(__name__)

WRITE_TIMEOUT_S = 2.0
BACKLOG = 1000


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

    def save_resume_point(self, caller_id: str, snapshot: Mapping[str, Any], at: datetime) -> None:
        self._put(lambda: self._records.save_resume_point(caller_id, snapshot, at))

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
