"""What is kept about calls, on both databases."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Update, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports import Arrival, CallRecords, ContextStore
from ivr.record import Entered, Entry, Failed, Other, Prompted, Understood
from ivr.store import Store
from ivr.store.retention import about_calls
from ivr.store.tables import calls, place_events, places
from tests.films import done, films_on

from .conftest import Time


async def begun(store: Store, call_id: str, at: datetime) -> CallRecords:
    records: CallRecords = store.calls
    await records.begin(call_id, "5035550101", "5035550199", at, {"trunk": "loopback", "flow": "main"})
    return records


async def test_a_calls_life(store: Store, now: Time) -> None:
    records = await begun(store, "call-1", now())
    said = [
        Entry(Prompted("Hello"), now(), "main.menu"),
        Entry(Understood("ünïcode ½", confidence=0.5), now.pass_(seconds=3), "main.menu"),
        Entry(Entered("main.end", "end"), now(), "main.end"),
    ]
    await records.append_all("call-1", said[:1])
    await records.append_all("call-1", said[1:])
    await records.update("call-1", member="10001", flow="titles")
    live = await records.get("call-1")
    assert live is not None
    assert (live["live"], live["outcome"], live["ended_at"]) == (True, "", None)
    assert (live["member"], live["flow"], live["trunk"]) == ("10001", "titles", "loopback")
    assert [entry["kind"] for entry in live["entries"]] == ["prompt", "heard", "state"]
    assert [Entry.from_json(entry) for entry in live["entries"]] == said
    assert live["entries"][1]["at"] == "2026-06-01T12:00:03+00:00"

    await records.finish("call-1", "resolved", now.pass_(minutes=2), {"turns": 4})
    await records.finish("call-1", "crashed", now.pass_(minutes=2), {})
    done = await records.get("call-1")
    assert done is not None
    assert (done["live"], done["outcome"], done["canonical"]) == (False, "resolved", {"turns": 4})
    assert done["ended_at"] == "2026-06-01T12:02:03+00:00"
    json.dumps(done)


async def test_strangers(store: Store) -> None:
    assert await store.calls.get("call-9") is None
    await store.calls.update("call-9", member="10001")
    await store.calls.append_all("call-9", [Entry(Failed("store"), datetime(2026, 6, 1, tzinfo=UTC))])
    assert await store.calls.get("call-9") is None


async def test_beginning_twice_keeps_the_first(store: Store, now: Time) -> None:
    await begun(store, "call-1", now())
    await store.calls.begin("call-1", "other", "other", now(), {})
    found = await store.calls.get("call-1")
    assert found is not None
    assert found["caller"] == "5035550101"


async def test_recent(store: Store, now: Time) -> None:
    for number in range(5):
        await begun(store, f"call-{number}", now.pass_(minutes=1))
    await store.calls.finish("call-1", "resolved", now(), {})
    ids = [call["call_id"] for call in await store.calls.recent(3)]
    assert ids == ["call-4", "call-3", "call-2"]
    assert [c["call_id"] for c in await store.calls.recent(live=False)] == ["call-1"]
    assert [c["call_id"] for c in await store.calls.recent(2, live=True)] == ["call-4", "call-3"]


async def test_the_states_that_calls_passed(store: Store, now: Time) -> None:
    for call_id, road, outcome in (
        ("call-old", ["main.greet"], "resolved"),
        ("call-b", ["main.greet", "main.ask"], "abandoned"),
        ("call-a", ["main.greet", "hold.until", "main.ask"], "resolved"),
        ("call-live", ["main.greet"], ""),
        ("call-mute", [], "abandoned"),
    ):
        await begun(store, call_id, now.pass_(minutes=10))
        rows = [Entry(Entered(state, "filled"), now.pass_(seconds=1), state) for state in road]
        said = [Entry(Prompted("Hello"), now(), state) for state in road]
        if road:
            await store.calls.append_all(call_id, [row for pair in zip(said, rows, strict=True) for row in pair])
        if outcome:
            await store.calls.finish(call_id, outcome, now.pass_(seconds=5), {})
    since = now() - timedelta(minutes=35)
    passed = await store.calls.passages(since, 10)
    assert passed.visits == [
        ("call-a", "main.greet"),
        ("call-a", "hold.until"),
        ("call-a", "main.ask"),
        ("call-b", "main.greet"),
        ("call-b", "main.ask"),
        ("call-live", "main.greet"),
    ], "by call, each in its order; nothing of what was said, nothing of calls before that"
    assert passed.abandoned == {"call-b"}
    newest = await store.calls.passages(since, 2)
    assert {call_id for call_id, _ in newest.visits} == {"call-live"}, "of the newest two, one passed no state"


async def test_updates_of_one_call_do_not_lose_each_other(store: Store, now: Time) -> None:
    await begun(store, "call-1", now())
    await asyncio.gather(*(store.calls.update("call-1", **{f"key{n}": n}) for n in range(10)))
    found = await store.calls.get("call-1")
    assert found is not None
    assert [found[f"key{n}"] for n in range(10)] == list(range(10))


async def test_after_a_crash(store: Store, now: Time, url: str) -> None:
    other = Store(url, timeout_s=10.0, now=now, node="other")
    await begun(other, "elsewhere", now())
    await begun(store, "call-1", now())
    await begun(store, "call-2", now.pass_(hours=1))
    assert await store.calls.end_unfinished("lost", now()) == 1
    found = await store.calls.get("call-1")
    assert found is not None
    assert (found["live"], found["outcome"]) == (False, "lost")
    assert [c["call_id"] for c in await store.calls.recent(live=True)] == ["call-2", "elsewhere"]
    await other.close()


async def test_a_crash_before_calls_had_a_node(store: Store, now: Time) -> None:
    await begun(store, "call-1", now())
    without = update(calls).values(node=None)
    await store.database.write(lambda connection: connection.execute(without))
    assert await store.calls.end_unfinished("lost", now.pass_(hours=1)) == 1
    found = await store.calls.get("call-1")
    assert found is not None
    assert (found["live"], found["outcome"]) == (False, "lost")


async def test_resume_points_are_used_once(store: Store, now: Time) -> None:
    records: CallRecords = store.calls
    await records.save_resume_point("10001", {"state": "old"}, now())
    await records.save_resume_point("10001", {"state": "new", "slots": {"title": "5"}}, now.pass_(minutes=1))
    await records.save_resume_point("10002", {"state": "other"}, now())
    assert await records.take_resume_point("10003", now() - timedelta(hours=1)) is None
    found = await records.take_resume_point("10001", now() - timedelta(hours=1))
    assert found == {"state": "new", "slots": {"title": "5"}}
    assert await records.take_resume_point("10001", now() - timedelta(hours=1)) is None
    assert await records.take_resume_point("10002", now() + timedelta(seconds=1)) is None


async def test_of_two_calls_one_resumes(store: Store, now: Time) -> None:
    await store.calls.save_resume_point("10001", {"state": "menu"}, now())
    taken = await asyncio.gather(*(store.calls.take_resume_point("10001", now()) for _ in range(8)))
    assert [point for point in taken if point] == [{"state": "menu"}]


async def test_handoff_contexts(store: Store, now: Time, url: str) -> None:
    contexts: ContextStore = store.handoffs
    await contexts.keep_context(
        "secret-token", "call-1", {"reason": "anger", "facts": {"a": 1}}, now() + timedelta(hours=1)
    )
    assert await contexts.context("secret-token") == {"reason": "anger", "facts": {"a": 1}}
    assert await contexts.context("secret-toke") is None
    now.pass_(hours=2)
    assert await contexts.context("secret-token") is None


async def test_moments_need_a_zone(store: Store) -> None:
    with pytest.raises(Exception, match="time zone"):
        await store.calls.begin("call-1", "a", "b", datetime(2026, 6, 1), {})


async def test_purging_keeps_what_is_live_or_waiting(store: Store, now: Time) -> None:
    start = now()
    for call_id in ("old", "live"):
        await begun(store, call_id, now())
        await store.calls.append_all(call_id, [Entry(Understood(), now())])
    await store.calls.append_all("stray", [Entry(Understood(), now())])
    await store.calls.finish("old", "resolved", now(), {})
    await store.calls.save_resume_point("10001", {}, now())
    await store.verification.begin("10001", "5035550101")
    await store.handoffs.keep_context("old", "old", {}, now() + timedelta(days=1))
    await store.handoffs.keep_context("long", "old", {}, now() + timedelta(days=90))
    await done(store, "notes.add", "10001", key="note", call_id="old", text="x", kind="k")
    for n in (1, 2):
        await store.callbacks.request(
            "5035550101", name="", caller_id="", skill="general", wanted="", key=f"cb{n}", call_id="old"
        )
    first, _ = await store.callbacks.waiting()
    await store.callbacks.close(first.id)
    now.pass_(days=40)
    await begun(store, "new", now())
    await store.calls.append_all("new", [Entry(Understood(), now())])
    await store.calls.finish("new", "resolved", now(), {})

    for person in ("gone", "waits"):
        place = await store.line.enter(Arrival(person, person, "general", 5))
        if person == "gone":
            await store.line.leave(place.id, "abandoned")
    aged = update(places).values(changed_at=start), update(place_events).values(at=start)
    for each in aged:
        await store.database.write(partial(_executed, each))

    assert set((await store.retention.purge(about_calls(start - timedelta(days=1)))).values()) == {0}
    counts = await store.retention.count(about_calls(now() - timedelta(days=30)))
    assert await store.retention.purge(about_calls(now() - timedelta(days=30))) == counts
    assert counts == {
        "call_entries": 2,
        "handoff_contexts": 1,
        "place_events": 2,
        "places": 1,
        "agent_events": 0,
        "announced": 0,
        "live_dialogs": 0,
        "resume_points": 1,
        "verification_tries": 1,
        "callbacks": 1,
        "idempotency": 3,
        "calls": 1,
    }
    assert {c["call_id"] for c in await store.calls.recent()} == {"live", "new"}
    live = await store.calls.get("live")
    assert live is not None
    assert len(live["entries"]) == 1
    assert len(await store.callbacks.waiting()) == 1
    assert await store.handoffs.context("long") == {}
    assert len(await store.audit.of_call("old")) == 3


@pytest.mark.parametrize(
    "text", ["\x00", "a\x00b", "\\u0000", "\\\x00", "\ud800", "\U0001f3ac", "'; DROP TABLE calls; --", "x" * 5000]
)
async def test_hostile_text_is_kept_or_cleaned_never_an_error(store: Store, now: Time, text: str) -> None:
    await store.calls.begin("call-1", text, text, now(), {"display": text})
    await store.calls.append_all("call-1", [Entry(Other(text, {"text": text, "nested": [{text: text}]}), now())])
    await store.calls.finish("call-1", text, now(), {"said": text})
    await store.callbacks.request(
        text, name=text, caller_id="", skill=text, wanted=text, key=f"key{text[:1]}", call_id="call-1"
    )
    for _ in range(2):
        await done(store, "notes.add", "10001", key="n" * 500, call_id="call-1", text=text, kind=text)
    assert len(await films_on(store).backend.notes("10001")) == 1
    found = await store.calls.get("call-1")
    assert found is not None
    clean = text.replace("\x00", "").replace("\ud800", "?")
    assert found["display"] == clean
    assert found["entries"][0]["text"] == clean
    assert found["caller"] == clean[:100]


def test_utc_is_the_default_clock() -> None:
    store = Store("sqlite+aiosqlite://")
    assert store.now().tzinfo is UTC


async def _executed(statement: Update, connection: AsyncConnection) -> None:
    await connection.execute(statement)
