"""Several processes at one line, and one is killed: judged by what the database wrote down, in its order."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from ivr.store.tables import place_events, places

from .conftest import OneLine, opened

ROOT = Path(__file__).parents[3]


@dataclass(slots=True)
class Worker:
    process: asyncio.subprocess.Process

    async def told(self, **order: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        return await self.heard()

    async def heard(self) -> Any:
        assert self.process.stdout is not None
        while not (line := (await self.process.stdout.readline()).strip()).startswith((b"{", b"[", b"true")):
            assert line or not self.process.stdout.at_eof(), "it died"
        return json.loads(line)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def worker(name: str, url: str, spool: str = "") -> AsyncIterator[Worker]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.contract.line.worker", name, url, spool,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    made = Worker(process)
    try:
        assert await made.heard() == {"ready": True}
        yield made
    finally:
        if process.returncode is None:
            await made.kill()


async def judged(desk: OneLine) -> dict[str, int]:
    """Replays the event table. Order is exact: whoever is offered stood first, among those who waited for the same
    with the same priority. Nobody has two agents, no agent two callers."""

    async def read(connection: Any) -> tuple[dict[int, Any], Sequence[Any]]:
        rows = (await connection.execute(select(places))).all()
        events = (await connection.execute(select(place_events).order_by(place_events.c.id))).all()
        return {row.id: row for row in rows}, events

    rows, events = await desk.store.database.read(read)
    waiting: set[int] = set()
    agent_of: dict[int, str] = {}
    counts = {"offers": 0, "again": 0, "finished": 0}
    for event in events:
        if not event.place:
            continue
        state, row = event.detail.get("state"), rows[event.place]
        if event.kind == "offered":
            counts["offers"] += 1
            counts["again"] += event.detail["offer"] > 1
            assert event.place in waiting, "offered twice"
            assert event.agent not in agent_of.values(), f"{event.agent} has two callers"
            before = [
                rows[other]
                for other in waiting
                if (rows[other].skill, rows[other].priority) == (row.skill, row.priority)
            ]
            first = min(before, key=lambda each: (each.entered_at, each.id))
            assert first.id == row.id, f"{row.id} was served before {first.id}"
            agent_of[event.place] = event.agent
        elif event.kind == "withdrawn":
            continue
        elif state not in ("offered", "talking"):
            agent_of.pop(event.place, None)
        counts["finished"] += event.kind == "finished"
        waiting.add(event.place) if state == "waiting" else waiting.discard(event.place)
    return counts


async def count(desk: OneLine, *conditions: Any) -> int:
    query = select(func.count()).select_from(places).where(*conditions)
    found: int = (await desk.store.database.read(lambda connection: connection.execute(query))).scalar_one()
    return found


async def holds(what: Callable[[], Any], seconds: float = 40.0) -> None:
    ends = time.monotonic() + seconds
    while not await what():
        assert time.monotonic() < ends, "it never came to that"
        await asyncio.sleep(0.1)


@pytest.mark.postgres
async def test_two_hundred_callers_and_a_process_that_is_killed(
    seeded_postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = seeded_postgres_url
    desk = await opened(url, "judge")
    names = {"a": [f"a-agent{n}" for n in range(5)], "b": [f"b-agent{n}" for n in range(5)]}
    people = {"a": [f"a{n}" for n in range(100)], "b": [f"b{n}" for n in range(100)]}
    async with worker("a", url) as a, worker("b", url) as b:
        for each, name in ((a, "a"), (b, "b")):
            await each.told(do="agents", names=names[name][:3], skills=["general"])
            await each.told(do="agents", names=names[name][3:], skills=["general", "retention"])
            await each.told(do="callers", people=people[name], seconds=3.0, urgent=0.15)
        await holds(lambda: at_least(desk, 80))
        measured = (await a.told(do="report"))["paired_ms"]
        await a.kill()
        query = select(places.c.person).where(places.c.state == "done")
        done = set((await desk.store.database.read(lambda connection: connection.execute(query))).scalars())
        left = [person for person in people["a"] if f"member:{person}" not in done]
        random.Random(1).shuffle(left)
        await b.told(do="agents", names=names["a"], skills=["general"])  # their browsers find the other one
        await b.told(do="callers", people=left, seconds=3.0, urgent=0.15)
        await holds(lambda: nobody_is_live(desk))
        report = await b.told(do="report")
    assert report["failed"] == []
    served = select(func.count(func.distinct(places.c.member))).where(places.c.state == "done")
    assert (await desk.store.database.read(lambda connection: connection.execute(served))).scalar_one() == 200
    counts = await judged(desk)
    assert counts["finished"] >= 195, "a conversation may have been cut off by the kill, and been taken up again"
    times = sorted(measured + report["paired_ms"])
    with capsys.disabled():
        print(
            f"\n    {counts}, {len(left)} dialled again; pairing ms: median {statistics.median(times):.1f}, "
            f"p95 {times[int(0.95 * len(times))]:.1f}, max {times[-1]:.1f}"
        )
    await desk.store.close()


async def at_least(desk: OneLine, served: int) -> bool:
    return await count(desk, places.c.state == "done") >= served


async def nobody_is_live(desk: OneLine) -> bool:
    done = await count(desk, places.c.state == "done")
    return done >= 200 and not await count(desk, places.c.state != "done")


async def test_killed_with_thirty_waiting(url: str, tmp_path: Path) -> None:
    """On one machine whoever comes next finds its lock free."""
    await _killed(url, tmp_path, common=True)


@pytest.mark.postgres
async def test_killed_with_thirty_waiting_on_another_machine(seeded_postgres_url: str, tmp_path: Path) -> None:
    """Its beat is old."""
    await _killed(seeded_postgres_url, tmp_path, common=False)


async def _killed(url: str, tmp_path: Path, *, common: bool) -> None:
    """Everybody who dials again is at the old place; no call back is lost or made twice; nothing stays live."""
    people = [f"p{n}" for n in range(30)]
    async with worker("doomed", url, str(tmp_path)) as doomed:
        held = await doomed.told(do="hold", people=people)
        promised = await doomed.told(do="call back", people=["q0", "q1"])
        survivor = None if common else await opened(url, "survivor")
        beside = asyncio.ensure_future(_beat(survivor)) if survivor is not None else None
        await doomed.kill()
        if survivor is None:
            survivor = await opened(url, "survivor", spool=tmp_path)
        else:
            await holds(lambda: reaped(survivor), 12)
    assert await count(survivor, places.c.state == "away") == 30
    random.Random(5).shuffle(people)
    await survivor.agent("ann")
    backs = [await survivor.pair()]
    assert await survivor.line.dialling(backs[0]) and await survivor.line.answered(backs[0])
    await survivor.line.finished(backs[0].place.id, "ann")
    for person in people:
        assert (await survivor.enter(f"member:{person}", call_id=f"again {person}")).again
    waiting = [place for place in (await survivor.line.snapshot()).places if place.state == "waiting"]
    assert [place.id for place in waiting] == held
    served = []
    for n in range(31):
        await survivor.line.set_state("ann", "idle")
        offer = await survivor.serve() if n < 30 else await survivor.pair()
        if n == 30:
            assert await survivor.line.dialling(offer) and await survivor.line.answered(offer)
        served.append(offer.place.id)
        await survivor.line.finished(offer.place.id, "ann")
    assert served == [*held, promised[1]]
    assert backs[0].place.id == promised[0]
    assert (await survivor.line.snapshot()).places == ()
    if beside is not None:
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
    await survivor.store.close()


async def _beat(desk: OneLine) -> None:
    from ivr.clock import SystemClock

    await desk.store.run(SystemClock(), tuple)


async def reaped(desk: OneLine) -> bool:
    return await desk.line.reap() == 30
