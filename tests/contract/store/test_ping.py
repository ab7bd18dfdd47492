"""The store's ping: whether a call could be written down now, in both databases, without leaving anything behind."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url

from ivr.errors import StoreUnavailable
from ivr.store import Store
from tests.postgres import PostgresServer


async def test_a_store_that_can_be_written_to(store: Store) -> None:
    await store.calls.begin("call-1", "5035550101", "5035550199", datetime.now(UTC), {})
    before = await store.calls.get("call-1")
    for _ in range(3):
        await store.ping()
    assert await store.calls.get("call-1") == before


async def test_somebody_else_holds_the_lock_of_sqlite(tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'ivr.sqlite3'}", timeout_s=0.4)
    await store.upgrade()
    await store.ping()
    other = sqlite3.connect(tmp_path / "ivr.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="can't be written to: database is locked"):
        await store.ping()
    assert await store.calls.get("nobody") is None, "what can be read is read"
    other.execute("ROLLBACK")
    other.close()
    await store.ping()
    await store.close()


async def test_a_file_of_sqlite_that_may_only_be_read(tmp_path: Path) -> None:
    path = tmp_path / "ivr.sqlite3"
    store = Store(f"sqlite+aiosqlite:///{path}")
    await store.upgrade()
    await store.ping()
    await store.close()
    read_only = Store(f"sqlite+aiosqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(StoreUnavailable, match="can't be written to: attempt to write a readonly database"):
        await read_only.ping()
    assert await read_only.calls.get("nobody") is None
    await read_only.close()


FULL = """
import asyncio, resource, sys
from pathlib import Path
from ivr.errors import StoreUnavailable
from ivr.store import Store

async def main():
    store = Store(f"sqlite+aiosqlite:///{sys.argv[1]}")
    await store.upgrade()
    await store.ping()
    size = Path(sys.argv[1] + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        await store.ping()
    except StoreUnavailable as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await asyncio.sleep(0.6)
    await store.ping()
    print("ok")
    await store.close()

asyncio.run(main())
"""


async def test_a_disk_that_is_full_under_sqlite(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "ivr.sqlite3")]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    told = done.stdout.splitlines()
    assert any(line.startswith("it can't be written to: disk I/O error") for line in told), done.stdout + done.stderr
    assert told[-1] == "ok"


@pytest.mark.postgres
async def test_a_table_of_postgresql_that_is_locked(postgres_server: PostgresServer, seeded_postgres_url: str) -> None:
    store = Store(seeded_postgres_url, timeout_s=0.5)
    async with store.database.engine.connect() as other:
        await other.exec_driver_sql("LOCK TABLE calls IN EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await store.ping()
        await other.rollback()
    await asyncio.sleep(0.6)
    await store.ping()
    await store.close()


@pytest.mark.postgres
async def test_a_server_that_only_reads(postgres_server: PostgresServer, seeded_postgres_url: str) -> None:
    name = make_url(seeded_postgres_url).database
    await postgres_server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    store = Store(seeded_postgres_url)
    try:
        with pytest.raises(StoreUnavailable, match=r"read-only transaction.*at the primary"):
            await store.ping()
    finally:
        await postgres_server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
        await store.close()
