"""What many calls have to write at once: few transactions, nothing lost, seen by who asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest_asyncio
from sqlalchemy import event

from ivr.call.journal import Journal
from ivr.errors import StoreUnavailable
from ivr.record import Entry, Keyed, Understood
from ivr.store import Store, writer
from ivr.store.spool_folder import Write
from tests.films import films_store

from .conftest import Time

CALLS = 40
GATHER_S = 0.1


@pytest_asyncio.fixture
async def gathering(url: str, now: Time) -> AsyncIterator[Store]:
    store = films_store(url, timeout_s=10.0, now=now, gather_s=GATHER_S)
    yield store
    await store.close()


class Commits:
    """How many transactions ended well."""

    def __init__(self, store: Store) -> None:
        self.count = 0
        event.listen(store.database.engine.sync_engine, "commit", self._counted)

    def _counted(self, _: Any) -> None:
        self.count += 1


async def test_calls_at_once_share_transactions_and_each_is_whole(gathering: Store, now: Time) -> None:
    async def call(number: int) -> None:
        journal = Journal(gathering.calls, f"call-{number:02}")
        journal.begin(f"50355501{number:02}", "5035550199", now(), {"sip_call_id": f"sip-{number}"})
        await asyncio.sleep(0)
        journal.update(flow="main", language="en-US")
        for key in "12":
            journal.append(Entry(Keyed(key), now(), "main.ask"))
        await asyncio.sleep(0)
        journal.update(state="main.ask")
        journal.append(Entry(Understood("stop"), now(), "main.ask"))
        await journal.finish("resolved" if number % 2 else "abandoned", now(), {"turns": number, "seconds": 1.0})
        assert journal.lost == 0

    commits = Commits(gathering)
    await asyncio.gather(*(call(number) for number in range(CALLS)))
    assert commits.count < CALLS, "each of them has at least five things to write"
    for number in range(CALLS):
        found = await gathering.calls.get(f"call-{number:02}")
        assert found is not None
        assert (found["caller"], found["sip_call_id"]) == (f"50355501{number:02}", f"sip-{number}")
        assert (found["flow"], found["language"], found["state"]) == ("main", "en-US", "main.ask")
        assert (found["outcome"], found["canonical"]["turns"]) == ("resolved" if number % 2 else "abandoned", number)
        assert [entry["kind"] for entry in found["entries"]] == ["key", "key", "heard"]


async def test_what_was_asked_for_is_there_for_who_reads(gathering: Store, now: Time) -> None:
    await gathering.calls.begin("call-1", "1", "2", now(), {})
    asked = [
        asyncio.ensure_future(gathering.calls.update("call-1", member="10001")),
        asyncio.ensure_future(gathering.calls.finish("call-1", "resolved", now(), {})),
        asyncio.ensure_future(gathering.calls.save_resume_point("10001", {"state": "x"}, now(), call_id="call-1")),
    ]
    await asyncio.sleep(0)
    found = await gathering.calls.get("call-1")
    assert found is not None and (found["member"], found["outcome"], found["live"]) == ("10001", "resolved", False)
    assert await gathering.calls.take_resume_point("10001", now() - timedelta(minutes=1)) == {"state": "x"}
    await asyncio.gather(*asked)


async def test_however_many_calls_a_line_writes_four_times_a_second(url: str, now: Time) -> None:
    """Callers who begin, go on and hang up, and who are looked for each time."""
    store = films_store(url, timeout_s=10.0, now=now, gather_s=writer.GATHER_S)
    loop, written = asyncio.get_running_loop(), 0

    def transaction(way: str, took_s: float, done: bool) -> None:
        nonlocal written
        written += way == "write"

    async def call(number: int) -> None:
        await asyncio.sleep(number * 0.02)
        journal = Journal(store.calls, f"call-{number:02}")
        journal.begin(f"50355501{number:02}", "5035550199", now(), {})
        assert await store.calls.take_resume_point(f"member-{number}", now() - timedelta(minutes=1)) is None
        for key in "1234567":
            journal.append(Entry(Keyed(key), now(), "main.ask"))
            journal.update(state=f"main.{key}")
            await asyncio.sleep(0.07)
        await journal.finish("abandoned", now(), {"turns": number})
        assert journal.lost == 0

    await store.calls.begin("call", "1", "2", now(), {})  # connections are made
    store.database.on_transaction, began = transaction, loop.time()
    await asyncio.gather(*(call(number) for number in range(CALLS)))
    assert 2 <= written <= (loop.time() - began) / writer.GATHER_S + 2
    assert writer.GATHER_S >= 0.25
    await store.close()


async def test_a_caller_who_begins_makes_no_transaction_of_their_own(url: str, now: Time) -> None:
    """What is not about them is gathered on; what is, is there."""
    store = films_store(url, timeout_s=10.0, now=now, gather_s=30.0)
    await store.calls.begin("call-0", "1", "2", now(), {})
    other = store.calls.begin("call-1", "3", "4", now(), {})
    mine = store.calls.save_resume_point("10001", {"state": "x"}, now(), call_id="call-1")
    asked = [asyncio.ensure_future(each) for each in (other, mine)]
    commits = Commits(store)
    assert await store.calls.take_resume_point("10002", now() - timedelta(minutes=1)) is None
    count = await store.calls.calls_about("main", caller_id="10002", number="9", since=now(), but="call-2")
    assert (count, commits.count) == (0, 2), "the two that read"
    assert await store.calls.take_resume_point("10001", now() - timedelta(minutes=1)) is None, "their call goes on"
    assert await store.calls.calls_about("main", caller_id="10001", number="3", since=now(), but="call-1") == 0
    assert not any(each.done() for each in asked)
    over = asyncio.ensure_future(store.calls.finish("call-1", "abandoned", now(), {}))
    await asyncio.sleep(0)
    assert await store.calls.take_resume_point("10001", now() - timedelta(minutes=1)) == {"state": "x"}
    await asyncio.gather(*asked, over)
    await store.close()


async def test_the_end_of_the_service_waits_for_what_was_gathered(url: str, now: Time) -> None:
    first = films_store(url, timeout_s=10.0, now=now, gather_s=30.0)
    await first.calls.begin("call-0", "1", "2", now(), {})
    asked = [asyncio.ensure_future(first.calls.begin(f"call-{n}", "1", "2", now(), {})) for n in range(1, 5)]
    await asyncio.sleep(0)
    await first.close()
    await asyncio.gather(*asked)
    second = films_store(url, timeout_s=10.0, now=now)
    assert len(await second.calls.recent()) == 5
    await second.close()


async def test_a_write_that_no_database_takes_harms_no_other(gathering: Store, now: Time) -> None:
    wrong = Write(
        "append", {"call_id": "call-1", "rows": [{"call_id": "call-1", "at": now().isoformat(), "kind": None}]}
    )
    results = await asyncio.gather(
        gathering.calls.begin("call-1", "1", "2", now(), {}),
        gathering.calls._writer.write(wrong),
        gathering.calls.begin("call-2", "1", "2", now(), {}),
        gathering.calls.append_all("call-1", [Entry(Keyed("1"), now(), "")], 0),
        return_exceptions=True,
    )
    assert [isinstance(result, Exception) for result in results] == [False, True, False, False]
    assert not isinstance(results[1], StoreUnavailable) or results[1].__cause__ is not None
    found = await gathering.calls.get("call-1")
    assert found is not None and len(found["entries"]) == 1
    assert await gathering.calls.get("call-2") is not None


async def test_who_waits_no_longer_is_written_all_the_same(gathering: Store, now: Time) -> None:
    await gathering.calls.begin("call-1", "1", "2", now(), {})
    asked = asyncio.ensure_future(gathering.calls.finish("call-1", "resolved", now(), {}))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.sleep(0)
    found = await gathering.calls.get("call-1")
    assert found is not None and found["outcome"] == "resolved"
