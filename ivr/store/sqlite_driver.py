"""The SQLite driver: ``aiosqlite`` with one trip to its thread for each statement, where it takes four by itself
(cursor, execute, fetch, close), and a transaction that begins along with its first statement.

Each trip wakes two threads, which costs more than what SQLite does meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite

from ivr import private_file


class Cursor:
    """As much of ``aiosqlite.Cursor`` as SQLAlchemy asks for. All rows of a statement come with it."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> Self:
        return await self._run(lambda connection: connection.execute(sql, tuple(parameters)))

    async def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> Self:
        return await self._run(lambda connection: connection.executemany(sql, parameters))

    async def _run(self, statement: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> Self:
        self.description, self.rowcount, self.lastrowid, self._rows = await self._connection.done(statement)
        return self

    async def fetchall(self) -> Sequence[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []


class Connection(aiosqlite.Connection):
    """``begin`` it, then execute, then commit or roll back."""

    _beginning = ""
    _reading = False  # the transaction only reads
    _begun = False  # it may be open, also where it is not known how the last trip ended
    _stopped = False

    def cursor(self) -> Cursor:  # type: ignore[override]
        return Cursor(self)

    def stop(self) -> asyncio.Future[None] | None:
        """Once: whoever is cancelled while it closes stops it twice, and the second time nobody is there to answer."""
        if self._stopped:
            return None
        self._stopped = True
        stopping: asyncio.Future[None] | None = super().stop()
        return stopping

    def begin(self, how: str) -> None:
        """``how``: BEGIN, BEGIN IMMEDIATE; with the next statement, which then raises what that raises."""
        self._beginning, self._reading = how, how == "BEGIN"

    async def done(self, statement: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> tuple[Any, int, int | None, Any]:
        """Its description, row count, last row's number and rows. Raises sqlite3.Error."""
        beginning, self._beginning = self._beginning, ""
        work = partial(_done, self._conn, beginning, statement)
        self._begun = self._begun or bool(beginning)
        found: tuple[Any, int, int | None, Any] = await self._execute(work)  # type: ignore[no-untyped-call]
        return found

    async def commit(self) -> None:
        """The end of what only read is not waited for: whatever comes next on this connection comes after it."""
        if self._left_out():
            return
        if self._reading:
            self._tx.put_nowait((None, self._conn.commit))
        else:
            await super().commit()
        self._begun = False

    async def rollback(self) -> None:
        """A pool asks for it whenever a connection comes back, also when what was begun is committed: no trip then."""
        if not self._left_out() and self._begun:
            await super().rollback()
            self._begun = False

    def _left_out(self) -> bool:
        """There was no statement: then nothing began, either."""
        beginning, self._beginning = self._beginning, ""
        return bool(beginning)


def _done(
    connection: sqlite3.Connection, beginning: str, statement: Callable[[sqlite3.Connection], sqlite3.Cursor]
) -> tuple[Any, int, int | None, Any]:
    if beginning:
        connection.execute(beginning).close()
    cursor = statement(connection)
    try:
        rows = cursor.fetchall() if cursor.description else []
        return cursor.description, cursor.rowcount, cursor.lastrowid, rows
    finally:
        cursor.close()


def _opened(database: str, **options: Any) -> sqlite3.Connection:
    """A file that is made here holds what callers said: others may not read it."""
    if database and not database.startswith((":", "file:")):
        with contextlib.suppress(OSError):
            private_file.made(database)
    connection: sqlite3.Connection = sqlite3.connect(database, **options)
    return connection


def connected(database: str, **options: Any) -> Connection:
    """To be awaited: a connection in a thread of its own, which ends with the process."""
    connection = Connection(partial(_opened, database, **options), 64)
    connection._thread.daemon = True
    return connection
