"""A real line (service process, media process, speech workers, database) and real phones around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.voices import CallerVoice
from tests.wire.line.watching import forget_resume_points, until_idle


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def agent() -> AsyncIterator[Softphone]:
    """The agent's phone: answers after 0.3 s unless a test tells it otherwise."""
    async with Softphone.open() as phone:
        yield phone


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def line(agent: Softphone, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    setup = LineSetup(Path(tmp_path_factory.mktemp("line")), agents=[AgentPhone(agent.uri)])
    async with RunningLine.running(setup) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def undisturbed(line: RunningLine, agent: Softphone) -> AsyncIterator[None]:
    """Each test begins with no call up, none to be picked up where it was dropped, and an agent's phone that answers;
    what a failed one left is waited out."""
    await agent.hangup()
    agent.forget()
    await agent.set_incoming("answer", after_s=0.3)
    yield
    await until_idle(line)
    forget_resume_points(line)


@pytest.fixture(scope="session")
def joe() -> CallerVoice:
    return CallerVoice("joe")
