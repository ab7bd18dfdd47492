"""Retention on both databases: by kind, in small steps, by one process, told, retried, and gone from the files."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from ivr.cli import doctor
from ivr.cli.finding import Finding
from ivr.config import Config, RetentionConfig, StoreConfig
from ivr.errors import StoreUnavailable
from ivr.ports import Account, Arrival, Session
from ivr.record import Entry, Understood
from ivr.store import Store
from ivr.store.database import Database
from ivr.store.retention import AT_ONCE, FIRST_S, HOUR_S, RETENTION, about_calls
from ivr.store.retention_rules import RULES
from ivr.store.tables import call_entries, places, resume_points
from ivr.store.upkeep import alone, wipe, wiped
from tests.films import films_store

from .conftest import Time

SECRET = "the aardvark of casablanca has a wooden leg"


class Turns:
    """A clock whose sleeps are told, and end at once; the last never does."""

    def __init__(self, now: Time, sleeps: int) -> None:
        self.now = now
        self.slept: list[float] = []
        self._sleeps = sleeps

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) > self._sleeps:
            raise asyncio.CancelledError


async def called(
    store: Store, call_id: str, at: datetime, words: Sequence[str] = (SECRET,), *, over: bool = True
) -> None:
    await store.calls.begin(call_id, "+15035550101", "+15035550199", at, {})
    await store.calls.append_all(call_id, [Entry(Understood(each), at) for each in words], 0)
    if over:
        await store.calls.finish(call_id, "resolved", at, {})


async def rows(store: Store, table: str) -> int:
    async def count(connection: AsyncConnection) -> int:
        found: int = (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
        return found

    return await store.database.read(count)


def traces(database: Database, folder: Path, what: str = SECRET) -> list[str]:
    """Files of an SQLite database, or anything else in its folder, that have these bytes."""
    return [path.name for path in folder.rglob("*") if path.is_file() and what.encode() in path.read_bytes()]


async def test_each_kind_has_its_own_time(store: Store, now: Time) -> None:
    began = now()
    await called(store, "call-1", began)
    await store.handoffs.keep_context("token", "call-1", {"said": SECRET}, began + timedelta(hours=1))
    await store.calls.save_resume_point("10001", {"state": "x"}, began, call_id="call-1")
    await store.accounts.add(Account("ann", frozenset({"supervisor"})), "me", password="x")
    ends = began + timedelta(hours=2)
    session = Session("hash", Account("ann", frozenset()), "csrf", began, began, ends, "192.0.2.7", "")
    await store.accounts.begin_session(session)
    await store.verification.begin("10001", "5035550101")
    tables = (
        "resume_points",
        "verification_tries",
        "handoff_contexts",
        "sessions",
        "call_entries",
        "calls",
        "audit_log",
    )
    kept: dict[int, list[str]] = {}
    for days in (0, 2, 8, 32, 91, 401, 1100):
        now.moment = began + timedelta(days=days)
        await store.retention.purge(RetentionConfig().cuts(now()))
        kept[days] = [name for name in tables if await rows(store, name)]
    assert kept == {
        0: list(tables),
        2: list(tables[2:]),
        8: list(tables[3:]),
        32: list(tables[4:]),
        91: list(tables[5:]),
        401: ["audit_log"],
        1100: ["audit_log"],  # which has a row that something expired
    }


async def test_what_goes_on_is_never_touched(store: Store, now: Time) -> None:
    """However old: a call in progress with all that is said in it, who waits, who is promised a call back."""
    began = now()
    await called(store, "live", began, over=False)
    await store.calls.save_resume_point("10001", {"state": "x"}, began, call_id="live")
    await store.handoffs.keep_context("token", "live", {}, began + timedelta(hours=1))
    waits = await store.line.enter(Arrival("member:10001", "live", "general", 5))
    promised = await store.line.ask_call_back(Arrival("tel:5035550102", "c2", "general", 5), "+15035550102")
    message = await store.line.leave_message(Arrival("tel:5035550103", "c3", "general", 5), "", SECRET)
    await store.callbacks.request(
        "5035550104", name="", caller_id="", skill="general", wanted="", key="k", call_id="c4"
    )

    async def age(connection: AsyncConnection) -> None:
        await connection.execute(update(places).values(changed_at=began))

    await store.database.write(age)
    now.pass_(days=5000)
    gone = await store.retention.purge(RetentionConfig().cuts(now()))
    assert {name: count for name, count in gone.items() if count} == {"audit": 1, "idempotency": 1}
    live = await store.calls.get("live")
    assert live is not None and [entry["text"] for entry in live["entries"]] == [SECRET]
    assert {place.id for place in (await store.line.snapshot()).places} == {waits.id, promised.id, message.id}
    assert len(await store.callbacks.waiting()) == 1 and await rows(store, "resume_points") == 1
    assert await rows(store, "handoff_contexts") == 1


async def test_small_steps_let_others_write_between(
    store: Store, now: Time, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await called(store, "call-1", now(), [f"word {n}" for n in range(2 * AT_ONCE + 10)])
    now.pass_(days=100)
    sizes: list[int] = []
    writing = Database.write

    async def counted(self: Database, work, **options):  # type: ignore[no-untyped-def]
        before = await rows(store, "call_entries")
        result = await writing(self, work, **options)
        sizes.append(before - await rows(store, "call_entries"))
        return result

    monkeypatch.setattr(Database, "write", counted)
    assert (await store.retention.purge(RetentionConfig().cuts(now())))["call_entries"] == 2 * AT_ONCE + 10
    assert [size for size in sizes if size] == [AT_ONCE, AT_ONCE, 10]


async def test_one_process_at_a_time(store: Store, url: str, now: Time) -> None:
    await called(store, "call-1", now())
    now.pass_(days=500)
    other = films_store(url, timeout_s=10.0, now=now)
    async with alone(other.database, RETENTION) as mine:
        assert mine
        gone = await store.retention.purge(RetentionConfig().cuts(now()))
        assert sum(gone.values()) == (0 if not store.database.sqlite else 2), "SQLite has one writer anyway"
    await store.retention.purge(RetentionConfig().cuts(now()))
    assert await rows(store, "calls") == 0, "the lock ended with its holder"
    await other.close()


async def test_it_runs_soon_then_hourly_and_says_what_it_did(store: Store, now: Time) -> None:
    await called(store, "call-1", now())
    now.pass_(days=100)
    clock = Turns(now, 2)
    asked: list[datetime] = []

    async def recordings(before: datetime) -> int:
        asked.append(before)
        return 3

    store.retention.apply(RetentionConfig())
    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await store.retention.hourly(clock, {"recordings": recordings})
    assert clock.slept == [FIRST_S, HOUR_S, HOUR_S]
    assert asked == [now() - timedelta(days=90)] * 2
    first, second = [line for line in logs if line["event"] == "retention.done"]
    assert first["by_table"] == {"call_entries": 1, "recordings": 3} and first["deleted"] == 4 and first["whole"]
    assert second["by_table"] == {"recordings": 3}
    assert store.unpurged == ""


async def test_a_shorter_time_counts_at_once(store: Store, now: Time) -> None:
    await called(store, "call-1", now())
    now.pass_(days=100)

    class Sleeps(Turns):
        async def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            if len(self.slept) == 2:
                again.set()
            await asyncio.Event().wait()

    again = asyncio.Event()
    store.retention.apply(RetentionConfig())
    running = asyncio.ensure_future(store.retention.hourly(Sleeps(now, 0), {}))
    await asyncio.sleep(0)
    with capture_logs() as logs:
        store.retention.apply(RetentionConfig(calls=timedelta(days=30)))
        await asyncio.wait_for(again.wait(), 10)
    assert [line["by_table"] for line in logs if line["event"] == "retention.done"] == [{"call_entries": 1, "calls": 1}]
    running.cancel()


async def test_a_failure_is_told_and_tried_again_and_does_not_stop_the_rest(
    store: Store, now: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    await called(store, "call-1", now())
    now.pass_(days=100)
    tries: list[int] = []

    async def full(before: datetime) -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the disk is on fire")
        return 1

    clock = Turns(now, 2)
    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await store.retention.hourly(clock, {"recordings": full})
    assert clock.slept == [FIRST_S, 300.0, HOUR_S]
    (failed,) = [line for line in logs if line["event"] == "retention.failed"]
    assert failed["error"] == "recordings: the disk is on fire"
    assert await rows(store, "call_entries") == 0

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(store.database, "write", away)
        assert not await store.retention.run(clock, {})
    assert store.unpurged == "database: away"

    async def wrong(_: datetime) -> int:
        raise RuntimeError("nobody thought of it")

    clock = Turns(now, 1)
    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await store.retention.hourly(clock, {"recordings": wrong})
    assert clock.slept == [FIRST_S, 300.0] and [line["event"] for line in logs] == ["retention.raised"]
    assert "it raised" in store.unpurged and store.retention.done_at == now()
    assert await store.retention.run(clock, {}) and store.unpurged == ""


async def test_what_stays_too_long_is_known(store: Store, now: Time) -> None:
    await called(store, "call-1", now())
    now.pass_(days=90, hours=12)
    assert await store.retention.overdue(RetentionConfig(), timedelta(days=1)) == {}
    now.pass_(days=1)
    assert await store.retention.overdue(RetentionConfig(), timedelta(days=1)) == {"call_entries": 1}


async def test_the_bytes_are_gone_from_every_file(store: Store, now: Time, tmp_path: Path) -> None:
    database = store.database
    for n in range(40):
        await called(store, f"call-{n}", now(), [f"{SECRET} {n} {word}" for word in range(20)])
        await store.handoffs.keep_context(f"t{n}", f"call-{n}", {"said": SECRET * 200}, now() + timedelta(hours=1))
    now.pass_(days=50)
    await called(store, "young", now(), ["a sentence that stays"])
    now.pass_(days=50)
    assert not database.sqlite or traces(database, tmp_path)
    await store.retention.purge(RetentionConfig().cuts(now()))
    assert await store.retention.settle()
    found = await store.calls.get("young")
    assert found is not None and len(found["entries"]) == 1
    assert await rows(store, "call_entries") == 1 and await rows(store, "handoff_contexts") == 0
    assert traces(database, tmp_path) == []


async def test_a_reader_holds_the_log_up_and_the_next_run_makes_good(
    url: str, store: Store, now: Time, tmp_path: Path
) -> None:
    if not store.database.sqlite:
        assert await store.retention.settle()
        return
    await called(store, "call-1", now())
    now.pass_(days=100)
    other = films_store(url, timeout_s=1.0)
    async with other.database.engine.connect() as reader:
        await reader.execute(select(func.count()).select_from(call_entries))
        with capture_logs() as logs:
            await store.retention.run(Turns(now, 9), {})
        assert [line["event"] for line in logs] == ["retention.traces", "retention.done"]
        assert traces(store.database, tmp_path)
    await store.retention.run(Turns(now, 9), {})
    assert traces(store.database, tmp_path) == []
    await other.close()


async def test_every_rule_is_a_statement_of_both_databases(store: Store, now: Time) -> None:
    counts = await store.retention.count(dict.fromkeys({rule.kind for rule in RULES}, now()))
    assert set(counts) == {rule.table.name for rule in RULES} | {"audit_log"}
    await store.retention.purge(about_calls(now()))


async def test_a_table_with_two_keys_is_purged_in_steps_too(store: Store, now: Time) -> None:
    points = [{"member": "10001", "snapshot": {}, "at": now()} for _ in range(AT_ONCE + 1)]
    await store.database.write(partial(_inserted, points))
    assert await store.retention.erase(resume_points, resume_points.c.at <= now()) == AT_ONCE + 1


async def _inserted(points: Sequence[dict[str, object]], connection: AsyncConnection) -> None:
    await connection.execute(insert(resume_points), points)


async def test_what_earlier_releases_deleted_is_wiped_once(store: Store, tmp_path: Path) -> None:
    """They deleted without overwriting; the file is written anew by the first upgrade that finds nobody using it."""
    if not store.database.sqlite:
        assert await wipe(store.database)
        return
    with closing(sqlite3.connect(tmp_path / "ivr.sqlite3", isolation_level=None)) as earlier:
        earlier.execute("PRAGMA application_id = 0")  # their files said nothing of it
        earlier.execute("PRAGMA secure_delete=OFF")
        for n in range(200):
            earlier.execute(
                "INSERT INTO resume_points (member, snapshot, at) VALUES ('x', ?, '2026-01-01')", (f'"{SECRET} {n}"',)
            )
        earlier.execute("DELETE FROM resume_points")
        earlier.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert traces(store.database, tmp_path) and not await wiped(store.database)
        earlier.execute("BEGIN IMMEDIATE")
        assert not await wipe(store.database), "somebody uses it"
        earlier.execute("ROLLBACK")
    assert await wipe(store.database) and await wiped(store.database)
    assert traces(store.database, tmp_path) == [] and await rows(store, "members") == 8


async def test_the_doctor_finds_what_is_kept_too_long(url: str, store: Store, now: Time) -> None:
    async def findings(**retention: object) -> Finding:
        config = Config(store=StoreConfig(url=url), retention=RetentionConfig.model_validate(retention))
        (found,) = [each for each in await doctor.database(config) if each.subject == "retention"]
        return found

    assert (await findings()).state == "ok"
    assert "former name" in (await findings(calls_days=10)).detail
    now.moment = datetime.now(UTC) - timedelta(days=92)
    await called(store, "call-1", now())
    late = await findings()
    assert late.state == "bad" and "1 call_entries" in late.detail and "ivr db purge --yes" in late.remedy
