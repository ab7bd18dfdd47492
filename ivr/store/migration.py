"""Alembic, driven from code: the migrations travel inside the package and need no alembic.ini.

The store's own tables and a company's are separate branches, each with a version table of its own: a company may come
or go without the other noticing.

A release expands the schema (tables, columns that may be left out, indexes) and a later one contracts it, so that
lines of two releases share a database while they are upgraded one by one. A program therefore runs on a schema that is
newer than itself, unless a migration that contracts has raised the branch's floor above what the program knows.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, String, column, event, inspect, select, table, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from ivr import private_file
from ivr.errors import StoreUnavailable
from ivr.store.faults import Unreachable, fault
from ivr.store.process_tables import schema_floors
from ivr.store.revisions import at_head, revisions
from ivr.store.upkeep import WIPED

if TYPE_CHECKING:  # a tenth of a second, and a start on a schema that is current has nothing for it to do
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import Script

SCRIPTS = Path(__file__).parent / "migrations"
UPGRADE_S = 120.0
TURN_S = 0.2  # between two looks whether another upgrade is done
ADVISORY_LOCK = 0x49565242  # PostgreSQL: several upgrades run one after the other
NEWER = "it was made by a newer release: start that one, or restore a backup"

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
        from alembic.config import Config

        made = Config()
        made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
        made.set_main_option("path_separator", "newline")
        made.set_main_option("version_locations", str(self.versions).replace("%", "%%"))
        made.attributes["version_table"] = self.version_table
        return made

    def named(self, revision: str) -> str:
        return f"{self.name} {revision or 'none'}" if self.name else revision

    def steps(self) -> Sequence[Script]:
        """Every migration, the first one first."""
        from alembic.script import ScriptDirectory

        return [*ScriptDirectory.from_config(self.config()).walk_revisions()][::-1]

    def known(self) -> Sequence[str]:
        """The revisions of the same."""
        found = revisions(self.versions)
        return found if found is not None else [step.revision for step in self.steps()]

    def newest(self) -> str:
        """The last of them; "" where there is none."""
        return known[-1] if (known := self.known()) else ""


CORE = Branch("", SCRIPTS / "versions")


@dataclass(frozen=True, slots=True)
class Standing:
    """A branch of a database as this program sees it. ``revision``: "" where there is none. ``newer``: a program of a
    later release has upgraded it; ``runs``: this one may run on it; ``pending``: migrations that it has not yet."""

    revision: str
    newer: bool
    runs: bool
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration that was run: its revision, with its branch's name, what it is, and how long it took."""

    revision: str
    title: str
    took_s: float


Tell = Callable[[Applied], None]


def head(branches: Sequence[Branch]) -> str:
    """The newest revisions in the packages: "0002, films 0001"."""
    return joined(branches, [branch.newest() for branch in branches])


def joined(branches: Sequence[Branch], revisions: Sequence[str]) -> str:
    """ "" where there is none."""
    if not any(revisions):
        return ""
    return ", ".join(branch.named(each) for branch, each in zip(branches, revisions, strict=True))


async def standings(connection: AsyncConnection, branches: Sequence[Branch]) -> Sequence[Standing]:
    return [await connection.run_sync(_standing, branch) for branch in branches]


def _standing(connection: Connection, branch: Branch) -> Standing:
    revision, known = _revision(connection, branch), branch.known()
    if revision and revision not in known:
        floor = _floor(connection, branch)
        return Standing(revision, newer=True, runs=floor is None or floor in known)
    pending = len(known) - (known.index(revision) + 1 if revision else 0)
    return Standing(revision, newer=False, runs=not pending, pending=pending)


def _revision(connection: Connection, branch: Branch) -> str:
    """ "" where there is none. Raises StoreUnavailable for several: no program of ours leaves that behind."""
    if not inspect(connection).has_table(branch.version_table):
        return ""
    query = select(column("version_num", String)).select_from(table(branch.version_table))
    found: Sequence[str] = connection.execute(query).scalars().all()
    if len(found) > 1:
        raise StoreUnavailable(f"{branch.version_table} has {len(found)} rows, not one", remedy="restore a backup")
    return found[0] if found else ""


def _floor(connection: Connection, branch: Branch) -> str | None:
    """Who does not know this revision does not run; None: nobody is kept out."""
    if not inspect(connection).has_table(schema_floors.name):
        return ""  # from before there were floors: no program knows of any
    query = select(schema_floors.c.revision).where(schema_floors.c.branch == branch.name)
    return connection.execute(query).scalar_one_or_none()


