"""The spool: writes that the database did not take wait here, in order, on disk, until it does.

A folder of JSON lines, readable by the service's user only. Every process that serves calls writes files of its own and
holds a lock for as long as it lives; the files of one that is dead are adopted by whoever finds them.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import structlog

from ivr.store.spool_folder import LOCK, SUFFIX, Batch, Write, batch_of, lines_in, locked, owner_of, removed

SEGMENT_BYTES = 1_000_000
HELD_BYTES = 8_000_000  # in memory, while the disk takes nothing either

log = structlog.get_logger(__name__)


class Spool:
    """This process's part of ``folder``. ``owner`` names it; ``limit_bytes`` bounds what it keeps.

    ``waiting``: writes on disk or held in memory; ``lost``: those for which there was no room, or that cannot be read.
    Nothing here raises on account of the disk."""

    def __init__(self, folder: Path, owner: str, limit_bytes: int) -> None:
        self.folder = folder
        self.waiting = 0
        self.lost = 0
        self.filled = asyncio.Event()
        self._owner = owner
        self._limit = limit_bytes
        self._held: deque[bytes] = deque()  # not on disk yet
        self._held_bytes = 0
        self._disk_bytes = 0
        self._numbers = count()
        self._current: Path | None = None
        self._lock_fd: int | None = None
        self._turn = asyncio.Lock()
        self._flushes: set[asyncio.Task[bool]] = set()
        self._failing = False
        self._full = False

    # -- whose it is ------------------------------------------------------------------------------------------

    async def adopt(self) -> Sequence[str]:
        """Take over what processes that are gone left behind: their names. Also makes the folder, where it can."""
        async with self._turn:
            try:
                owners, adopted = await asyncio.to_thread(self._adopt)
            except OSError as error:
                self._tell(error)
                return ()
        if adopted:
            self.waiting += adopted
            self.filled.set()
            log.warning("journal.adopted", waiting=adopted)
        return owners

    def _adopt(self) -> tuple[list[str], int]:
        self._own()
        names = {owner_of(file) for kind in (SUFFIX, LOCK) for file in self.folder.glob(f"*{kind}")} - {self._owner}
        owners, adopted = [], 0
        for name in sorted(names):
            if not (lock := self.folder / f"{name}{LOCK}").exists() and self._segments(name):
                lock.touch(mode=0o600)  # somebody removed it: what it was for is nobody's
            with locked(lock) as free:
                if not free:
                    continue
                for file in self._segments(name):
                    lines, size = lines_in(file), file.stat().st_size
                    file.rename(self._next())
                    adopted += lines
                    self._disk_bytes += size
                lock.unlink(missing_ok=True)
                owners.append(name)
        return owners, adopted

    def _own(self) -> None:
        while self._lock_fd is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / f"{self._owner}{LOCK}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.stat().st_ino == os.fstat(descriptor).st_ino:  # nobody took it for an orphan meanwhile
                    self._lock_fd = descriptor
            except FileNotFoundError:
                pass
            finally:
                if self._lock_fd is None:
                    os.close(descriptor)

    def _segments(self, owner: str) -> list[Path]:
        return sorted(self.folder.glob(f"{owner}.*{SUFFIX}"))

    def _next(self) -> Path:
        return self.folder / f"{self._owner}.{next(self._numbers):08}{SUFFIX}"

    # -- in ---------------------------------------------------------------------------------------------------

    def hold(self, write: Write) -> bool:
        """Take it, in memory until the next flush; False and counted when there is no room."""
        line = write.line()
        size = self._held_bytes + len(line)
        if size > HELD_BYTES or self._disk_bytes + size > self._limit:
            self.lost += 1
            if not self._full:
                log.error("journal.spool_full", folder=str(self.folder), waiting=self.waiting, lost=self.lost)
            self._full = True
            return False
        self._full = False
        self._held.append(line)
        self._held_bytes = size
        self.waiting += 1
        self.filled.set()
        return True

    async def keep(self, writes: Sequence[Write]) -> Sequence[bool]:
        """Which of them are kept: on disk, or held in memory while the disk takes nothing."""
        kept = [self.hold(write) for write in writes]
        if any(kept):
            await self.flush()
        return kept

    async def promise(self, write: Write) -> bool:
        """True only once it is on disk; otherwise it is not kept at all."""
        return await self._to_its_end(self._promise(write))

    async def flush(self) -> bool:
        """What is held goes to disk; False when it could not. Goes on to its end when cancelled."""
        return await self._to_its_end(self._flush())

    async def _to_its_end(self, work: Coroutine[Any, Any, bool]) -> bool:
        task = asyncio.ensure_future(work)
        self._flushes.add(task)
        task.add_done_callback(self._flushes.discard)
        return await asyncio.shield(task)

    async def _promise(self, write: Write) -> bool:
        async with self._turn:  # until it is let go: the next flush would take it along
            if not self.hold(write):
                return False
            line = self._held[-1]
            if await self._written():
                return True
            self._let_go(line)
            return False

    async def _flush(self) -> bool:
        async with self._turn:
            return await self._written()

    async def _written(self) -> bool:
        lines = list(self._held)
        if not lines:
            return True
        data = b"".join(lines)
        try:
            await asyncio.to_thread(self._append, data)
        except OSError as error:
            self._tell(error)
            return False
        self._failing = False
        for _ in lines:
            self._held.popleft()
        self._held_bytes -= len(data)
        self._disk_bytes += len(data)
        return True

    def _append(self, data: bytes) -> None:
        self._own()
        file = self._current
        if file is None or not file.exists() or file.stat().st_size + len(data) > SEGMENT_BYTES:
            file = self._current = self._next()
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
            except OSError:
                self._current = None
                os.ftruncate(descriptor, before)  # half a line would spoil the next
                self._current = file
                if not before:
                    file.unlink()
                raise
        finally:
            os.close(descriptor)

    def _tell(self, error: OSError) -> None:
        if not self._failing:
            log.error("journal.spool_failed", folder=str(self.folder), error=error.strerror or str(error))
        self._failing = True

    # -- out --------------------------------------------------------------------------------------------------

    async def oldest(self) -> Batch | None:
        """What is to be written next; None when nothing waits. The same again until it is ``done``."""
        await self.flush()
        async with self._turn:
            try:
                batch = await asyncio.to_thread(self._read)
            except OSError as error:
                self._tell(error)
                return None
            if batch is None and self._held:
                batch = batch_of(list(self._held), None)
            if batch is None:
                self.waiting = self._disk_bytes = 0  # whoever took the files: retention does, too
                self.filled.clear()
            return batch

    def _read(self) -> Batch | None:
        self._current = None  # what comes now goes into the next
        for file in self._segments(self._owner):
            return batch_of(file.read_bytes().splitlines(), file)
        return None

    async def done(self, batch: Batch) -> bool:
        """It is written: it waits no longer, and what it says is no longer kept here. False when it cannot be removed:
        it will be written once more."""
        async with self._turn:
            if batch.file is None:
                for line in batch.lines:
                    self._let_go(line)
            else:
                try:
                    self._disk_bytes -= await asyncio.to_thread(removed, batch.file)
                except OSError as error:
                    self._tell(error)
                    return False
                self.waiting = max(0, self.waiting - len(batch.lines))
            if unreadable := len(batch.lines) - len(batch.writes):
                self.lost += unreadable
                log.error("journal.unreadable", writes=unreadable)
            return True

    def _let_go(self, line: bytes) -> None:
        if line in self._held:
            self._held.remove(line)
            self._held_bytes -= len(line)
            self.waiting -= 1

    async def close(self) -> None:
        """What is held goes to disk; what waits there is for whoever comes next."""
        await self.flush()
        if self.waiting:
            log.warning("journal.left", waiting=self.waiting, folder=str(self.folder))
        if self._lock_fd is not None:
            with suppress(OSError):
                if not self._segments(self._owner):
                    (self.folder / f"{self._owner}{LOCK}").unlink(missing_ok=True)
            os.close(self._lock_fd)
            self._lock_fd = None
