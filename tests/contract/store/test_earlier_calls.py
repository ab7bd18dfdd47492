"""Earlier calls about the same, and messages as they were recorded, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ivr.record import Entered, Entry
from ivr.store import Store

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA = "5035550101"


async def called(store: Store, call_id: str, days_ago: int, *states: str, number: str = ADA, member: str = "") -> None:
    at = NOW - timedelta(days=days_ago)
    await store.calls.begin(call_id, number, "5035550199", at, {})
    await store.calls.append_all(call_id, [Entry(Entered(state, "question"), at) for state in states], 0)
    if member:
        await store.calls.update(call_id, facts={"caller.id": member})


async def test_calls_about_it_by_number_or_member_lately(store: Store) -> None:
    await called(store, "one", 3, "main.ask", "discs.earlier")
    await called(store, "two", 5, "discs.earlier", "discs.report", number="5035550102", member="10001")
    await called(store, "old", 31, "discs.earlier")
    await called(store, "other", 2, "main.ask", "discs_and_more.start")
    await called(store, "stranger", 2, "discs.earlier", number="5035550103")
    await called(store, "now", 0, "discs.earlier")
    about = {"since": NOW - timedelta(days=30), "but": "now"}
    assert await store.calls.calls_about("discs", caller_id="10001", number=ADA, **about) == 2  # type: ignore[arg-type]
    assert await store.calls.calls_about("discs", caller_id="", number=ADA, **about) == 1  # type: ignore[arg-type]
    assert await store.calls.calls_about("discs", caller_id="10001", number="", **about) == 1  # type: ignore[arg-type]
    assert await store.calls.calls_about("discs", caller_id="", number="", **about) == 0  # type: ignore[arg-type]
