"""The spool's folder: JSON lines of every process of this machine, each behind a lock that it holds while it lives."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

SUFFIX = ".jsonl"
LOCK = ".lock"


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


def batch_of(lines: Sequence[bytes], file: Path | None) -> Batch:
    """Of lines as they were kept."""
    return Batch(lines, [write for line in lines if (write := Write.of(line)) is not None], file)


def folder_for(parent: Path, database: str) -> Path:
    """One folder a database: what was meant for one never gets into another."""
    return parent / hashlib.sha256(database.encode()).hexdigest()[:12]


def waiting_in(folder: Path) -> int:
    """How many writes wait on disk, whoever put them there. Makes nothing."""
    return sum(lines_in(file) for file in folder.glob(f"*{SUFFIX}"))


def is_free(folder: Path, owner: str) -> bool:
    """Whether the process of this name is gone that had its spool on this machine."""
    try:
        with locked(folder / f"{owner}{LOCK}", fcntl.LOCK_SH) as free:
            return free
    except OSError:
        return False


def purge(folder: Path, older_than: datetime) -> int:
    """Delete what has waited since before ``older_than``; how many writes that were."""
    gone = 0
    for file in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            if file.stat().st_mtime < older_than.timestamp():
                gone += lines_in(file)
                file.unlink()
    return gone


def writes_in(folder: Path) -> Iterator[Write]:
    """What waits on disk, whoever put it there."""
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(OSError):  # it was written meanwhile
            yield from batch_of(file.read_bytes().splitlines(), file).writes


def forget(folder: Path, theirs: Callable[[Write], bool]) -> tuple[int, int]:
    """Take the writes that are ``theirs`` out of the files of processes that are gone: how many, and how many are left
    in those of processes that live and will write them to the database themselves. Raises OSError."""
    gone = left = 0
    for owner in sorted({owner_of(file) for file in folder.glob(f"*{SUFFIX}")}):
        lock = folder / f"{owner}{LOCK}"
        if not lock.exists():
            lock.touch(mode=0o600)
        with locked(lock) as free:
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


@contextmanager
def locked(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[bool]:
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


def owner_of(file: Path) -> str:
    """Which process wrote it, or holds it."""
    return file.name.partition(".")[0]


def lines_in(file: Path) -> int:
    """How many; 0 where it cannot be read."""
    try:
        return file.read_bytes().count(b"\n")
    except OSError:
        return 0


def removed(file: Path) -> int:
    """Remove it: how many bytes it had. Raises OSError."""
    size = file.stat().st_size
    file.unlink()
    return size
