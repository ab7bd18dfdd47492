"""A database that is gone, frozen, locked or full of other people ends in StoreUnavailable, never in a hang."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from ivr.errors import ActionError, ConfigError, StoreUnavailable
from ivr.ports import ActionCall
from ivr.store import Store
from tests.films import actions_on, done, edited, films_on
from tests.postgres import PostgresServer

CALL = ActionCall("member.identify_by_number", {"number": "10001"}, "k", "call-1", {"call.caller": "5035550101"})
FAR_TOO_LONG_S = 30.0


async def test_a_database_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        Store(f"sqlite+aiosqlite:///{tmp_path}")


async def test_nobody_listens() -> None:
    store = Store("postgresql+asyncpg://ivr:hush@127.0.0.1:1/ivr", timeout_s=1.0)
    with pytest.raises(StoreUnavailable) as caught:
        await asyncio.wait_for(store.ping(), FAR_TOO_LONG_S)
    assert "hush" not in str(caught.value)
    with pytest.raises(ActionError):
        await actions_on(store).perform(CALL)
    with pytest.raises(StoreUnavailable):
        await store.upgrade()
    await store.close()


async def test_a_host_that_swallows_everything() -> None:
    """A server that accepts and never says a word."""

    async def swallow(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = Store(f"postgresql+asyncpg://ivr@127.0.0.1:{port}/ivr", timeout_s=0.3)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await asyncio.wait_for(store.ping(), FAR_TOO_LONG_S)
    await asyncio.wait_for(store.close(), FAR_TOO_LONG_S)
    server.close()


@pytest.mark.postgres
async def test_a_frozen_server_and_its_return(postgres_server: PostgresServer, seeded_postgres_url: str) -> None:
    store = Store(seeded_postgres_url, timeout_s=0.5)
    actions = actions_on(store)
    assert (await actions.perform(CALL)).outcome == "found"
    postgres_server.freeze()
    try:
        with pytest.raises(ActionError):
            await asyncio.wait_for(actions.perform(CALL), FAR_TOO_LONG_S)
        with pytest.raises(StoreUnavailable, match="a moment ago"):
            await asyncio.wait_for(films_on(store).backend.profile("10001"), FAR_TOO_LONG_S)
    finally:
        postgres_server.freeze(False)
    patient = Store(seeded_postgres_url, timeout_s=20.0)
    assert await films_on(patient).backend.profile("10001") is not None
    await patient.close()
    await store.close()


@pytest.mark.postgres
async def test_lost_connections_are_made_again(postgres_server: PostgresServer, seeded_postgres_url: str) -> None:
    store = Store(seeded_postgres_url, timeout_s=10.0)
    assert await films_on(store).backend.profile("10001") is not None
    await postgres_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname LIKE 't_%'"
    )
    assert await films_on(store).backend.profile("10001") is not None
    await store.close()


async def test_a_file_that_another_process_holds(sqlite_template: Path, tmp_path: Path) -> None:
    file = tmp_path / "ivr.sqlite3"
    file.write_bytes(sqlite_template.read_bytes())
    store = Store(f"sqlite+aiosqlite:///{file}", timeout_s=0.4)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(done(store, "notes.delete_all", "10004", key="k", call_id="c"), FAR_TOO_LONG_S)
    assert await films_on(store).backend.profile("10004") is not None  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    assert (await done(store, "notes.delete_all", "10004", key="k", call_id="c")).values == {"count": 2}
    await store.close()


async def test_no_place_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreUnavailable):
        Store(f"sqlite+aiosqlite:///{tmp_path}/file/ivr.sqlite3")


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "ivr.sqlite3").write_bytes(b"nonsense" * 1000)
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/ivr.sqlite3")
    with pytest.raises(StoreUnavailable):
        await store.upgrade()
    with pytest.raises(StoreUnavailable):
        await store.ping()
    await store.close()


async def test_a_hang_up_in_the_middle_leaves_all_or_nothing(url: str, store: Store) -> None:
    """A caller who leaves while a change is made: it is made whole or not at all, and the next one works."""
    for number in range(20):
        task = asyncio.create_task(edited(store, lambda order: ("ok", order[::-1]), key=f"k{number}", call_id="c"))
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    last = await edited(store, lambda order: ("ok", order[::-1]), key="last", call_id="c")
    assert last["after"] == last["before"][::-1]
    await store.close()  # waits for what went on in the background
    reopened = Store(url, timeout_s=10.0)
    profile = await films_on(reopened).backend.profile("10001")
    assert profile is not None
    assert len(await reopened.audit.of_call("c")) == profile.queue_version
    assert len(profile.queue) == 8
    await reopened.close()


async def test_services_on_one_database_take_turns(url: str, store: Store) -> None:
    """Three services, nothing shared but the database: 45 rotations of eight titles, none lost."""
    before = await films_on(store).backend.profile("10001")

    async def rotate(number: int) -> None:
        service = Store(url, timeout_s=20.0)
        for step in range(15):
            turn = f"{number}/{step}"
            await edited(service, lambda order: ("ok", (*order[1:], order[0])), key=turn, call_id=f"call-{number}")
        await service.close()

    await asyncio.gather(*(rotate(number) for number in range(3)))
    after = await films_on(store).backend.profile("10001")
    assert before is not None
    assert after is not None
    turn = 45 % len(before.queue)
    assert after.queue == (*before.queue[turn:], *before.queue[:turn])
    assert after.queue_version == 45


# -- what it says of itself --------------------------------------------------------------------------------------


async def refused(store: Store) -> str:
    """What an operator reads when nothing can be written."""
    with pytest.raises(StoreUnavailable) as caught:
        details = {"filling": "x" * 9000}  # a small row might still find room on a disk that is full
        await asyncio.wait_for(store.calls.begin("new", "5035550101", "2", store.now(), details), FAR_TOO_LONG_S)
    assert "5035550101" not in str(caught.value) and "INSERT INTO" not in str(caught.value)
    return str(caught.value)


def held(store: Store, statement: str) -> None:
    """Every connection of this store begins with ``statement``."""
    event.listen(store.database.engine.sync_engine, "connect", lambda connection, _: _ran(connection, statement))


def _ran(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("PRAGMA query_only = ON", "readonly database (point"),
        ("PRAGMA max_page_count = 1", "database or disk is full (free space"),
    ],
)
async def test_a_full_disk_and_a_read_only_file(
    sqlite_template: Path, tmp_path: Path, statement: str, words: str
) -> None:
    (tmp_path / "ivr.sqlite3").write_bytes(sqlite_template.read_bytes())
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/ivr.sqlite3", timeout_s=1.0)
    held(store, statement)
    for n in range(200):
        try:
            await store.calls.begin(f"call-{n}", "1", "2", store.now(), {"filling": "x" * 4000})
        except StoreUnavailable:
            break
    assert words in await refused(store)
    await store.close()


async def test_a_lock_and_a_missing_table(sqlite_template: Path, tmp_path: Path) -> None:
    file = tmp_path / "ivr.sqlite3"
    file.write_bytes(sqlite_template.read_bytes())
    store = Store(f"sqlite+aiosqlite:///{file}", timeout_s=0.4)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "another program holds the database" in await refused(store)
        other.execute("ROLLBACK")
        other.execute("DROP TABLE calls")
    assert "no such table: calls (run ivr db upgrade" in await refused(store)
    await store.close()


@pytest.mark.parametrize("when", ["at start", "later"])
async def test_a_damaged_file(sqlite_template: Path, tmp_path: Path, when: str) -> None:
    file = tmp_path / "ivr.sqlite3"
    whole = sqlite_template.read_bytes()
    file.write_bytes(b"nonsense" * 1000 if when == "at start" else whole[:4096] + b"\xff" * (len(whole) - 4096))
    store = Store(f"sqlite+aiosqlite:///{file}")
    if when == "at start":
        with pytest.raises(StoreUnavailable, match="restore a backup"):
            await store.upgrade()
    assert "the database is damaged: restore a backup" in await refused(store)
    await store.close()


@pytest.mark.postgres
async def test_a_server_that_refuses_says_why(postgres_server: PostgresServer, postgres_url: str) -> None:
    """Wrong database, wrong user, read-only: at start and later, never a traceback."""
    cases = {
        postgres_server.url("nowhere"): "check user, password and database name",
        postgres_url.replace("postgres@", "nobody_here@"): "check user, password and database name",
    }
    for url, words in cases.items():
        store = Store(url, timeout_s=10.0)
        with pytest.raises(StoreUnavailable, match=words):
            await store.upgrade()
        assert words in await refused(store)
        await store.close()
    store = Store(postgres_url, timeout_s=10.0)
    assert "relation" in (before := await refused(store)) and "run ivr db upgrade" in before
    await store.upgrade()
    await store.close()
    name = postgres_url.rpartition("/t_")[2].partition("?")[0]
    await postgres_server.execute(f"ALTER DATABASE t_{name} SET default_transaction_read_only = on")
    store = Store(postgres_url, timeout_s=10.0)
    assert "point [store] url at the primary" in await refused(store)
    await store.close()
