"""Announcements scored in both databases, and what a start knows of the days before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ivr.clock import SystemClock
from ivr.desk.announcements import WaitAnnouncements
from ivr.desk.routing import Rules
from ivr.desk.scoring import Scoring
from ivr.errors import StoreUnavailable
from ivr.ports import AgentStatus, Arrival, LineView, Place, Standing
from ivr.ports.line import Announced, AnnouncementLog
from ivr.store import Store
from tests.contract.store.conftest import Time


async def no_handles(limit: int) -> Sequence[float]:
    return ()


@asynccontextmanager
async def process(log: AnnouncementLog, now: Callable[[], datetime]) -> AsyncIterator[WaitAnnouncements]:
    """One process of the line, as far as it announces waits."""
    scoring = Scoring(log, no_handles)
    estimator = WaitAnnouncements(Rules(), 300.0, now=now, keep=scoring.keep, unknown=scoring.ask)
    running = asyncio.create_task(scoring.run(estimator, SystemClock()))
    try:
        yield estimator
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def line(now: datetime, *places: Place) -> LineView:
    return LineView(places, (AgentStatus("ann", "busy", now, ("general",)),))


def waiting(number: int, at: datetime) -> Place:
    return Place(number, Arrival(f"member:{number}", f"c{number}", "general", 3), at, "waiting", "here")


def told(estimator: WaitAnnouncements, view: LineView, place: Place) -> Standing:
    standing = Standing(estimator.position(view, place), estimator.within_s(view, place), 0.0)
    estimator.told(view, place, standing)
    return standing


async def rows(store: Store, number: int, so: Callable[[Sequence[Announced]], bool]) -> Sequence[Announced]:
    async with asyncio.timeout(5):
        while not so(found := await store.announced.told([number])):  # noqa: ASYNC110 - another task writes them
            await asyncio.sleep(0.02)
    return found


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not so():  # noqa: ASYNC110 - another task reads it
            await asyncio.sleep(0.02)


async def test_what_was_said_and_what_was_true(store: Store, now: Time) -> None:
    place = waiting(1, now())
    async with process(store.announced, now) as estimator:
        estimator.follow(line(now(), place))
        said = told(estimator, line(now(), place), place)
        await rows(store, 1, lambda found: len(found) == 1)
        now.pass_(seconds=90)
        estimator.follow(line(now(), replace(place, state="talking", agent="ann")))
        (row,) = await rows(store, 1, lambda found: found[0].true_wait_s is not None)
    assert (row.position, row.within_s, row.minutes) == (1, said.within_s, said.within_minutes)
    assert (row.true_wait_s, row.kept) == (90.0, True)


async def test_a_start_knows_what_came_true_before(store: Store, now: Time) -> None:
    """Hold times are not wrong after a quiet night: the bound is what the day before has taught."""
    day = [
        Announced(n, now() + timedelta(seconds=n), 1, 600.0, "first", 10, 0, 300.0, true_wait_s=75.0, kept=True)
        for n in range(1, 101)
    ]
    await store.announced.keep(day)
    now.pass_(hours=14)
    place = waiting(1000, now())
    async with process(store.announced, now) as estimator:
        estimator.follow(line(now(), place))
        await until(lambda: estimator.within_s(line(now(), place), place) != 600.0)
        assert estimator.within_s(line(now(), place), place) == pytest.approx(75.0)


async def test_a_caller_who_calls_another_process_hears_no_higher_position(store: Store, now: Time) -> None:
    first, second = waiting(1, now()), waiting(2, now() + timedelta(seconds=1))
    async with process(store.announced, now) as here:
        here.follow(line(now(), second))
        assert told(here, line(now(), second), second).position == 1
        await rows(store, 2, lambda found: len(found) == 1)
    async with process(store.announced, now) as there:
        moved = replace(second, line="there", again=True)
        both = line(now(), first, moved)
        there.follow(both)
        await until(lambda: there.position(both, moved) == 0)
        now.pass_(seconds=30)
        there.follow(line(now(), first, replace(moved, state="talking", agent="ann")))
        (row,) = await rows(store, 2, lambda found: found[0].true_wait_s is not None)
        assert row.true_wait_s == 30.0, "what the other process promised is scored as well"


class Gone:
    """A log whose database is away at first."""

    def __init__(self, log: AnnouncementLog) -> None:
        self._log = log
        self.gone = True

    def _check(self) -> None:
        if self.gone:
            raise StoreUnavailable("stopped")

    async def keep(self, announced: Sequence[Announced]) -> None:
        self._check()
        await self._log.keep(announced)

    async def truths(self, limit: int) -> Sequence[Announced]:
        self._check()
        return await self._log.truths(limit)

    async def told(self, place_ids: Sequence[int]) -> Sequence[Announced]:
        self._check()
        return await self._log.told(place_ids)


async def test_what_is_said_while_the_database_is_away_is_written_later(store: Store, now: Time) -> None:
    log, place = Gone(store.announced), waiting(1, now())
    async with process(log, now) as estimator:
        estimator.follow(line(now(), place))
        told(estimator, line(now(), place), place)
        await asyncio.sleep(0)
        assert await store.announced.told([1]) == []
        log.gone = False
        await rows(store, 1, lambda found: len(found) == 1)
