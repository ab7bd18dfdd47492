"""A day's history in both databases, of what the line, calls, announcements and grants left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from ivr.desk.history import DayHistory
from ivr.ports import Arrival, Offer
from ivr.ports.line import Announced
from ivr.record import Decided, Entry
from ivr.store import Store
from ivr.store.ledger import Stamp, record
from ivr.store.tables import agent_events
from tests.films import ZONE, films_store

NOW = datetime.now(UTC)
SINCE, UNTIL = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


@pytest.fixture
async def desk(url: str) -> AsyncIterator[Store]:
    """A process that serves calls; moments are the database's own."""
    store = films_store(url, timeout_s=10.0, line="a" * 32)
    await store.begin()
    yield store
    await store.close()


def arrival(person: str, *, priority: int = 3, call_id: str = "") -> Arrival:
    return Arrival(person, call_id or f"call of {person}", "general", priority, number="5035550101")


async def offered(desk: Store) -> Offer:
    offer = await desk.line.pair()
    assert offer is not None
    return offer


async def test_places_and_what_became_of_them(desk: Store) -> None:
    await desk.line.sign_in("ann", skills=["general"])
    await desk.line.set_state("ann", "idle")
    saved = await desk.line.enter(arrival("member:1", priority=9))
    offer = await offered(desk)
    assert await desk.line.answered(offer)
    await desk.line.finished(saved.id, "ann", "saved")
    gave_up = await desk.line.enter(arrival("member:2"))
    await desk.line.leave(gave_up.id, "abandoned")
    away = await desk.line.enter(arrival("member:3"))
    await desk.line.leave(away.id, "away")
    again = await desk.line.enter(arrival("member:3", call_id="another"))
    assert again.id == away.id and again.again
    await desk.line.call_back(again.id, "+15035550103")
    rows = await desk.desk_history.rows(SINCE, UNTIL)
    assert [(row.person, row.state) for row in rows.places] == [
        ("member:1", "done"), ("member:2", "abandoned"), ("member:3", "callback"),
    ]  # fmt: skip
    told = DayHistory(rows, ZONE).to_json()
    assert told["at_risk"] == {"callers": 1, "saved": 1, "lost": 0, "untold": 0}
    assert told["service_level"] == {"kept": 1, "made": 2, "share": 0.5, "within_s": 20.0}
    assert told["abandoned"] == {"kept": 1, "made": 2, "share": 0.5}
    assert told["promises"]["places"] == {"kept": 1, "made": 1, "share": 1.0}
    assert told["goodwill"] == [{"agent": "ann", "conversations": 1, "at_risk": 1, "grants": 0}]
    assert told["conversations"]["count"] == 1
    assert not (await desk.desk_history.rows(UNTIL, UNTIL + timedelta(days=1))).places


async def test_seconds_to_a_human_and_zero_outs_of_calls(desk: Store) -> None:
    for number, seconds in (("c1", 4.5), ("c2", None), ("c3", 9.0)):
        await desk.calls.begin(number, "5035550101", "1", NOW, {})
        await desk.calls.finish(number, "transferred", NOW, {"seconds": 60.0, "seconds_to_human": seconds})
    wished = [
        Decided("to", "human", {"reason": "asked", "from": "main.ask"}),
        Decided("to", "human", {"reason": "asked", "from": "main.ask"}),
        Decided("to", "human", {"reason": "asked", "from": "verify.pin"}),
        Decided("to", "human", {"reason": "thinking of cancelling", "from": "main.ask"}),
        Decided("goodbye", True),
    ]
    await desk.calls.append_all("c1", [Entry(what, NOW, "main.ask") for what in wished])
    rows = await desk.desk_history.rows(SINCE, UNTIL)
    assert [call.seconds_to_human for call in rows.calls] == [4.5, 9.0]
    assert rows.zero_outs == {"main.ask": 2, "verify.pin": 1}


async def test_announcements_and_goodwill(desk: Store) -> None:
    said = Announced(1, NOW, 1, 110.0, "first", 2, 0, 60.0, 50.0, True)
    await desk.announced.keep([said])

    async def granted(actor: str, action: str) -> None:
        stamp = Stamp(f"{actor} {action}", action, "c1", NOW, actor)
        await desk.database.write(lambda connection: record(connection, stamp, "10001", None, {"title": "Casablanca"}))

    await granted("ann", "goodwill.title")
    await granted("ann", "goodwill.credit")
    await granted("ann", "goodwillful")
    await granted("bo", "queue.move")
    rows = await desk.desk_history.rows(SINCE, UNTIL)
    assert rows.announced == [said]
    assert rows.grants == {"ann": 2}


async def test_handle_times_with_wrap_up_to_start_from(desk: Store) -> None:
    def event(agent: str, seconds: float, state: str) -> dict[str, object]:
        return {"agent": agent, "slot": 1, "at": NOW + timedelta(seconds=seconds), "state": state, "reason": ""}

    events = [
        event("ann", 0, "busy"), event("bo", 5, "busy"), event("ann", 100, "wrap_up"), event("ann", 130, "idle"),
        event("bo", 205, "away"), event("ann", 300, "offered"), event("ann", 310, "busy"),
    ]  # fmt: skip
    await desk.database.write(lambda connection: connection.execute(insert(agent_events), events))
    assert await desk.desk_history.handle_times(60) == [130.0, 200.0]
    assert await desk.desk_history.handle_times(1) == [200.0]
