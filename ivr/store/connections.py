"""The engine: connections to SQLite (WAL, transactions that begin as we say) and to PostgreSQL (a pool that notices the
dead)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from ivr.errors import ConfigError, StoreUnavailable
from ivr.store import sqlite_driver
from ivr.store.faults import REMEDY
from ivr.store.url import in_memory, named

# Each connection is a thread, with caches of its own: the one used last is the quickest. One more that is opened in a
# burst of calls costs more than what it is opened for, and is kept.
SQLITE_POOL: Mapping[str, Any] = {"pool_use_lifo": True, "pool_size": 15, "max_overflow": 0}
RESTED_S = 1.0  # a connection that nobody used for longer is asked whether it is alive


def engine_for(url: URL, timeout_s: float, dumps: Callable[[object], str]) -> AsyncEngine:
    """``timeout_s``: what a connection may take; ``dumps``: JSON from values. Raises ConfigError, StoreUnavailable."""
    name = named(url)
    try:
        if url.get_backend_name() == "sqlite":
            if url.database and not in_memory(url) and not url.database.startswith("file:"):
                _make_room(Path(url.database))
            options = {"timeout": timeout_s * 0.75, "async_creator_fn": sqlite_driver.connected}
            pool = {} if in_memory(url) else SQLITE_POOL
            engine = create_async_engine(url, json_serializer=dumps, connect_args=options, **pool)
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
            return engine
        engine = create_async_engine(
            url,
            json_serializer=dumps,
            pool_size=10,
            max_overflow=20,
            pool_timeout=timeout_s,
            connect_args={"timeout": timeout_s, "command_timeout": max(timeout_s, 30.0)},
        )
        event.listen(engine.sync_engine, "checkin", _rests)
        event.listen(engine.sync_engine, "checkout", _is_alive)
        return engine
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigError(f"the driver for {name} is missing", remedy="install requirements.lock again") from error
    except OSError as error:
        raise StoreUnavailable(f"{name}: {error.strerror}", remedy=REMEDY) from error


def _make_room(file: Path) -> None:
    """Raises ConfigError, OSError."""
    if file.is_dir():
        raise ConfigError(f"{file} is a folder", remedy="name a file in it: [store] url in config.toml, or --database")
    file.parent.mkdir(parents=True, exist_ok=True)


def _rests(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["since"] = time.monotonic()


def _is_alive(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """A connection that the server ended is replaced. One that was used a moment ago is believed: asking takes as many
    round trips as most transactions."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server ended it")
    since = record.info.get("since")  # None: it is new
    if since is not None and time.monotonic() - since > RESTED_S:
        try:
            connection.ping()
        except Exception as error:  # whatever the driver has for it
            raise InvalidatePoolError("the server ended it") from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions on its own; _begin_sqlite does
    cursor = connection.cursor()
    # What is deleted is overwritten, at once; not slower.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite_driver.Connection)
    immediate = connection.get_execution_options().get("ivr_write", False)
    driver.begin("BEGIN IMMEDIATE" if immediate else "BEGIN")
