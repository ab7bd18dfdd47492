"""An index is made while lines write, and once more where that was interrupted; upgrades wait for each other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from ivr.store import Store
from ivr.store.migration import ADVISORY_LOCK, CORE, Branch, upgrade

MIGRATION = '''"""Calls by the number that was called."""

from ivr.store.online_index import create_index_online

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_index_online("ix_calls_called", "calls", ["called"])
'''
WRITES = "INSERT INTO calls (call_id, caller, called, started_at, details) VALUES ($1, '1', '2', now(), '{}')"
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_calls_called')"


@pytest.fixture
def indexes(tmp_path: Path) -> Branch:
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "0001_calls_by_number.py").write_text(MIGRATION)
    return Branch("indexes", versions)


async def connected(store: Store) -> asyncpg.Connection:
    dsn = store.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return await asyncpg.connect(dsn)


@pytest.mark.postgres
async def test_lines_write_meanwhile_and_what_was_interrupted_is_made_anew(
    seeded_postgres_url: str, indexes: Branch
) -> None:
    store = Store(seeded_postgres_url)
    long, line = await connected(store), await connected(store)
    under_way = long.transaction()
    await under_way.start()
    await long.execute(WRITES, "long")
    making = asyncio.create_task(upgrade(store.database.url, (CORE, indexes)))
    async with asyncio.timeout(20):
        while await line.fetchval(VALID) is None:  # noqa: ASYNC110 - another session's work
            await asyncio.sleep(0.02)
        await line.execute(WRITES, "line")
        assert await line.fetchval(VALID) is False and not making.done(), "it waits for who wrote before"
        await under_way.commit()
        await making
    assert await line.fetchval(VALID) is True

    await line.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_calls_called'::regclass")
    await line.execute("DELETE FROM alembic_version_indexes")
    await upgrade(store.database.url, (CORE, indexes))
    assert await line.fetchval(VALID) is True
    for connection in (long, line):
        await connection.close()
    await store.close()


@pytest.mark.postgres
async def test_who_waits_for_another_upgrade_holds_up_no_index_of_its(
    seeded_postgres_url: str, indexes: Branch
) -> None:
    """Waiting inside of a statement it would: the index waits for every statement that began before it."""
    store = Store(seeded_postgres_url)
    first = await connected(store)
    await first.execute(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
    waiting = asyncio.create_task(upgrade(store.database.url, (CORE, indexes)))
    await asyncio.sleep(1)
    async with asyncio.timeout(20):
        await first.execute("CREATE INDEX CONCURRENTLY ix_first ON calls (caller)")
        assert not waiting.done()
        await first.execute(f"SELECT pg_advisory_unlock({ADVISORY_LOCK})")
        await waiting
    assert await first.fetchval(VALID) is True
    await first.close()
    await store.close()


async def test_a_file_gets_it_as_any_other(tmp_path: Path, indexes: Branch) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/ivr.sqlite3")
    await upgrade(store.database.url, (CORE, indexes))
    found = await store.database.read(
        lambda connection: connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'ix_calls_called'"))
    )
    assert found.first() is not None
    await store.close()
