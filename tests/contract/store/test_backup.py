"""Backup, restore and check on both databases: a round trip while calls are written, and what is no backup."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.cli import db
from ivr.config import Config, StoreConfig
from ivr.errors import ConfigError, IvrError, StoreUnavailable
from ivr.record import Entry, Understood
from ivr.store import Store
from tests.films import films_store
from tests.postgres import PostgresServer


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    db.add(parser.add_subparsers())
    return parser.parse_args(["db", *words])


async def told(url: str, *words: str) -> str:
    return await db.run(Config(store=StoreConfig(url=url)), arguments(*words))


@pytest.fixture(autouse=True)
def programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client programs are the server's own: those of another version refuse it."""
    if "postgres" in request.node.name:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        monkeypatch.setenv("PATH", f"{server.bin}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Iterator[str]:
    """An empty place of the same kind."""
    if url.startswith("sqlite"):
        yield f"sqlite+aiosqlite:///{tmp_path}/restored/ivr.sqlite3"
    else:
        yield request.getfixturevalue("postgres_url")


async def write_calls(store: Store, begun: asyncio.Event, stop: asyncio.Event) -> int:
    """As a line does: a call's row and what is said in it, in one transaction after the other."""
    count = 0
    while not stop.is_set():
        call_id = f"call-{count}"
        await store.calls.begin(call_id, "+15035550101", "+15035550199", datetime.now(UTC), {})
        entries = [Entry(Understood(f"word {n}"), datetime.now(UTC)) for n in range(5)]
        await store.calls.append_all(call_id, entries, 0)
        await store.calls.finish(call_id, "resolved", datetime.now(UTC), {})
        count += 1
        begun.set()
    return count


async def test_a_round_trip_while_calls_are_written(url: str, store: Store, elsewhere: str, tmp_path: Path) -> None:
    begun, stop = asyncio.Event(), asyncio.Event()
    writing = asyncio.ensure_future(write_calls(store, begun, stop))
    await begun.wait()
    before = len(await store.calls.recent(10_000, live=False))
    file = tmp_path / "backup"
    said = await told(url, "backup", str(file))
    assert file.stat().st_mode & 0o777 == 0o600 and "recordings are files beside it" in said
    stop.set()
    written = await writing
    assert not list(tmp_path.glob("*.part*"))
    assert "at revision" in await told(elsewhere, "restore", str(file))
    other = films_store(elsewhere, timeout_s=10.0)
    found = await other.calls.recent(100_000)
    assert before <= len(found) <= written
    whole = [call for call in found if call["ended_at"]]
    assert len(found) - len(whole) <= 1, "a moment's state: at most the one call that was under way"
    for call in (whole[0], whole[-1]):
        kept = await other.calls.get(call["call_id"])
        assert kept is not None and len(kept["entries"]) == 5
    checked = await told(elsewhere, "check")
    assert f"{len(found)} calls" in checked and "is read: 5 entries" in checked and "8 members" in checked
    await store.calls.begin("after", "a", "b", datetime.now(UTC), {})
    assert await other.calls.get("after") is None, "they are two"
    await other.close()


async def test_nothing_is_overwritten(url: str, elsewhere: str, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    await told(url, "backup", str(file))
    kept = file.read_bytes()
    with pytest.raises(ConfigError, match="is there already"):
        await told(url, "backup", str(file))
    assert file.read_bytes() == kept
    with pytest.raises(ConfigError, match=r"is there already|is not empty"):
        await told(url, "restore", str(file))
    await told(elsewhere, "restore", str(file))
    with pytest.raises(ConfigError, match=r"is there already|is not empty"):
        await told(elsewhere, "restore", str(file))
    with pytest.raises(ConfigError, match="there is no folder"):
        await told(url, "backup", str(tmp_path / "no" / "such"))


def cut(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def changed(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        opened.write(b"\xff" * 20_000)


def foreign(file: Path) -> None:
    file.write_text("PK: a letter, not a database\n" * 100)


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("harm", [cut, changed, foreign, empty, Path.unlink])
async def test_what_is_no_backup_is_told_and_nothing_is_made(
    url: str, elsewhere: str, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    file = tmp_path / "backup"
    await told(url, "backup", str(file))
    harm(file)
    with pytest.raises(IvrError, match=r"nothing was|name a file|take another") as failed:
        await told(elsewhere, "restore", str(file))
    assert str(file) in str(failed.value) or "pg_restore" in str(failed.value)
    assert not (tmp_path / "restored" / "ivr.sqlite3").exists()
    other = films_store(elsewhere, timeout_s=10.0)
    if not other.database.sqlite:
        assert (await other.status()).revision == "", "all of it or nothing"
    await other.close()


async def test_the_other_kind_of_database_is_told_apart(url: str, tmp_path: Path, postgres_server: object) -> None:
    file = tmp_path / "backup"
    await told(url, "backup", str(file))
    if url.startswith("sqlite"):
        wrong = "postgresql+asyncpg://nobody@192.0.2.1/none"
    else:
        wrong = f"sqlite+aiosqlite:///{tmp_path}/x.sqlite3"
    with pytest.raises(ConfigError, match=r"is of (an SQLite database|a PostgreSQL)"):
        await told(wrong, "restore", str(file))
    if url.startswith("sqlite"):
        strange = tmp_path / "strange"
        with closing(sqlite3.connect(strange)) as made:
            made.execute("CREATE TABLE bookmarks (url TEXT)")
        with pytest.raises(ConfigError, match="some other program's"):
            await told(f"sqlite+aiosqlite:///{tmp_path}/y.sqlite3", "restore", str(strange))


async def test_a_half_made_backup_is_never_taken_for_one(url: str, tmp_path: Path, elsewhere: str) -> None:
    file = tmp_path / "backup.part"
    await told(url, "backup", str(tmp_path / "backup"))
    shutil.copy(tmp_path / "backup", file)
    if url.startswith("sqlite"):
        with pytest.raises(ConfigError, match="or not to its end"):
            await told(elsewhere, "restore", str(file))


async def test_check_finds_damage(url: str, store: Store, tmp_path: Path) -> None:
    if not store.database.sqlite:
        assert "rows, all read" in await told(url, "check")
        return
    rows = (await told(url, "check")).partition("rows, all read: ")[2]
    assert "\nempty: " in rows and max(map(len, rows.splitlines())) <= 110 and " 0 " not in rows
    await store.close()
    file = tmp_path / "ivr.sqlite3"
    assert "every page, index and reference is whole" in await told(url, "check")
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    changed(file)
    with pytest.raises((StoreUnavailable, IvrError), match=r"damaged|malformed|failed"):
        await told(url, "check")
    with pytest.raises(IvrError):
        await told(url, "backup", str(tmp_path / "backup"))
    assert not (tmp_path / "backup").exists() and not list(tmp_path.glob("*.part*"))


async def test_check_of_an_empty_database(empty_url: str, tmp_path: Path) -> None:
    if empty_url.startswith("sqlite"):
        (tmp_path / "empty.sqlite3").touch()
    with pytest.raises(ConfigError, match=r"is empty .*ivr db restore FILE"):
        await told(empty_url, "check")


async def test_without_pg_dump_it_is_said_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"pg_dump is not installed here .*postgresql-client"):
        await told("postgresql+asyncpg://nobody@192.0.2.1/none", "backup", str(tmp_path / "x"))
    assert list(tmp_path.iterdir()) == []
