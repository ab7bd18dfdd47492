"""What meets a database that is away is written when it is back: once, whole, in order, by whoever lives then."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from ivr.call.journal import Journal, resume_point
from ivr.clock import SystemClock
from ivr.errors import ActionError, StoreUnavailable
from ivr.events import CALLER_ID
from ivr.identity import CALLER_IDENTITY
from ivr.ports import ActionCall, CallOpening
from ivr.record import Entry, Keyed, Understood
from ivr.store import Store
from ivr.store.lease import BEAT_S
from ivr.store.retention import about_calls
from ivr.store.spool_folder import waiting_in
from ivr.store.url import parse_url
from tests.films import actions_on, films_store
from tests.postgres import PostgresServer

from .conftest import Time

Away = Callable[[], AbstractAsyncContextManager[None]]
TABLES = "calls, call_entries, resume_points, handoff_contexts, callbacks, idempotency, audit, line_processes"


@pytest.fixture
def away(url: str, request: pytest.FixtureRequest) -> Away:
    """Somebody else holds everything: SQLite's one write lock, PostgreSQL's tables."""

    @asynccontextmanager
    async def held() -> AsyncIterator[None]:
        parsed = parse_url(url)
        if parsed.get_backend_name() == "sqlite":
            other = sqlite3.connect(str(parsed.database), isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
            other.close()
            return
        server: PostgresServer = request.getfixturevalue("postgres_server")
        connection = await asyncpg.connect(host=str(server.folder), user="postgres", database=parsed.database)
        await connection.execute(f"BEGIN; LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")
        yield
        await connection.execute("ROLLBACK")
        await connection.close()

    return held


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@asynccontextmanager
async def line(
    url: str, spool: Path | None, name: str = "line", live: tuple[str, ...] = (), **options: Any
) -> AsyncIterator[Store]:
    """A store that serves calls, with what runs beside them."""
    store = films_store(url, timeout_s=1.0, line=name, node=f"node of {name}", spool=spool, **options)
    await answered(store.begin)
    beside = asyncio.create_task(store.run(SystemClock(), lambda: live))
    try:
        yield store
    finally:
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
        await store.close()


async def answered(ask: Callable[[], Awaitable[object]]) -> None:
    """Asks until the database answers: its bound is short here, and a busy disk misses it."""
    async with asyncio.timeout(60):
        while True:
            try:
                await ask()
            except StoreUnavailable:
                await asyncio.sleep(0.1)
            else:
                return


async def written(store: Store, *, lost: int = 0) -> None:
    """Nothing waits any more."""

    async def all_of_it() -> None:
        await store.ping()
        if store.waiting:
            raise StoreUnavailable("it has not got everything yet")

    await answered(all_of_it)
    assert store.lost == lost


def told(n: int, now: Time) -> Entry:
    return Entry(Understood(f"ünïcode {n}"), now.pass_(seconds=1), "main.ask")


async def test_a_call_that_meets_an_outage_is_whole_afterwards(url: str, spool: Path, away: Away, now: Time) -> None:
    async with line(url, spool) as store:
        journal = Journal(store.calls, "call-1")
        async with away():
            journal.begin("5035550101", "5035550199", now(), {"sip_call_id": "x"})
            journal.update(flow="main", language="en-US")
            entries = [told(n, now) for n in range(5)]
            for entry in entries:
                journal.append(entry)
                await asyncio.sleep(0)
            ended = now.pass_(minutes=1)
            await asyncio.wait_for(journal.finish("resolved", ended, {"turns": 5}), 5.0)
            assert journal.lost == 0
            assert store.waiting == waiting_in(store.spool_folder or spool) > 0
        await written(store)
        assert waiting_in(store.spool_folder or spool) == 0
        found = await store.calls.get("call-1")
        assert found is not None
        assert (found["caller"], found["sip_call_id"], found["flow"]) == ("5035550101", "x", "main")
        assert (found["live"], found["outcome"], found["canonical"]) == (False, "resolved", {"turns": 5})
        assert found["ended_at"] == ended.isoformat()
        assert [Entry.from_json(entry) for entry in found["entries"]] == entries


@pytest.mark.parametrize("met", ["begin", "entries", "finish"])
async def test_whatever_part_of_a_call_meets_it(url: str, spool: Path, away: Away, now: Time, met: str) -> None:
    async with line(url, spool) as store:
        journal = Journal(store.calls, "call-1")

        def entries() -> None:
            for n in range(3):
                journal.append(told(n, now))

        parts: dict[str, Callable[[], object]] = {
            "begin": lambda: journal.begin("1", "2", now(), {}),
            "entries": entries,
        }
        for name, part in parts.items():
            if name != met:
                part()
                await asyncio.sleep(0.2)
                continue
            async with away():
                part()
                await asyncio.sleep(1.5)
        if met == "finish":
            async with away():
                await journal.finish("goodbye", now(), {})
        else:
            await journal.finish("goodbye", now(), {})
        await written(store)
        found = await store.calls.get("call-1")
        assert found is not None
        assert (found["outcome"], found["caller"], len(found["entries"]), journal.lost) == ("goodbye", "1", 3, 0)


async def test_a_call_whose_beginning_is_lost_gets_its_whole_row(store: Store, now: Time) -> None:
    opening = CallOpening("5035550101", "5035550199", now(), {"flow": "main"})
    await store.calls.finish("call-1", "resolved", now.pass_(minutes=1), {"turns": 2}, opening)
    found = await store.calls.get("call-1")
    assert found is not None
    assert (found["caller"], found["flow"], found["outcome"], found["live"]) == (
        *("5035550101", "main", "resolved", False),
    )


async def test_a_restart_in_mid_outage_loses_nothing(url: str, spool: Path, away: Away, now: Time) -> None:
    async with line(url, spool, "first") as first, away():
        await first.calls.begin("call-1", "1", "2", now(), {})
        await first.calls.append_all("call-1", [told(1, now)], 0)
        await first.calls.finish("call-1", "resolved", now(), {"turns": 1})
        await first.close()
        assert first.spooled() == 3
    async with line(url, spool, "second") as second:
        await written(second)
        found = await second.calls.get("call-1")
        assert found is not None and (found["outcome"], len(found["entries"])) == ("resolved", 1)
        assert second.spooled() == 0


async def test_what_is_written_twice_is_there_once(url: str, spool: Path, now: Time) -> None:
    """A process that dies after the database took something, and before it took it out of its spool."""
    async with line(url, spool) as store:
        for _ in range(2):
            await store.calls.begin("call-1", "1", "2", now(), {})
            await store.calls.append_all("call-1", [told(n, now) for n in range(3)], 0)
            await store.calls.save_resume_point("10001", {"state": "x"}, now(), call_id="call-1")
            await store.callbacks.request("5550100", name="", caller_id="", skill="s", wanted="", key="k", call_id="c")
            await store.handoffs.keep_context("token", "call-1", {"a": 1}, now() + timedelta(hours=1))
            await store.calls.finish("call-1", "resolved", now(), {})
        found = await store.calls.get("call-1")
        assert found is not None and len(found["entries"]) == 3
        assert len(await store.callbacks.waiting()) == 1
        assert store.lost == 0


async def test_a_promise_to_call_back_is_kept_or_refused(url: str, spool: Path, away: Away) -> None:
    request = {"name": "Ada", "caller_id": "10001", "skill": "general", "wanted": "", "call_id": "c"}
    async with line(url, spool) as store:
        async with away():
            assert await store.callbacks.request("5035550101", key="k", **request) == 0
            assert await store.callbacks.request("5035550101", key="k", **request) == 0
            assert store.spooled() == 2
        await written(store)
        (waiting,) = await store.callbacks.waiting()
        assert (waiting.number, waiting.name, waiting.state) == ("5035550101", "Ada", "waiting")
        assert [line["action"] for line in await store.audit.of_call("c")] == ["callback.request"]
    (spool.parent / "file").write_text("no folder")
    async with line(url, spool.parent / "file", "other") as store:
        async with away():
            with pytest.raises(StoreUnavailable):
                await store.callbacks.request("5035550101", key="k2", **request)
        await written(store)
        assert len(await store.callbacks.waiting()) == 1


async def test_changes_are_refused_never_put_off(url: str, spool: Path, away: Away, now: Time) -> None:
    """Nobody is told that something is done which is not."""
    known = {CALLER_ID: "10004", CALLER_IDENTITY: "verified"}
    change = ActionCall("notes.delete_all", {}, "k", "c", known)
    async with line(url, spool) as store, away():
        with pytest.raises(ActionError):
            await actions_on(store).perform(change)
        assert store.waiting == 0


async def test_a_hand_overs_context_is_there_afterwards(url: str, spool: Path, away: Away, now: Time) -> None:
    async with line(url, spool, now=now) as store:
        async with away():
            later = now() + timedelta(hours=1)
            assert not await store.handoffs.keep_context("secret-token", "call-1", {"reason": "anger"}, later)
            assert b"secret-token" not in b"".join(file.read_bytes() for file in spool.rglob("*.jsonl"))
        await written(store)
        assert await store.handoffs.context("secret-token") == {"reason": "anger"}


async def test_what_the_database_will_never_take_holds_up_nothing(url: str, spool: Path, away: Away, now: Time) -> None:
    async with line(url, spool) as store:
        async with away():
            await store.calls.begin("x" * 200_000 if "postgres" in url else None, "1", "2", now(), {})  # type: ignore[arg-type]
            await store.calls.begin("call-2", "1", "2", now(), {})
        await written(store, lost=1)
        assert await store.calls.get("call-2") is not None


async def test_a_table_that_is_missing_for_a_while(url: str, spool: Path, now: Time) -> None:
    async with line(url, spool) as store:
        await store.database.write(lambda connection: connection.execute(text("ALTER TABLE calls RENAME TO gone")))
        await store.calls.begin("call-1", "1", "2", now(), {})
        await store.calls.finish("call-1", "resolved", now(), {})
        assert store.waiting == 2
        await store.database.write(lambda connection: connection.execute(text("ALTER TABLE gone RENAME TO calls")))
        await written(store)
        found = await store.calls.get("call-1")
        assert found is not None and found["outcome"] == "resolved"


# -- lines that die, or seem to ---------------------------------------------------------------------------------


async def test_calls_of_a_killed_line_are_over_for_its_heir_at_once(url: str, spool: Path, now: Time) -> None:
    """Whatever its host is called now: its lock is free."""
    dead = films_store(url, timeout_s=10.0, line="dead", node="container-1", spool=spool)
    await dead.begin()
    await dead.calls.begin("call-1", "1", "2", now(), {})
    await dead.calls.save_resume_point("10001", {"state": "x"}, now(), call_id="call-1")
    assert dead._spool is not None and dead._spool._lock_fd is not None
    os.close(dead._spool._lock_fd)  # as the kernel does
    heir = films_store(url, timeout_s=10.0, line="heir", node="container-2", spool=spool)
    assert await heir.begin() == 1
    found = await heir.calls.get("call-1")
    assert found is not None and (found["live"], found["outcome"]) == (False, "lost")
    assert await resume_point(heir.calls, "10001", now()) == {"state": "x"}
    await heir.close()
    await dead.database.close()


async def test_lines_that_live_never_end_each_others_calls(url: str, tmp_path: Path, now: Time) -> None:
    """Two of one name and one configuration, too, and without a common folder."""
    names = ("one", "other")
    stores = [films_store(url, timeout_s=10.0, line=n, node="same:5060", spool=tmp_path / n) for n in names]
    for store, name in zip(stores, names, strict=True):
        assert await store.begin() == 0
        await store.calls.begin(name, "1", "2", now(), {})
    assert await stores[0].begin() == 0
    assert {call["call_id"] for call in await stores[0].calls.recent(live=True)} == set(names)
    for store in stores:
        await store.close()


async def test_a_line_that_is_silent_for_long_is_dead(url: str, tmp_path: Path, now: Time) -> None:
    dead = films_store(url, timeout_s=10.0, line="dead", node="one", now=now)
    watch = films_store(url, timeout_s=10.0, line="watch", node="other", now=now)
    for store in (dead, watch):
        await store.begin()
    await dead.calls.begin("call-1", "1", "2", now(), {})
    await dead.calls.save_resume_point("10001", {"state": "x"}, now(), call_id="call-1")
    clock = Steps(now)
    assert watch._lease is not None and dead._lease is not None

    await clock.run(watch._lease.run(clock, tuple), int(4 / BEAT_S))
    assert await watch.calls.take_resume_point("10001", now() - timedelta(hours=1)) is None, "it may live"
    await clock.run(watch._lease.run(clock, tuple), int(6 / BEAT_S))
    assert [call["call_id"] for call in await watch.calls.recent(live=True)] == ["call-1"]
    assert await watch.calls.take_resume_point("10001", now() - timedelta(hours=1)) == {"state": "x"}, (
        "its caller calls again, and it has been silent for a while"
    )
    await clock.run(watch._lease.run(clock, tuple), int(32 / BEAT_S))
    found = await watch.calls.get("call-1")
    assert found is not None and found["outcome"] == "lost"

    await clock.run(dead._lease.run(clock, lambda: ["call-1"]), 1)  # it only stood still
    found = await watch.calls.get("call-1")
    assert found is not None and (found["live"], found["outcome"]) == (True, "")
    await dead.calls.finish("call-1", "resolved", now(), {"turns": 1})
    for store in (dead, watch):
        await store.close()
    found = await films_store(url).calls.get("call-1")
    assert found is not None and found["outcome"] == "resolved"


class Enough(Exception):
    pass


class Steps:
    """A clock that gives out so many sleeps, and then no more."""

    def __init__(self, now: Time) -> None:
        self.now = now
        self._passed = 0.0
        self._left = 0

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        if not self._left:
            raise Enough
        self._left -= 1
        self._passed += seconds
        self.now.pass_(seconds=seconds)

    async def run(self, work: Any, steps: int) -> None:
        """``work`` until it has slept so often, and done what follows."""
        self._left = steps
        with pytest.raises(Enough):
            await work


async def test_an_outage_of_all_says_nothing_about_any(url: str, away: Away, now: Time) -> None:
    """Nobody beats while the database is away: afterwards nobody is taken for dead on that account."""
    one = films_store(url, timeout_s=0.3, line="one", node="one", now=now)
    other = films_store(url, timeout_s=0.3, line="other", node="other", now=now)
    for store in (one, other):
        await store.begin()
    await other.calls.begin("call-1", "1", "2", now(), {})
    clock = Steps(now)
    assert one._lease is not None
    await clock.run(one._lease.run(clock, tuple), 20)
    async with away():
        await clock.run(one._lease.run(clock, tuple), 10)
    await written(one)
    await clock.run(one._lease.run(clock, tuple), 20)
    assert [call["call_id"] for call in await one.calls.recent(live=True)] == ["call-1"]
    for store in (one, other):
        await store.close()


async def test_the_true_end_of_a_call_that_was_taken_for_lost(url: str, spool: Path, away: Away, now: Time) -> None:
    """Its line wrote the end into the spool and died."""
    async with line(url, spool, "first") as first:
        await first.calls.begin("call-1", "1", "2", now(), {})
        async with away():
            await first.calls.finish("call-1", "resolved", now(), {"turns": 3})
            assert first._spool is not None
            await first._spool.close()
    async with line(url, spool, "second") as second:
        await written(second)
        found = await second.calls.get("call-1")
        assert found is not None and (found["outcome"], found["canonical"]) == ("resolved", {"turns": 3})


# -- places -----------------------------------------------------------------------------------------------------


async def test_a_call_in_progress_is_nobodys_to_take_up(url: str, now: Time) -> None:
    async with line(url, None) as store:
        points = store.calls
        for call_id, at in (("old", now()), ("live", now.pass_(minutes=1))):
            await points.begin(call_id, "1", "2", at, {})
            await points.save_resume_point("10001", {"state": call_id}, at, call_id=call_id)
        await points.save_resume_point("10001", {"state": "older", "n": 1}, now(), call_id="old")
        await points.finish("old", "abandoned", now(), {})
        assert await points.take_resume_point("10001", now() - timedelta(hours=1)) == {"state": "older", "n": 1}
        assert await points.take_resume_point("10001", now() - timedelta(hours=1)) is None
        await points.finish("live", "abandoned", now(), {})
        assert await points.take_resume_point("10001", now() - timedelta(hours=1)) == {"state": "live"}


async def test_a_place_is_forgotten(store: Store, now: Time) -> None:
    await store.calls.save_resume_point("10001", {"state": "x"}, now(), call_id="call-1")
    await store.calls.save_resume_point("10001", {"state": "y"}, now(), call_id="call-2")
    await store.calls.forget_resume_point("call-2")
    assert await store.calls.take_resume_point("10001", now()) == {"state": "x"}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # PostgreSQL's readers wait for whoever locks tables whole
async def test_a_caller_does_not_wait_for_a_lock(url: str, spool: Path, away: Away, now: Time) -> None:
    """SQLite can be read meanwhile: the place is given at once, and taken out later."""
    async with line(url, spool) as store:
        await store.calls.save_resume_point("10001", {"state": "x"}, now())
        loop = asyncio.get_running_loop()
        async with away():
            began = loop.time()
            assert await resume_point(store.calls, "10009", now()) is None
            assert loop.time() - began < 0.2, "most callers have none, and wait for nothing"
            assert await resume_point(store.calls, "10001", now()) == {"state": "x"}
            assert loop.time() - began < 1.0
        await written(store)
        assert await resume_point(store.calls, "10001", now()) is None


async def test_the_spool_ages_like_the_rest(url: str, spool: Path, away: Away, now: Time) -> None:
    async with line(url, spool) as store, away():
        await store.calls.append_all("call-1", [Entry(Keyed("1"), now())], 0)
        assert store.spooled() == 1
        with pytest.raises(StoreUnavailable):
            await store.retention.purge(about_calls(store.now() + timedelta(minutes=1)))
        assert store.spooled() == 0
