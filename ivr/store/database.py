"""The engine: one way to read, one way to write, and a bound on how long either may take.

SQLite runs in WAL mode with ``BEGIN IMMEDIATE`` for writes, so that a reader never turns into a writer that must fail.
PostgreSQL runs at READ COMMITTED; whoever edits locks the rows it edits. Whatever the database does (refuse, vanish,
freeze), an operation ends within ``timeout_s`` with StoreUnavailable.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import structlog
from sqlalchemy import Column, ColumnElement, Select, Table, false, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.store.columns import Moment
from ivr.store.connections import engine_for
from ivr.store.faults import REMEDY, Unreachable, fault
from ivr.store.reader import Reader
from ivr.store.url import in_memory, named, parse_url

T = TypeVar("T")
P = ParamSpec("P")
G = TypeVar("G", bound="TableGroup")
Work = Callable[[AsyncConnection], Awaitable[T]]

TIMEOUT_S = 2.0
Way = Literal["read", "write"]

log = structlog.get_logger(__name__)


_CLOCKS = {
    True: func.clock_timestamp(type_=Moment).label("at"),
    False: func.strftime("%Y-%m-%d %H:%M:%f000", "now", type_=Moment).label("at"),
}
_READ_CLOCK = {postgres: select(clock) for postgres, clock in _CLOCKS.items()}
_JSON = json.JSONEncoder(ensure_ascii=False, default=str)
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def fit(text: str, length: int) -> str:
    """``text`` as any column of ``length`` characters takes it: PostgreSQL refuses NUL and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")[:length]


def insert_new(connection: AsyncConnection, table: Table, *key: Column[Any]) -> Any:
    """An insert that leaves a row alone which is there by ``key``; without one, it takes further clauses."""
    return _insert_new(connection.dialect.name == "postgresql", table, key)


@lru_cache(64)  # building a statement takes longer than running it
def _insert_new(postgres: bool, table: Table, key: tuple[Column[Any], ...]) -> Any:
    made = postgresql.insert(table) if postgres else sqlite.insert(table)
    return made.on_conflict_do_nothing(index_elements=key) if key else made


def clock(postgres: bool) -> ColumnElement[datetime]:
    """Now, as ``at``, by the database's own clock: what several processes compare. SQLite's is this machine's."""
    return _CLOCKS[postgres]


async def moment(connection: AsyncConnection) -> datetime:
    """See ``clock``."""
    at: datetime = (await connection.execute(_READ_CLOCK[connection.dialect.name == "postgresql"])).one().at
    return at


def _dumps(value: object) -> str:
    """JSON as ``fit`` would have it; what JSON does not know is kept as its text."""
    dumped = _JSON.encode(value)
    if not dumped.isascii():
        dumped = dumped.encode("utf-8", "replace").decode("utf-8")
    return _NUL.sub(r"\1", dumped) if "\\u0000" in dumped else dumped


