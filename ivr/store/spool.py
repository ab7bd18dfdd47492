"""The spool: writes that the database did not take wait here, in order, on disk, until it does.

A folder of JSON lines, readable by the service's user only. Every process that serves calls writes files of its own and
holds a lock for as long as it lives; the files of one that is dead are adopted by whoever finds them.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import structlog

SEGMENT_BYTES = 1_000_000
HELD_BYTES = 8_000_000  # in memory, while the disk takes nothing either
SUFFIX = ".jsonl"
LOCK = ".lock"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Write:
    """Something to be written: ``kind`` says by which rule, ``values`` what, ready for JSON. Written twice is once."""

    kind: str
    values: Mapping[str, Any]

    def line(self) -> bytes:
        return json.dumps([self.kind, self.values], default=str).encode("utf-8", "replace") + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Write | None:
        """None for half a line, or one that somebody else wrote."""
        try:
            kind, values = json.loads(line)
        except (ValueError, TypeError):
            return None
        return cls(kind, values) if isinstance(kind, str) and isinstance(values, dict) else None


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest of what waits: its lines, and what can be read of them. ``file`` None: they are only in memory."""

    lines: Sequence[bytes]
    writes: Sequence[Write]
    file: Path | None


def _batch(lines: Sequence[bytes], file: Path | None) -> Batch:
    return Batch(lines, [write for line in lines if (write := Write.of(line)) is not None], file)


def folder_for(parent: Path, database: str) -> Path:
    """One folder a database: what was meant for one never gets into another."""
    return parent / hashlib.sha256(database.encode()).hexdigest()[:12]


def waiting_in(folder: Path) -> int:
    """How many writes wait on disk, whoever put them there. Makes nothing."""
    return sum(_lines(file) for file in folder.glob(f"*{SUFFIX}"))


def is_free(folder: Path, owner: str) -> bool:
    """Whether the process of this name is gone that had its spool on this machine."""
    try:
        with _locked(folder / f"{owner}{LOCK}", fcntl.LOCK_SH) as free:
            return free
    except OSError:
        return False


def purge(folder: Path, older_than: datetime) -> int:
    """Delete what has waited since before ``older_than``; how many writes that were."""
    gone = 0
    for file in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            if file.stat().st_mtime < older_than.timestamp():
                gone += _lines(file)
                file.unlink()
    return gone


def writes_in(folder: Path) -> Iterator[Write]:
    """What waits on disk, whoever put it there."""
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(OSError):  # it was written meanwhile
            yield from _batch(file.read_bytes().splitlines(), file).writes


def forget(folder: Path, theirs: Callable[[Write], bool]) -> tuple[int, int]:
    """Take the writes that are ``theirs`` out of the files of processes that are gone: how many, and how many are left
    in those of processes that live and will write them to the database themselves. Raises OSError."""
    gone = left = 0
    for owner in sorted({_owner(file) for file in folder.glob(f"*{SUFFIX}")}):
        lock = folder / f"{owner}{LOCK}"
        if not lock.exists():
            lock.touch(mode=0o600)
        with _locked(lock) as free:
            for file in sorted(folder.glob(f"{owner}.*{SUFFIX}")):
                lines = file.read_bytes().splitlines(keepends=True)
                kept = [line for line in lines if (write := Write.of(line)) is None or not theirs(write)]
                if not free:
                    left += len(lines) - len(kept)
                elif len(kept) < len(lines):
                    gone += len(lines) - len(kept)
                    _rewritten(file, b"".join(kept))
    return gone, left


def _rewritten(file: Path, data: bytes) -> None:
    if not data:
        file.unlink()
        return
    part = file.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
        written.write(data)
        written.flush()
        os.fsync(written.fileno())
    part.replace(file)


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
        names = {_owner(file) for kind in (SUFFIX, LOCK) for file in self.folder.glob(f"*{kind}")} - {self._owner}
        owners, adopted = [], 0
        for name in sorted(names):
            if not (lock := self.folder / f"{name}{LOCK}").exists() and self._segments(name):
                lock.touch(mode=0o600)  # somebody removed it: what it was for is nobody's
            with _locked(lock) as free:
                if not free:
                    continue
                for file in self._segments(name):
                    lines, size = _lines(file), file.stat().st_size
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
                batch = _batch(list(self._held), None)
            if batch is None:
                self.waiting = self._disk_bytes = 0  # whoever took the files: retention does, too
                self.filled.clear()
            return batch

    def _read(self) -> Batch | None:
        self._current = None  # what comes now goes into the next
        for file in self._segments(self._owner):
            return _batch(file.read_bytes().splitlines(), file)
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
                    self._disk_bytes -= await asyncio.to_thread(_removed, batch.file)
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


@contextmanager
def _locked(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[bool]:
    """Whether the lock was there and free; it is held meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            free = path.stat().st_ino == os.fstat(descriptor).st_ino  # nobody took and removed it meanwhile
        except (BlockingIOError, FileNotFoundError):
            free = False
        yield free
    finally:
        os.close(descriptor)


def _owner(file: Path) -> str:
    return file.name.partition(".")[0]


def _lines(file: Path) -> int:
    try:
        return file.read_bytes().count(b"\n")
    except OSError:
        return 0


def _removed(file: Path) -> int:
    size = file.stat().st_size
    file.unlink()
    return size
