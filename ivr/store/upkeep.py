"""Upkeep of a database: work that one process does at a time, and what deletion leaves in SQLite's files."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.store.database import Database
from ivr.store.faults import REMEDY

WIPED = 0x49565231  # "IVR1"


@asynccontextmanager
async def alone(database: Database, what: str) -> AsyncIterator[bool]:
    """Whether no other process on this database does ``what`` meanwhile, for work of many transactions: an advisory
    lock of a session. SQLite has one writer anyway. Raises StoreUnavailable."""
    if database.sqlite:
        yield True
        return
    held: list[AsyncConnection] = []
    try:
        try:
            async with asyncio.timeout(database.timeout_s):
                free = await _locked(database, what, held)
        except (TimeoutError, OSError, SQLAlchemyError) as error:
            raise StoreUnavailable("the database does not answer", remedy=REMEDY) from error
        yield free
    finally:
        for connection in held:  # the lock ends with its session
            with suppress(TimeoutError, OSError, SQLAlchemyError):
                async with asyncio.timeout(database.timeout_s):
                    await connection.invalidate()
                    await connection.close()


async def _locked(database: Database, what: str, held: list[AsyncConnection]) -> bool:
    connection = await database.engine.connect()
    held.append(connection)
    lock = func.pg_try_advisory_lock(func.hashtextextended(what, 0))
    free: bool = (await connection.execute(select(lock))).scalar_one()
    await connection.commit()
    return free


async def emptied_log(database: Database) -> bool:
    """SQLite's write-ahead log goes into the file and is emptied: what was deleted is in neither any more. False
    where somebody reads or writes just then. Raises StoreUnavailable."""
    if not database.sqlite or database.in_memory:
        return True
    try:
        return await asyncio.to_thread(_emptied, str(database.url.database), database.timeout_s / 4)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{database.name}: {error}", remedy=REMEDY) from error


async def wiped(database: Database) -> bool:
    """Whether an SQLite file holds nothing that was deleted before deletion overwrote: it is said in its header."""
    if not database.sqlite or database.in_memory:
        return True
    return await asyncio.to_thread(_on_file, database, "PRAGMA application_id") == WIPED


async def wipe(database: Database) -> bool:
    """Write the file anew, once in its life, without what was deleted; False where a line uses it. Raises
    StoreUnavailable."""
    if await wiped(database):
        return True
    try:
        await asyncio.to_thread(_on_file, database, "VACUUM")
        await asyncio.to_thread(_on_file, database, f"PRAGMA application_id = {WIPED}")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return False
        raise StoreUnavailable(f"{database.name}: {error}", remedy=REMEDY) from error
    return await emptied_log(database)


def _on_file(database: Database, statement: str) -> object:
    connection = sqlite3.connect(str(database.url.database), timeout=database.timeout_s / 4, isolation_level=None)
    try:
        row = connection.execute(statement).fetchone()
        return row[0] if row else None
    finally:
        connection.close()


def _emptied(file: str, timeout_s: float) -> bool:
    connection = sqlite3.connect(file, timeout=timeout_s, isolation_level=None, uri=file.startswith("file:"))
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
    finally:
        connection.close()
