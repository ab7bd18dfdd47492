"""Backup of the database while lines write to it, and its restoring into an empty place.

SQLite: one step of its online backup under a reader's lock, which in WAL mode holds up no writer, then looked through
and made a single file. PostgreSQL: ``pg_dump`` and ``pg_restore``, in their format. Neither has recordings or keys.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import URL, Connection

from ivr import private_file
from ivr.errors import ConfigError, StoreUnavailable
from ivr.store.database import Database

SQLITE_MAGIC = b"SQLite format 3\x00"
POSTGRES_MAGIC = b"PGDMP"
VERSIONS = "alembic_version"
PART = ".part"
_TOLD = 500  # characters of a program's complaint


async def back_up(database: Database, target: Path) -> None:
    """``target`` is made, readable by this user only: whole, or not at all. Raises ConfigError where there is something
    already, StoreUnavailable, OSError."""
    _free(target)
    part = target.with_name(target.name + PART)
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        if database.sqlite:
            await asyncio.to_thread(_copied, _file(database), part)
        else:
            await _run(_pg("pg_dump"), ["--format=custom", "--no-owner", "--no-acl", f"--file={part}"], database.url)
        await asyncio.to_thread(_synced, part)
        part.replace(target)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{database.name}: {error}", remedy="see that it is there, and ivr db check") from error
    finally:
        for left in (part, Path(f"{part}-journal"), Path(f"{part}-wal"), Path(f"{part}-shm")):
            left.unlink(missing_ok=True)


async def restore(database: Database, source: Path) -> None:
    """``source``, looked through first, into a database that isn't there yet, or has no tables. Raises ConfigError for
    what is no backup of this kind, is damaged or cut off, and for a place that is not empty; StoreUnavailable,
    OSError."""
    await asyncio.to_thread(_is_backup, source, database.sqlite)
    if database.sqlite:
        await asyncio.to_thread(_put_back, source, _file(database))
        return
    if await database.read(lambda connection: connection.run_sync(tables)):
        raise ConfigError(f"{database.name} is not empty", remedy="name a new database; nothing was changed")
    arguments = ["--no-owner", "--no-acl", "--exit-on-error", "--single-transaction", str(source)]
    await _run(_pg("pg_restore"), [f"--dbname={database.url.database}", *arguments], database.url)


def trouble_in(file: Path) -> str:
    """What SQLite finds wrong in ``file``; "" for nothing."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)) as opened:
            found = [str(row[0]) for row in opened.execute("PRAGMA integrity_check(10)")]
            broken = opened.execute("PRAGMA foreign_key_check").fetchmany(10)
    except sqlite3.Error as error:
        return str(error)
    found = [each for each in found if each != "ok"]
    return "; ".join([*found, *(f"{row[0]} row {row[1]} refers to no {row[2]}" for row in broken)])


def tables(connection: Connection) -> Sequence[str]:
    """Their names, all that there are."""
    return inspect(connection).get_table_names()


def _file(database: Database) -> Path:
    if database.in_memory:
        raise ConfigError("a database in memory has no backup", remedy="name one in a file: [store] url")
    return Path(str(database.url.database).removeprefix("file:").partition("?")[0])


def _free(target: Path) -> None:
    if target.exists():
        raise ConfigError(f"{target} is there already", remedy="name a new file; backups are never overwritten")
    if not target.parent.is_dir():
        raise ConfigError(f"there is no folder {target.parent}", remedy="make it, readable by this user only")


def _copied(source: Path, part: Path) -> None:
    from_ = f"{source.resolve().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(from_, uri=True, timeout=5.0)) as opened,
        closing(sqlite3.connect(part)) as copy,
    ):
        opened.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, whole by itself
    if trouble := trouble_in(part):
        raise StoreUnavailable(f"the copy is damaged, so the database is: {trouble}", remedy="ivr db check says more")


def _is_backup(source: Path, sqlite: bool) -> None:
    try:
        with source.open("rb") as file:
            head = file.read(100)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ConfigError(f"{source}: {error.strerror}", remedy="name a file that ivr db backup made") from error
    whole = "it was not made by ivr db backup, or not to its end"
    if head.startswith(POSTGRES_MAGIC) and sqlite:
        raise ConfigError(f"{source} is of a PostgreSQL", remedy="name one by --database postgresql+asyncpg://…")
    if head.startswith(SQLITE_MAGIC) and not sqlite:
        raise ConfigError(f"{source} is of an SQLite database", remedy="name one by --database sqlite+aiosqlite:///…")
    if source.suffix == PART or not head.startswith(SQLITE_MAGIC if sqlite else POSTGRES_MAGIC):
        raise ConfigError(f"{source} is no backup: {whole}", remedy="take another one; nothing was changed")
    if not sqlite:
        return
    page = int.from_bytes(head[16:18], "big")
    if size < int.from_bytes(head[28:32], "big") * (65536 if page == 1 else page):
        raise ConfigError(f"{source} is cut off: {whole}", remedy="take another one; nothing was changed")
    if trouble := trouble_in(source):
        raise ConfigError(f"{source} is damaged: {trouble}", remedy="take another one; nothing was changed")
    with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as opened:
        named = opened.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?", (VERSIONS,)
        ).fetchone()
    if named is None:
        raise ConfigError(f"{source} is some other program's database", remedy="name a file that ivr db backup made")


def _put_back(source: Path, target: Path) -> None:
    for each in (target, Path(f"{target}-wal"), Path(f"{target}-shm"), Path(f"{target}-journal")):
        if each.exists():
            raise ConfigError(
                f"{each} is there already", remedy="move it away, or name a new place; nothing was changed"
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + PART)
    try:
        part.unlink(missing_ok=True)
        private_file.made(part, 0o600)
        shutil.copyfile(source, part)
        _synced(part)
        os.link(part, target)  # never over one that has come meanwhile
    except FileExistsError as error:
        raise ConfigError(f"{target} is there already", remedy="nothing was changed") from error
    finally:
        part.unlink(missing_ok=True)


def _synced(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pg(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        remedy = f"install PostgreSQL's client programs (Debian: postgresql-client), or run {program} on the server"
        raise ConfigError(f"{program} is not installed here", remedy=remedy)
    return found


async def _run(program: str, arguments: Sequence[str], url: URL) -> None:
    """The password goes by the environment: arguments are seen by everybody."""
    given = {"PGHOST": url.host or url.query.get("host"), "PGPORT": url.port, "PGUSER": url.username}
    given |= {"PGPASSWORD": url.password, "PGDATABASE": url.database}
    environment = os.environ | {name: str(value) for name, value in given.items() if value}
    process = await asyncio.create_subprocess_exec(
        program, *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, complaint = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        told = complaint.decode(errors="replace").strip()[-_TOLD:]
        raise StoreUnavailable(f"{Path(program).name}: {told}", remedy="nothing was made or changed")