class Database:
    """Connections to one database. ``url`` as in config.toml; "sqlite+aiosqlite://" lives in memory."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = parse_url(url)
        self.timeout_s = timeout_s
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.in_memory = in_memory(self.url)
        self.engine = engine_for(self.url, timeout_s, _dumps)
        self._writing = self.engine.execution_options(ivr_write=True)
        # SQLite has one writer: queueing here is fair, its own busy handler is not. In memory there is one connection.
        self._turn: asyncio.Lock | None = asyncio.Lock() if self.sqlite else None
        self._reader: Reader | None = None  # SQLite's, of what is read by itself
        self._left_behind: set[asyncio.Task[Any]] = set()
        self._down_until: dict[Way, float] = {"read": 0.0, "write": 0.0}

        self._told = False  # that it is down
        self.on_transaction: Callable[[Way, float, bool], None] = lambda way, took_s, done: None

    @property
    def identity(self) -> str:
        """Which database it is, whoever asks for it."""
        url = self.url
        if self.sqlite:
            return "memory" if self.in_memory else str(Path(str(url.database)).resolve())
        return f"{url.host or url.query.get('host', '')}:{url.port or ''}/{url.database}"

    @property
    def name(self) -> str:
        """For people and logs: no password."""
        return named(self.url)

    async def read(self, work: Work[T], *, timeout_s: float | None = None) -> T:
        """Run ``work`` in a transaction that only reads. Raises StoreUnavailable."""

        async def run() -> T:
            if self.in_memory and self._turn:
                async with self._turn, self.engine.begin() as connection:
                    return await work(connection)
            async with self.engine.begin() as connection:
                return await work(connection)

        return await self._bounded(run(), "read", timeout_s)

    async def rows(self, statement: Select[Any], **values: str | int) -> Sequence[Any]:
        """What one statement finds that is read by itself; its ``values`` and columns are text and whole numbers. Calls
        wait for such reads: SQLite has a connection for them, each is one trip and no transaction.

        Raises StoreUnavailable."""

        async def work(connection: AsyncConnection) -> Sequence[Any]:
            found: Sequence[Any] = (await connection.execute(statement, values)).all()
            return found

        if not self.sqlite or self.in_memory:
            return await self.read(work)

        async def run() -> Sequence[Any]:
            try:
                if self._reader is None:
                    self._reader = Reader(self.engine)
                return await self._reader.rows(statement, values)
            except (sqlite3.Error, DBAPIError, ValueError):  # what is wrong with it is told below, or nothing was
                reader, self._reader = self._reader, None
                if reader is not None:
                    await reader.close(broken=True)
                async with self.engine.begin() as connection:
                    return await work(connection)

        return await self._bounded(run(), "read", None)

    async def write(self, work: Work[T], *, timeout_s: float | None = None) -> T:
        """Run ``work`` in a transaction that writes: all of it or nothing. Raises StoreUnavailable."""

        async def run() -> T:
            if self._turn:
                async with self._turn, self._writing.begin() as connection:
                    return await work(connection)
            async with self._writing.begin() as connection:
                return await work(connection)

        return await self._bounded(run(), "write", timeout_s)

    async def ping(self, tables: Sequence[Table]) -> None:
        """Raises StoreUnavailable when ``tables`` can't be written to now: the database is gone, locked, read-only or
        full. It writes, and changes nothing: a few bytes of the file's header, or the number of a transaction."""
        self._down_until["write"] = 0.0

        async def one(connection: AsyncConnection) -> None:
            for table in tables:
                key = next(iter(table.primary_key.columns))
                await connection.execute(update(table).where(false()).values({key: key}))
            await connection.execute(text("PRAGMA user_version = 1" if self.sqlite else "SELECT txid_current()"))

        try:
            await self.write(one)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, DBAPIError):
                why = str(error.__cause__.orig).partition("\n")[0]
                raise StoreUnavailable(f"it can't be written to: {why}", remedy=error.remedy) from error
            raise

    async def close(self) -> None:
        """Wait for what was left behind (bounded), then drop every connection."""
        if self._left_behind:
            await asyncio.wait(self._left_behind, timeout=self.timeout_s)
        for task in self._left_behind:
            task.cancel()
        disposal = asyncio.ensure_future(self._dispose())
        await asyncio.wait({disposal}, timeout=self.timeout_s)
        if not disposal.done():
            disposal.cancel()

    async def _dispose(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()
        await self.engine.dispose()

    async def _bounded(self, work: Coroutine[Any, Any, T], way: Way, timeout_s: float | None) -> T:
        """The result, or StoreUnavailable after the bound. A driver stuck on a frozen server is not waited for:
        even cancelling it may take its time, so that happens in the background."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._down_until[way]:
            work.close()
            raise StoreUnavailable("the database did not answer a moment ago", remedy=REMEDY)
        task, began = asyncio.ensure_future(work), loop.time()
        task.add_done_callback(
            lambda task: self.on_transaction(way, loop.time() - began, not task.cancelled() and not task.exception())
        )
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout_s or self.timeout_s)
        except asyncio.CancelledError:
            # The caller hung up: let a transaction that began finish rather than break its connection.
            self._leave_behind(task)
            raise
        if not done:
            self._leave_behind(task)
            task.cancel()
            self._down(loop, way)
            raise StoreUnavailable("the database does not answer", remedy=REMEDY)
        error = task.exception()
        if error is None:
            self._up(way)
            return task.result()
        if isinstance(error, IntegrityError):
            raise error
        if isinstance(error, DBAPIError):
            if error.connection_invalidated or not self._answered(error):
                self._down(loop, way)
            raise fault(error, "the database failed") from error
        if isinstance(error, Unreachable):
            self._down(loop, way)
            raise fault(error, "the database cannot be reached") from error
        raise error

    def _down(self, loop: asyncio.AbstractEventLoop, way: Way) -> None:
        """Callers in the next half second fail at once instead of each waiting for the bound. SQLite's writers waiting
        for each other, or for another program, say nothing about reading."""
        for each in self._down_until:
            if each == way or not self.sqlite:
                self._down_until[each] = loop.time() + min(0.5, self.timeout_s)
        if not self._told:
            log.warning("store.unavailable", database=self.name)
        self._told = True

    def _up(self, way: Way) -> None:
        self._told = False
        for each in self._down_until:
            if each == way or not self.sqlite:
                self._down_until[each] = 0.0

    def _answered(self, error: DBAPIError) -> bool:
        """True when the database itself refused one statement, which says nothing about the next one."""
        return self.sqlite or getattr(error.orig, "sqlstate", None) is not None

    def _leave_behind(self, task: asyncio.Future[Any]) -> None:
        assert isinstance(task, asyncio.Task)
        self._left_behind.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left_behind.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("store.abandoned", error=type(error).__name__)


class TableGroup:
    """Some tables of one database. ``now``: an aware clock."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def _settled(self) -> None:
        """Before a read: what was to be written so far is."""


def reads(
    method: Callable[Concatenate[G, AsyncConnection, P], Awaitable[T]],
) -> Callable[Concatenate[G, P], Coroutine[Any, Any, T]]:
    """A table group's method, run in a transaction that only reads; it gets the connection."""

    @wraps(method)
    async def run(self: G, /, *args: P.args, **kwargs: P.kwargs) -> T:
        await self._settled()
        return await self._database.read(lambda connection: method(self, connection, *args, **kwargs))

    return run


def writes(
    method: Callable[Concatenate[G, AsyncConnection, P], Awaitable[T]],
) -> Callable[Concatenate[G, P], Coroutine[Any, Any, T]]:
    """A table group's method, run in a transaction that writes; it gets the connection."""

    @wraps(method)
    async def run(self: G, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._database.write(lambda connection: method(self, connection, *args, **kwargs))

    return run
