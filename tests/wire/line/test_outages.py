"""A line that is killed, and a database that another program holds: no caller's place and no call's record is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from watchfiles import awatch

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from tests.wire.line.watching import call_of, forget_resume_points, logged, mark, reached_state, stored, until_idle

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

ADA, JUNE, JUNE_NUMBER = "5035550101", "5035550103", "10003"


@contextmanager
def locked(line: RunningLine) -> Iterator[None]:
    """Another program holds SQLite's one write lock."""
    other = sqlite3.connect(line.setup.folder / "ivr.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def until(line: RunningLine, query: str, *values: object) -> None:
    """The database says so; looks whenever it is written to. Raises TimeoutError."""
    async with asyncio.timeout(15):
        async for _ in awatch(line.setup.folder, rust_timeout=200, yield_on_timeout=True, debounce=50, step=20):
            if stored(line, query, *values):
                return


async def all_written(line: RunningLine) -> None:
    async with asyncio.timeout(30):
        while await line.get("/readyz") and list(line.setup.folder.glob("ivr.sqlite3.spool/*/*.jsonl")):
            pass


async def offered(line: RunningLine, call: str, since: int) -> None:
    """They are asked whether they want to go on where they were: what is keyed before is kept for another question."""
    await logged(line, "dialogue.prompt", since=since, call_id=call, ids=["main.pick_up"])


async def in_the_middle(line: RunningLine, caller: Caller, *, since: int) -> str:
    """June is asked to which place the last of her titles shall go; the call."""
    await caller.prompt_begin()
    call = str((await call_of(line, JUNE))["call_id"])
    for keys, state in (("3", "queue.menu"), ("2", "queue.which_title"), ("2#", "queue.which_position")):
        await caller.press(keys)
        await reached_state(line, state, call, since=since)
    return call


async def test_a_killed_lines_caller_goes_on_where_they_were(agent: Softphone, tmp_path: Path) -> None:
    setup = LineSetup(tmp_path, agents=[AgentPhone(agent.uri)])
    async with RunningLine.running(setup) as first, Softphone.open() as june, Softphone.open() as ada:
        before = await first.queue(JUNE_NUMBER)
        async with (
            Caller.calling(june, first.uri, None, from_number=JUNE) as caller,
            Caller.calling(ada, first.uri, None, from_number=ADA) as greeted,
        ):
            await greeted.prompt_begin()
            call = await in_the_middle(first, caller, since=0)
            await until(first, "SELECT 1 FROM resume_points WHERE snapshot LIKE '%which_position%'")
            first.process.kill()
            await first.process.wait()
    assert len(stored(first, "SELECT 1 FROM calls WHERE ended_at IS NULL")) == 2
    async with RunningLine.running(setup) as second, Softphone.open() as june:
        await until_idle(second)  # their phones know of no such call any more
        lost = await second.calls(live=False)
        assert {row["outcome"] for row in lost} == {"lost"} and call in {row["call_id"] for row in lost}
        since = mark(second)
        async with Caller.calling(june, second.uri, None, from_number=JUNE) as caller:
            await caller.prompt_begin()
            again = str((await call_of(second, JUNE))["call_id"])
            await offered(second, again, since)
            await caller.press("1")
            await reached_state(second, "queue.which_position", again, since=since)
            await caller.press("1#")
            await reached_state(second, "queue.to_position", again, since=since)
            await caller.press("1")  # what was said in another call is asked about before anything changes
            await logged(second, "dialogue.action", since=since, call_id=again, action="queue.move_to_position")
        await until_idle(second)
        assert await second.queue(JUNE_NUMBER) == [before[1], before[0], *before[2:]]


async def test_a_call_that_meets_a_lock_is_whole_afterwards(line: RunningLine) -> None:
    """For ten seconds: the caller notices nothing of it where nothing is to be changed, also at the very beginning."""
    since = mark(line)
    forget_resume_points(line)
    async with Softphone.open() as june:
        with locked(line):
            began = time.monotonic()
            async with Caller.calling(june, line.uri, None, from_number=JUNE) as caller:
                call = await in_the_middle(line, caller, since=since)
                async with aiohttp.ClientSession() as session, session.get(f"{line.http}/readyz") as answer:
                    assert answer.status == 503, "a line that can write nothing down is not ready"
                    assert "wait in the spool" in (await answer.json())["store"]
                await asyncio.sleep(max(0.0, 10.0 - (time.monotonic() - began)))  # as long as the lock is held
            ended = await logged(line, "call.end", since=since, call_id=call)
        assert ended["journal_lost"] == 0
    await logged(line, "journal.recovered", since=since)
    await all_written(line)
    found = await line.get(f"/api/calls/{call}")
    assert (found["live"], found["outcome"], found["caller"]) == (False, "abandoned", f"+1{JUNE}")
    assert [entry["key"] for entry in found["entries"] if entry["kind"] == "key"] == ["3", "2", "2", "#"]
    assert (await line.get("/readyz"))["store"] == "ok"
    async with Softphone.open() as june, Caller.calling(june, line.uri, None, from_number=JUNE) as caller:
        await caller.prompt_begin()
        again = str((await call_of(line, JUNE))["call_id"])
        await offered(line, again, since)
        await caller.press("1")
        await reached_state(line, "queue.which_position", again, since=since)
        await caller.press("0")
        await logged(line, "handoff.connected", since=since, call_id=again)


async def test_keys_while_the_dropped_call_is_looked_for_count(line: RunningLine) -> None:
    """A caller who knows the menu keys before they are asked."""
    since = mark(line)
    async with Softphone.open() as ada, Caller.calling(ada, line.uri, None, from_number=ADA) as caller:
        await caller.press("3")
        call = str((await call_of(line, ADA))["call_id"])
        await reached_state(line, "queue.menu", call, since=since)
