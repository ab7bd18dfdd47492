"""The checker's process: hostile files neither stall the loop nor live on; what it finds is what was found before."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.dialogue.flows.source import read_directory
from ivr.errors import CheckUnavailable, FlowError
from ivr.line_facts import line_facts
from ivr.release.candidate import examine, findings_of
from ivr.release.checker import Checker
from tests.release.checker_work import endless, greedy, refused

FLOWS = Path(__file__).parents[2] / "flows"
PAUSE_S = 0.5  # generous: typical is 0.02
LIMIT_S = 3.0


@pytest.fixture
async def checker() -> AsyncIterator[Checker]:
    made = Checker(limit_s=LIMIT_S)
    yield made
    await made.stop()


@pytest.fixture
async def patient() -> AsyncIterator[Checker]:
    """For what is not about the limit: a process that starts on a busy machine takes its time."""
    made = Checker()
    yield made
    await made.stop()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def longest_pause(over: asyncio.Event) -> float:
    longest = 0.0
    while not over.is_set():
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        longest = max(longest, time.perf_counter() - began)
    return longest


async def test_what_is_hostile_is_killed_in_time_and_the_next_check_answers(checker: Checker) -> None:
    assert await checker.run(abs, -1) == 1
    pid = checker.pid
    assert pid is not None
    over = asyncio.Event()
    beside = asyncio.create_task(longest_pause(over))
    with pytest.raises(CheckUnavailable, match="the check took longer than 3 s"):
        await checker.run(endless)
    over.set()
    assert await beside < PAUSE_S
    assert not alive(pid)
    assert await checker.run(abs, -2) == 2


async def test_it_does_not_live_on_after_nobody_waits(checker: Checker) -> None:
    await checker.run(abs, -1)
    pid = checker.pid
    assert pid is not None
    waiting = asyncio.create_task(checker.run(endless))
    await asyncio.sleep(0.2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not alive(pid)
    assert await checker.run(abs, -2) == 2


async def test_what_the_work_refuses_is_raised_with_its_remedy(checker: Checker) -> None:
    with pytest.raises(FlowError, match="not so") as told:
        await checker.run(refused)
    assert told.value.remedy == "otherwise"


async def test_what_takes_too_much_memory_is_refused_with_the_bound(checker: Checker) -> None:
    with pytest.raises(CheckUnavailable, match="more than 2,048 MB of memory"):
        await checker.run(greedy)
    assert await checker.run(abs, -1) == 1


async def test_a_huge_draft_does_not_stall_the_loop(checker: Checker) -> None:
    states = "".join(f"  s{n}:\n    say: hello {n}\n    then: s{n + 1}\n" for n in range(15_000))
    huge = {**read_directory(FLOWS), "huge.yaml": f"flow: huge\nstart: s0\nstates:\n{states}"}
    await checker.run(abs, -1)
    over = asyncio.Event()
    beside = asyncio.create_task(longest_pause(over))
    try:
        assert await checker.run(findings_of, huge, line_facts(None))
    except CheckUnavailable as late:
        assert "took longer" in str(late)
    over.set()
    assert await beside < PAUSE_S


async def test_it_finds_what_the_line_itself_would(patient: Checker) -> None:
    sources = dict(read_directory(FLOWS))
    sources["main.yaml"] = sources["main.yaml"].replace("states:", "stats:", 1)
    here = examine(sources, line_facts(None))
    assert here.errors
    assert await patient.run(findings_of, sources, line_facts(None)) == here.findings
