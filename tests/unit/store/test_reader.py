"""What is read by itself from SQLite: on a connection of its own, which is nobody else's hindrance when it breaks."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, insert, select

from ivr.errors import StoreUnavailable
from ivr.store.database import Database

METADATA = MetaData()
PHONES = Table("phones", METADATA, Column("number", String), Column("member", Integer))
OF = select(PHONES.c.member, PHONES.c.number).where(PHONES.c.number == bindparam("wanted")).order_by(PHONES.c.member)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{path}", timeout_s=5.0)
    try:
        await database.write(lambda connection: connection.run_sync(METADATA.create_all))
        yield database
    finally:
        await database.close()


async def keep(database: Database, number: str, member: int) -> None:
    await database.write(lambda connection: connection.execute(insert(PHONES), {"number": number, "member": member}))


async def test_what_was_written_is_read_and_many_may_ask_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db") as database:
        ways: list[tuple[str, bool]] = []
        await keep(database, "1503", 2)
        await keep(database, "1503", 1)
        database.on_transaction = lambda way, took_s, done: ways.append((way, done))
        found = await asyncio.gather(*(database.rows(OF, wanted=number) for number in ("1503", "1504", "1503")))
        assert [list(rows) for rows in found] == [[(1, "1503"), (2, "1503")], [], [(1, "1503"), (2, "1503")]]
        await keep(database, "1504", 3)
        assert list(await database.rows(OF, wanted="1504")) == [(3, "1504")]
        assert ways == [("read", True)] * 3 + [("write", True), ("read", True)]


async def test_it_is_no_transaction_that_others_wait_for(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with opened(path) as database:
        await keep(database, "1503", 1)
        await database.rows(OF, wanted="1503")
        other = sqlite3.connect(path, timeout=0.0)
        busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        other.close()
        assert not busy


async def test_a_connection_that_broke_is_followed_by_another(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db") as database:
        await keep(database, "1503", 1)
        assert list(await database.rows(OF, wanted="1503")) == [(1, "1503")]
        broken = database._reader
        assert broken is not None and broken._opening is not None
        _, driver = broken._opening.result()
        await driver.close()
        for _ in range(2):
            assert list(await database.rows(OF, wanted="1503")) == [(1, "1503")]
        assert database._reader is not None and database._reader is not broken


async def test_what_is_wrong_is_told_as_of_any_read(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db") as database:
        await keep(database, "1503", 1)
        assert await database.rows(OF, wanted="1503")
        await database.write(lambda connection: connection.run_sync(METADATA.drop_all))
        with pytest.raises(StoreUnavailable):
            await database.rows(OF, wanted="1503")


async def test_whoever_is_cancelled_while_it_is_opened_takes_it_from_nobody_else(tmp_path: Path) -> None:
    async with opened(tmp_path / "x.db") as database:
        await keep(database, "1503", 1)
        first, second = (asyncio.create_task(database.rows(OF, wanted="1503")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert list(await second) == [(1, "1503")]
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_in_memory_there_is_one_connection_for_all(tmp_path: Path) -> None:
    database = Database("sqlite+aiosqlite://")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await keep(database, "1503", 1)
    assert list(await database.rows(OF, wanted="1503")) == [(1, "1503")]
    await database.close()
