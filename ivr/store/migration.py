"""Alembic, driven from code: the migrations travel inside the package and need no alembic.ini.

The store's own tables and a company's are separate branches, each with a version table of its own: a company may come
or go without the other noticing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from ivr import private_file
from ivr.errors import StoreUnavailable
from ivr.store.faults import Unreachable, fault
from ivr.store.upkeep import WIPED

SCRIPTS = Path(__file__).parent / "migrations"
UPGRADE_S = 120.0
ADVISORY_LOCK = 0x49565242  # PostgreSQL: several instances starting at once upgrade one after the other

# Alembic's own context is one a process, so upgrades of two stores take turns.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class Branch:
    """Migrations of one group of tables: files in ``versions``. ``name`` "" is the store's own."""

    name: str
    versions: Path

    @property
    def version_table(self) -> str:
        return f"alembic_version_{self.name}" if self.name else "alembic_version"

    def config(self) -> Config:
        made = Config()
        made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
        made.set_main_option("path_separator", "newline")
        made.set_main_option("version_locations", str(self.versions).replace("%", "%%"))
        made.attributes["version_table"] = self.version_table
        return made

    def named(self, revision: str) -> str:
        return f"{self.name} {revision or 'none'}" if self.name else revision


CORE = Branch("", SCRIPTS / "versions")


def head(branches: Sequence[Branch]) -> str:
    """The newest revisions in the packages: "0002, films 0001"."""
    scripts = (ScriptDirectory.from_config(branch.config()) for branch in branches)
    return _joined(branches, [each.get_current_head() or "" for each in scripts])


async def revision(connection: AsyncConnection, branches: Sequence[Branch]) -> str:
    """The database's revisions, "" when it has none."""

    def current(sync: Connection) -> list[str]:
        contexts = (
            MigrationContext.configure(sync, opts={"version_table": branch.version_table}) for branch in branches
        )
        return [context.get_current_revision() or "" for context in contexts]

    return _joined(branches, await connection.run_sync(current))


def _joined(branches: Sequence[Branch], revisions: Sequence[str]) -> str:
    if not any(revisions):
        return ""
    return ", ".join(branch.named(each) for branch, each in zip(branches, revisions, strict=True))


async def upgrade(url: URL, branches: Sequence[Branch]) -> None:
    """To head, in a thread with a loop of its own: Alembic reads files and blocks. Raises StoreUnavailable."""
    try:
        async with asyncio.timeout(UPGRADE_S):
            await asyncio.to_thread(_upgrade_in_thread, url, branches)
    except CommandError as error:
        raise StoreUnavailable(
            f"the database could not be upgraded: {error}",
            remedy="it was made by a newer release: start that one, or restore a backup",
        ) from error
    except Unreachable as error:
        raise fault(error, "the database could not be upgraded") from error


def _upgrade_in_thread(url: URL, branches: Sequence[Branch]) -> None:
    with _ONE_AT_A_TIME:
        asyncio.run(_upgrade(url, branches))


async def _upgrade(url: URL, branches: Sequence[Branch]) -> None:
    sqlite = url.get_backend_name() == "sqlite"
    new = sqlite and _made(str(url.database))
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": 30.0})
    if sqlite:
        event.listen(engine.sync_engine, "connect", _own_transactions)
        if new:
            event.listen(engine.sync_engine, "connect", _mark_wiped)
        event.listen(engine.sync_engine, "begin", _begin_immediate)
    try:
        async with engine.begin() as connection:
            if not sqlite:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
            for branch in branches:
                await connection.run_sync(_run, branch)
    finally:
        await engine.dispose()


def _made(database: str) -> bool:
    """Whether it is a file that was made now: not everybody's to read, whoever opens it next."""
    try:
        return not database.startswith("file:") and private_file.made(database)
    except OSError:  # SQLite says it better
        return False


def _mark_wiped(connection: object, _record: object) -> None:
    """What is new holds nothing that was deleted before deletion overwrote."""
    connection.execute(f"PRAGMA application_id = {WIPED}").close()  # type: ignore[attr-defined]


def _own_transactions(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # the driver would commit before every CREATE
    connection.execute("PRAGMA secure_delete=ON").close()  # type: ignore[attr-defined]


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _run(connection: Connection, branch: Branch) -> None:
    made = branch.config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")
