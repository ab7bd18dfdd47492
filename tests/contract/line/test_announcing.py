"""Waits announced on the real line: what callers hear, kept and scored in both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from ivr.clock import SystemClock
from ivr.config import DeskConfig
from ivr.desk import WaitingLine
from ivr.desk.announcements import WaitAnnouncements
from ivr.desk.routing import Rules
from ivr.desk.scoring import Scoring
from ivr.ports import Standing
from ivr.ports.line import Announced
from tests.contract.line.conftest import OneLine, arrival


@asynccontextmanager
async def announcing(desk: OneLine) -> AsyncIterator[WaitingLine]:
    """The process of ``desk`` as the service puts it together."""
    clock = SystemClock()
    scoring = Scoring(desk.store.announced, desk.store.desk_history.handle_times)
    waits = WaitAnnouncements(Rules(), 300.0, now=clock.now, keep=scoring.keep, unknown=scoring.ask)
    line = WaitingLine(desk.line, DeskConfig(), clock, estimator=waits)
    await line.begin()
    running = [asyncio.create_task(work) for work in (line.run(), scoring.run(waits, clock))]
    try:
        yield line
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not so():  # noqa: ASYNC110 - the line looks at its database by itself
            await asyncio.sleep(0.02)


async def said(desk: OneLine, place: int, so: Callable[[Sequence[Announced]], bool]) -> Sequence[Announced]:
    async with asyncio.timeout(10):
        while not so(found := await desk.store.announced.told([place])):  # noqa: ASYNC110 - written beside
            await asyncio.sleep(0.02)
    return found


def tell(line: WaitingLine, place: int) -> Standing:
    standing = line.standing(place)
    assert standing is not None
    line.told(place, standing)
    return standing


async def test_from_the_first_word_to_the_score(desk: OneLine) -> None:
    await desk.agent("ann")
    async with announcing(desk) as line:
        await until(lambda: line.staffed("general"))
        busy = await line.enter(arrival("member:1"))
        assert await line.answered(await line.offered(busy.id))
        waits, behind = await line.enter(arrival("member:2")), await line.enter(arrival("member:3"))
        await until(lambda: len([p for p in line.view().places if p.state == "waiting"]) == 2)
        assert (tell(line, waits.id).position, tell(line, behind.id).position) == (1, 2)
        urgent = await line.enter(arrival("member:4", priority=9))
        await until(lambda: any(p.id == urgent.id for p in line.view().places))
        standing = line.standing(behind.id)
        assert standing is not None and standing.position == 0, "three would be a step back: it is not said"
        await line.leave(urgent.id, "abandoned")
        await line.finished(busy.id, "ann")
        await line.set_state("ann", "idle")
        assert await line.answered(await line.offered(waits.id))
        (row,) = await said(desk, waits.id, lambda found: bool(found) and found[0].true_wait_s is not None)
        assert row.kept is True and (row.position, row.ahead, row.kind) == (1, 0, "first")
        (open_one,) = await said(desk, behind.id, lambda found: len(found) == 1)
        assert open_one.true_wait_s is None
        await line.leave(behind.id, "abandoned")
        await line.finished(waits.id, "ann")
        await line.set_state("ann", "idle")
        (row,) = await said(desk, behind.id, lambda found: found[0].true_wait_s is not None)
        assert row.expected_s is not None, "who gave up is learnt from, once their turn would have come"
        assert (row.minutes, row.kept) == (None, None), "seventeen minutes were not said, so nothing was promised"


async def test_the_next_start_goes_on_where_this_one_stopped(desk: OneLine) -> None:
    await desk.agent("ann", state="away")
    async with announcing(desk) as line:
        first = await line.enter(arrival("member:1"))
        await until(lambda: bool(line.view().places))
        assert tell(line, first.id).position == 1
        await said(desk, first.id, lambda found: len(found) == 1)
    async with announcing(desk) as line:
        urgent = await line.enter(arrival("member:2", priority=9))
        await until(lambda: any(p.id == urgent.id for p in line.view().places))
        await until(lambda: (found := line.standing(first.id)) is not None and found.position == 0)
