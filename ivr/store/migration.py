"""Alembic, driven from code: the migrations travel inside the package and need no alembic.ini."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from ivr.errors import StoreUnavailable

SCRIPTS = Path(__file__).parent / "migrations"
UPGRADE_S = 120.0
ADVISORY_LOCK = 0x49565242  # PostgreSQL: several instances starting at once upgrade one after the other

# Alembic's own context is one a process, so upgrades of two stores take turns.
_ONE_AT_A_TIME = threading.Lock()


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    return made


def head() -> str:
    """The newest revision in the package."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


async def revision(connection: AsyncConnection) -> str:
    """The database's revision, "" when it has none."""

    def current(sync: Connection) -> str:
        return MigrationContext.configure(sync).get_current_revision() or ""

    return await connection.run_sync(current)


async def upgrade(url: URL) -> None:
    """To head, in a thread with a loop of its own: Alembic reads files and blocks. Raises StoreUnavailable."""
    try:
        async with asyncio.timeout(UPGRADE_S):
            await asyncio.to_thread(_upgrade_in_thread, url)
    except CommandError as error:
        raise StoreUnavailable(
            f"the database could not be upgraded: {error}",
            remedy="it was made by a newer release: start that one, or restore a backup",
        ) from error
    except (OSError, DBAPIError, TimeoutError) as error:
        raise StoreUnavailable(
            f"the database could not be upgraded: {type(error).__name__}: {error}",
            remedy="see that it runs, that [store] url points at it, and that its user may create tables",
        ) from error


def _upgrade_in_thread(url: URL) -> None:
    with _ONE_AT_A_TIME:
        asyncio.run(_upgrade(url))


async def _upgrade(url: URL) -> None:
    sqlite = url.get_backend_name() == "sqlite"
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": 30.0})
    if sqlite:
        event.listen(engine.sync_engine, "connect", _own_transactions)
        event.listen(engine.sync_engine, "begin", _begin_immediate)
    try:
        async with engine.begin() as connection:
            if not sqlite:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


def _own_transactions(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # the driver would commit before every CREATE


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _run(connection: Connection) -> None:
    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")
