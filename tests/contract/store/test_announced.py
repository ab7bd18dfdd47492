"""Announcements of waits in both databases: kept, scored once, read back after a start."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ivr.ports.line import Announced
from ivr.store import Store
from ivr.store.retention import about_calls

AT = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)


def said(number: int, seconds: float = 0.0, **more: object) -> Announced:
    made = Announced(number, AT + timedelta(seconds=seconds), 2, 170.5, "first", 3, 1, 90.25)
    return replace(made, **more)  # type: ignore[arg-type]


async def test_what_was_said_is_read_back(store: Store) -> None:
    silent = said(2, 5, position=0, minutes=None, within_s=None, expected_s=None, kind="again")
    await store.announced.keep([said(1), silent])
    await store.announced.keep([])
    assert await store.announced.told([1, 2, 3]) == [said(1), silent]
    assert await store.announced.truths(10) == []


async def test_the_truth_comes_later_and_once(store: Store) -> None:
    await store.announced.keep([said(1), said(2, 1)])
    await store.announced.keep([said(1, true_wait_s=100.0, kept=True)])
    await store.announced.keep([said(1, true_wait_s=300.0, kept=False), said(2, 1)])
    assert await store.announced.told([1]) == [said(1, true_wait_s=100.0, kept=True)]
    assert await store.announced.told([2]) == [said(2, 1)]


async def test_the_newest_truths_oldest_first(store: Store) -> None:
    known = [said(number, number, true_wait_s=10.0 * number, kept=True) for number in range(1, 8)]
    await store.announced.keep([*known[::-1], said(99, 99)])
    assert await store.announced.truths(3) == known[-3:]


async def test_old_ones_are_purged_with_the_calls(store: Store) -> None:
    await store.announced.keep([said(1), said(2, 7200)])
    assert (await store.retention.purge(about_calls(AT + timedelta(hours=1))))["announced"] == 1
    assert await store.announced.told([1, 2]) == [said(2, 7200)]
