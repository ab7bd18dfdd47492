"""A real line, an agent in a real Chromium, a supervisor in another, and telephones that nobody here wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from tests.web.browser import window
from tests.wire.desk.agent_page import speaking_browser
from tests.wire.line.watching import forget_resume_points, logged, mark, until_idle


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cleo() -> AsyncIterator[Softphone]:
    """A colleague with a telephone, whom nobody but an agent brings a caller to."""
    async with Softphone.open() as phone:
        yield phone


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def line(cleo: Softphone, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    setup = LineSetup(Path(tmp_path_factory.mktemp("desk")), agents=[AgentPhone(cleo.uri, name="cleo")])
    async with RunningLine.running(setup) as running:
        yield running


async def away(line: RunningLine, agent: str) -> None:
    """A supervisor says so."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{line.http}/board/socket", origin=line.http) as board,
    ):
        await board.send_json({"id": 1, "do": "state", "agent": agent, "state": "away", "reason": "a test"})
        async for message in board:
            told = message.json()
            if told.get("id") == 1:
                assert told["kind"] == "done", told
                return


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """The agent's browser."""
    async with speaking_browser(tmp_path_factory.mktemp("ada"), "ada") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sue(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """The supervisor's browser."""
    async with speaking_browser(tmp_path_factory.mktemp("sue"), "sue") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def page(ada: Browser, line: RunningLine) -> AsyncIterator[Page]:
    """The agent's, on no page yet."""
    async with window(ada, 1440, 900, permissions=("microphone",)) as opened:
        yield opened.page
        assert not opened.complaints, "scripts failed, or the policy forbade something of ours"
        since = mark(line)
    await logged(line, "console.lost", since=since)  # nobody is at the desk any more


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def undisturbed(line: RunningLine, cleo: Softphone) -> AsyncIterator[None]:
    """Each test begins with nobody in the line, and a colleague who answers."""
    cleo.forget()
    await cleo.set_incoming("answer", after_s=0.2)
    await away(line, "cleo")  # who took a call that was passed to her is available after it
    yield
    await until_idle(line)
    forget_resume_points(line)