async def upgrade(
    url: URL,
    branches: Sequence[Branch],
    tell: Tell = lambda applied: None,
    timeout_s: float | None = UPGRADE_S,
) -> None:
    """To this program's head, in a thread with a loop of its own: Alembic reads files and blocks. A branch that is
    newer and that this program may run on stays as it is. ``tell`` hears, in that thread, of each migration once it is
    done; ``timeout_s`` None: as long as it takes. Raises StoreUnavailable."""
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.to_thread(_upgrade_in_thread, url, branches, tell)
    except Unreachable as error:
        raise fault(error, "the database could not be upgraded") from error


def _upgrade_in_thread(url: URL, branches: Sequence[Branch], tell: Tell) -> None:
    if url.get_backend_name() == "sqlite" and _current(str(url.database), branches):
        return
    from alembic.util import CommandError

    with _ONE_AT_A_TIME:
        try:
            asyncio.run(_upgrade(url, branches, tell))
        except CommandError as error:
            raise StoreUnavailable(f"the database could not be upgraded: {error}", remedy=NEWER) from error


def _current(database: str, branches: Sequence[Branch]) -> bool:
    """Whether nothing is to be done to a file; whatever is odd about it, the upgrade finds out."""
    heads = {branch.version_table: branch.newest() for branch in branches}
    return not database.startswith("file:") and at_head(Path(database), heads)


async def _upgrade(url: URL, branches: Sequence[Branch], tell: Tell) -> None:
    """On SQLite all at once, since any line that starts may do it; on PostgreSQL each migration by itself, as an index
    that is made while lines write is in no transaction."""
    sqlite = url.get_backend_name() == "sqlite"
    new = sqlite and _made(str(url.database))
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": 30.0})
    if sqlite:
        event.listen(engine.sync_engine, "connect", _own_transactions)
        if new:
            event.listen(engine.sync_engine, "connect", _mark_wiped)
        event.listen(engine.sync_engine, "begin", _begin_immediate)
    try:
        async with engine.connect() as connection:
            if sqlite:
                async with connection.begin():
                    for branch in branches:
                        await connection.run_sync(_run, branch, tell, False)
                return
            await _alone(connection)
            for branch in branches:
                await connection.run_sync(_run, branch, tell, True)
                await connection.commit()
    finally:
        await engine.dispose()  # which ends the session, and its lock


async def _alone(connection: AsyncConnection) -> None:
    """Never waiting inside of a statement: an index made concurrently waits for everybody who does."""
    while not (await connection.execute(text(f"SELECT pg_try_advisory_lock({ADVISORY_LOCK})"))).scalar_one():
        await connection.commit()
        await asyncio.sleep(TURN_S)
    await connection.commit()


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


def _run(connection: Connection, branch: Branch, tell: Tell, step_by_step: bool) -> None:
    standing = _standing(connection, branch)
    if step_by_step:
        connection.commit()  # what was read began a transaction, and each migration has its own
    if standing.newer:
        if not standing.runs:
            why = f"revision {branch.named(standing.revision)} is not known here, and keeps this one out"
            raise StoreUnavailable(f"the database could not be upgraded: {why}", remedy=NEWER)
        return
    began = time.monotonic()

    def applied(ctx: MigrationContext, step: Any, **_: Any) -> None:
        nonlocal began
        assert ctx.connection is not None
        _raise_floor(ctx.connection, branch, step.up_revision)
        script, now = step.up_revision, time.monotonic()
        title = (script.doc or "").partition("\n")[0].rstrip(".")
        tell(Applied(branch.named(script.revision), title, now - began))
        began = now

    from alembic import command

    made = branch.config()
    made.attributes |= {"connection": connection, "applied": applied, "step_by_step": step_by_step}
    command.upgrade(made, "head")


def _raise_floor(connection: Connection, branch: Branch, script: Script) -> None:
    """A migration that contracts says ``oldest = "0016"``: the newest revision that a program must know to run on
    what is left."""
    oldest = getattr(script.module, "oldest", None)
    if oldest is None:
        return
    connection.execute(schema_floors.delete().where(schema_floors.c.branch == branch.name))
    connection.execute(schema_floors.insert().values(branch=branch.name, revision=oldest))
