"""Deaths of lines: which processes of this database are certainly gone, known within a second of a kill -9.

A process holds two locks for as long as it lives, which its kernel lets go of when it dies: one on a file of its spool,
for others on its machine, and on PostgreSQL an advisory one, on the connection on which it listens. The second may also
be lost with that connection: then the process still beats, and takes the lock again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zlib import crc32

from sqlalchemy import bindparam, column, select, table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.store.database import Database, TableGroup, reads
from ivr.store.spool_folder import is_free
from ivr.store.tables import line_processes

FREE_S = 0.6  # longer than from beat to beat: whose lock is free for so long, without a beat meanwhile, is dead
LIFE = 0x6976  # class of the advisory locks

_LOCKS = table("pg_locks", *map(column, ("locktype", "classid", "objid", "objsubid", "granted", "database")))
_OURS = table("pg_database", column("oid"), column("datname"))
_BEATS = line_processes.c
_OTHERS = select(_BEATS.id, _BEATS.beat_at).where(_BEATS.id != bindparam("mine"))  # made once: it is asked all the time


def life_key(line: str) -> int:
    """Of the advisory lock that ``line`` holds while it lives, as ``pg_locks`` shows it."""
    return crc32(line.encode())


def life_lock(line: str) -> tuple[int, int]:
    """The same as PostgreSQL's functions take it: two signed 32-bit numbers."""
    key = life_key(line)
    return LIFE, key - 2**32 if key >= 2**31 else key


@dataclass(slots=True)
class _Watched:
    beat: datetime
    held: bool = False  # its lock was, when it was looked at before
    free_since: float | None = None


class Deaths(TableGroup):
    """``line``: this process; ``folder``: where processes of this machine keep their spools, None: nowhere.

    ``certain``: who is dead, as last seen."""

    def __init__(self, database: Database, now: Callable[[], datetime], line: str, folder: Path | None) -> None:
        super().__init__(database, now)
        self._line = line
        self._folder = folder
        self._watched: dict[str, _Watched] = {}
        self.certain: Collection[str] = frozenset()

    async def look(self, now: float) -> None:
        """``now``: monotonic. Never raises: while the database is away nobody is known to be dead."""
        try:
            beats, held = await self._beats()
        except (StoreUnavailable, SQLAlchemyError):
            self._watched.clear()
            return
        self._watched = {line: self._seen(line, beat, held, now) for line, beat in beats.items()}
        unlocked = await asyncio.to_thread(self._unlocked, tuple(beats)) if beats else frozenset()
        silent = {
            line
            for line, seen in self._watched.items()
            if seen.free_since is not None and now - seen.free_since >= FREE_S
        }
        self.certain = frozenset(silent | unlocked)

    def _seen(self, line: str, beat: datetime, held: Collection[int], now: float) -> _Watched:
        before = self._watched.get(line, _Watched(beat))
        if life_key(line) in held:
            return _Watched(beat, held=True)
        if not before.held:
            return _Watched(beat)  # it has none, or never had while we looked
        since = before.free_since if before.free_since is not None and before.beat == beat else now
        return _Watched(beat, held=True, free_since=since)

    def _unlocked(self, lines: Collection[str]) -> set[str]:
        folder = self._folder
        return {line for line in lines if is_free(folder, line)} if folder is not None else set()

    @reads
    async def _beats(self, connection: AsyncConnection) -> tuple[Mapping[str, datetime], Collection[int]]:
        """The others' beats, and the advisory locks that are held."""
        beats = {row.id: row.beat_at for row in await connection.execute(_OTHERS, {"mine": self._line})}
        if self._database.sqlite or not beats:
            return beats, ()
        lock = _LOCKS.c
        ours = select(_OURS.c.oid).where(_OURS.c.datname == self._database.url.database).scalar_subquery()
        held = select(lock.objid).where(
            lock.locktype == "advisory", lock.classid == LIFE, lock.objsubid == 2, lock.granted, lock.database == ours
        )
        return beats, set((await connection.execute(held)).scalars())
