"""Drafts that nobody could simulate: a call of one ends in time with the words, and others call again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.config import Config, FlowsConfig
from ivr.dialogue.flows.source import read_directory
from ivr.errors import FlowError
from ivr.workshop.simulate.simulator import Simulator, SimulatorUnavailable, Version
from tests.release.test_checker import PAUSE_S, alive, longest_pause

FLOWS = Path(__file__).parents[2] / "flows"
LIMIT_S = 8.0


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    made = Simulator(Config(flows=FlowsConfig(directory=FLOWS)), limit_s=LIMIT_S)
    yield made
    await made.stop()


def usual() -> Version:
    return Version.of(read_directory(FLOWS))


def hostile() -> Version:
    """Files of the largest size that is taken, of states that each lead to the next."""
    states = "".join(f"  s{n}: {{prompt: hello {n}, goto: s{n + 1}}}\n" for n in range(20_000))
    last = "  s20000: {prompt: bye, end: resolved}\n"
    long = {f"long{n}": f"flow: long{n}\nstart: s0\nstates:\n{states}{last}" for n in range(8)}
    return Version.of({**read_directory(FLOWS), **{f"{name}.yaml": text for name, text in long.items()}})


async def test_it_is_ended_in_time_and_the_next_call_is_answered(simulator: Simulator) -> None:
    other = await simulator.trial(usual(), "main", "5035550101", "en-US")
    assert (await other.begin())["state"]
    pid = simulator.pid
    assert pid is not None
    trial = await simulator.trial(hostile(), "long0", "", "en-US")
    over = asyncio.Event()
    beside = asyncio.create_task(longest_pause(over))
    with pytest.raises(SimulatorUnavailable, match="took longer than 8 s"):
        await trial.begin()
    over.set()
    assert await beside < PAUSE_S
    assert not alive(pid)
    with pytest.raises(FlowError, match="this simulated call is lost"):
        await other.obey("hello")
    again = await simulator.trial(usual(), "main", "5035550101", "en-US")
    assert (await again.begin())["state"]


async def test_who_closes_the_page_ends_nobody_else_s_call(simulator: Simulator) -> None:
    other = await simulator.trial(usual(), "main", "5035550101", "en-US")
    await other.begin()
    pid = simulator.pid
    trial = await simulator.trial(usual(), "hold", "5035550101", "en-US")
    waiting = asyncio.create_task(trial.begin())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (await other.obey("read my queue"))["entries"]
    assert simulator.pid == pid
