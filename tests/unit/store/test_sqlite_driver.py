"""The SQLite driver: what is not waited for happens all the same, before whatever comes next on that connection."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ivr.store.sqlite_driver import Connection, connected


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Connection]:
    connection = await connected(str(path), isolation_level=None, timeout=0.1)
    assert isinstance(connection, Connection)
    try:
        yield connection
    finally:
        await connection.close()


def execute(sql: str) -> Callable[[sqlite3.Connection], sqlite3.Cursor]:
    return lambda connection: connection.execute(sql)


async def test_the_end_of_a_read_is_not_waited_for_and_comes_before_the_next_transaction(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db") as connection:
        await connection.done(execute("CREATE TABLE t (n INTEGER)"))
        connection.begin("BEGIN")
        await connection.done(execute("SELECT n FROM t"))
        await connection.commit()
        await connection.rollback()  # as a pool does
        connection.begin("BEGIN IMMEDIATE")
        await connection.done(execute("INSERT INTO t VALUES (1)"))  # would raise inside a transaction
        await connection.commit()
        assert not connection.in_transaction
    async with opened(tmp_path / "x.db") as another:
        *_, rows = await another.done(execute("SELECT n FROM t"))
        assert rows == [(1,)]


async def test_a_statement_that_nobody_waits_for_any_more_is_rolled_back(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db") as connection:
        await connection.done(execute("CREATE TABLE t (n INTEGER)"))
        connection.begin("BEGIN IMMEDIATE")
        inserting = asyncio.create_task(connection.done(execute("INSERT INTO t VALUES (1)")))
        await asyncio.sleep(0)  # it is asked for, and not done yet
        inserting.cancel()
        await asyncio.gather(inserting, return_exceptions=True)
        await connection.rollback()
        assert not connection.in_transaction
        *_, rows = await connection.done(execute("SELECT n FROM t"))
        assert rows == []


async def test_who_is_cancelled_while_a_connection_is_closed_waits_for_nobody() -> None:
    """A pool that gives it up then stops it, too: its thread is gone by the time that the second one asks."""
    connection = await connected(":memory:")
    closing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)
    stopping = connection.stop()
    closing.cancel()
    done, _ = await asyncio.wait({closing}, timeout=5.0)
    assert done == {closing}
    assert stopping is not None
    await asyncio.wait_for(stopping, 5.0)  # its thread answers this loop: it ends no sooner


async def test_a_further_connection_takes_nobodys_lock_away_and_files_are_not_everybodys(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    elsewhere = f"import sqlite3; sqlite3.connect({str(path)!r}, timeout=0.1).execute('CREATE TABLE u (n INTEGER)')"
    async with opened(path) as connection:
        assert path.stat().st_mode & 0o007 == 0
        await connection.done(execute("BEGIN IMMEDIATE"))
        async with opened(path):
            pass
        other = await asyncio.create_subprocess_exec(sys.executable, "-c", elsewhere, stderr=asyncio.subprocess.PIPE)
        _, said = await other.communicate()
        assert b"database is locked" in said
        await connection.done(execute("COMMIT"))
