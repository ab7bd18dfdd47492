"""A line with two media processes: one of them is killed, and nobody whose call is in the other hears of it."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.voices import CallerVoice
from tests.wire.line.test_media_death import HELLO, calling, longest_gap_s
from tests.wire.line.watching import forget_resume_points, heard_by, logged, mark, processes, until_idle, with_human

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

NUMBERS = ("5035550102", "5035550103")
GONE_ON_S = 15.0  # with a loaded machine in mind; half a second where there is nothing else
UNHEARD_S = 0.3  # what a busy machine makes of 20 ms; a new process takes half a second and more


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def agents() -> AsyncIterator[list[Softphone]]:
    async with Softphone.open() as one, Softphone.open() as two:
        yield [one, two]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def line(agents: list[Softphone], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    setup = LineSetup(
        Path(tmp_path_factory.mktemp("two")),
        agents=[AgentPhone(agent.uri, name=f"desk-{number}") for number, agent in enumerate(agents)],
        media_processes=2,
    )
    async with RunningLine.running(setup) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def undisturbed(line: RunningLine, agents: list[Softphone]) -> AsyncIterator[None]:
    for agent in agents:
        agent.forget()
        await agent.set_incoming("answer", after_s=0.3)
    yield
    await until_idle(line)
    forget_resume_points(line)


async def legs(line: RunningLine) -> dict[str, float]:
    """By process, as operators see them."""
    async with aiohttp.ClientSession() as session, session.get(f"{line.http}/metrics") as answer:
        text = await answer.text()
    found = [each.split() for each in text.splitlines() if each.startswith("ivr_media_legs{")]
    return {name.split('"')[1]: float(value) for name, value in found}


async def test_a_killed_process_ends_no_call_and_is_not_heard_in_the_others(
    line: RunningLine, agents: list[Softphone], joe: CallerVoice
) -> None:
    hello, morning = await joe.speak_soon(HELLO), await joe.speak_soon("good morning, it is about my disc")
    async with AsyncExitStack() as stack:
        pairs: list[tuple[Softphone, Softphone]] = []
        for number in NUMBERS:
            phone, caller, call = await stack.enter_async_context(calling(line, joe, number))
            since = mark(line)
            await caller.press("0")
            pairs.append((phone, await with_human(line, agents, call, since=since)))
        assert await legs(line) == {"1": 2.0, "2": 2.0}, "both legs of a conversation are in one process"
        began = [phone.timeline.until for pair in pairs for phone in pair]
        since = mark(line)
        killed = processes(line, "ivr.media.process")
        assert len(killed) == 2
        os.kill(killed[0], signal.SIGKILL)
        await logged(line, "media.restored", since=since)
        for phone, agent in pairs:
            await heard_by(phone, agent, hello)
            await heard_by(agent, phone, morning)
        told = [leg for pair in pairs for leg in pair if invited(leg)]
        assert len(told) == 2 and tuple(told) in pairs, "of one conversation, which its far ends are told of"
        for leg, at in zip([leg for pair in pairs for leg in pair], began, strict=True):
            gap_s = longest_gap_s([each for each in leg.timeline.heard if each.at >= at])
            print(f"  {'killed' if leg in told else 'other'}: {gap_s:.2f} s without a packet")
            assert gap_s < (GONE_ON_S if leg in told else UNHEARD_S)
            assert leg.ended is None
        assert line.log.read_text("utf-8")[since:].count('"media.restored"') == 2


def invited(phone: Softphone) -> bool:
    """Whether it was told of other media."""
    asked = [each for each in phone.messages if each.direction == "in" and each.text.startswith("INVITE ")]
    return any(";tag=" in each.text.partition("\nTo:")[2].partition("\n")[0] for each in asked)
