"""The database goes away in mid-call: zero and a word still bring a human, and nothing needs a restart afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.voices import CallerVoice
from tests.postgres import PostgresMissing, PostgresServer, start_server, stop_server
from tests.wire.line.watching import call_of, logged, mark, reached_state, with_human

pytestmark = [pytest.mark.wire, pytest.mark.postgres, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

ADA = "5035550101"
JUNE, JUNE_NUMBER = "5035550103", "10003"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[PostgresServer]:
    """Of this module alone: it will be stopped."""
    try:
        server = await asyncio.to_thread(start_server)
    except PostgresMissing as error:
        pytest.fail(f"PostgreSQL could not be started: {error}")
    await server.execute("CREATE DATABASE line")
    yield server
    await asyncio.to_thread(stop_server, server)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk() -> AsyncIterator[Softphone]:
    async with Softphone.open() as phone:
        await phone.set_incoming("answer", after_s=0.2)
        yield phone


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres_line(
    server: PostgresServer, desk: Softphone, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningLine]:
    folder = Path(tmp_path_factory.mktemp("postgres-line"))
    setup = LineSetup(folder, agents=[AgentPhone(desk.uri)], database=server.url("line"))
    async with RunningLine.running(setup) as running:
        yield running


@asynccontextmanager
async def stopped(server: PostgresServer) -> AsyncIterator[None]:
    """The server ends at once, connections and all; afterwards it is back, with its data."""
    data = str(server.folder / "data")
    await asyncio.to_thread(server.run, "pg_ctl", "stop", "-m", "immediate", "-w", "-D", data)
    try:
        yield
    finally:
        options = f"-h '' -k {server.folder} -F -c max_connections=200"
        log = str(server.folder / "log")
        await asyncio.to_thread(server.run, "pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", options)


async def recovered(line: RunningLine) -> None:
    """The store is well again in the line's own eyes, which it opens every few seconds."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        while True:
            async with session.get(f"{line.http}/readyz") as response:
                if (await response.json())["store"] == "ok":
                    return


@pytest.mark.parametrize("moment", ["during the greeting", "at the question"])
@pytest.mark.parametrize("request_", ["0", "agent"])
async def test_a_human_without_a_database(
    postgres_line: RunningLine,
    server: PostgresServer,
    desk: Softphone,
    joe: CallerVoice,
    request_: str,
    moment: str,
) -> None:
    line = postgres_line
    await joe.speak_soon("agent")
    since = mark(line)
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, joe, from_number=ADA) as caller:
        if moment == "during the greeting":
            await caller.prompt_begin()
        else:
            await caller.prompt_end()
        call = await call_of(line, ADA)
        await logged(line, "dialogue.action", since=since, call_id=call["call_id"], outcome="found")
        since = mark(line)
        async with stopped(server):
            if request_ == "0":
                await caller.press("0")
            else:
                await caller.say("agent")
            await with_human(line, [desk], call["call_id"], since=since)
            assert phone.ended is None
            context = await line.get(str(desk.incoming and desk.incoming.headers["x-ivr-context"]))
            assert context["reason"] == "asked", "the caller's wish, not our trouble, is why they are here"
    await desk.wait_ended(10)
    await logged(line, "call.end", since=since, call_id=call["call_id"])


async def test_afterwards_calls_work_without_a_restart(
    postgres_line: RunningLine, server: PostgresServer, desk: Softphone, joe: CallerVoice
) -> None:
    line = postgres_line
    async with Softphone.open() as phone, stopped(server):
        since = mark(line)
        async with Caller.calling(phone, line.uri, joe, from_number=ADA) as caller:
            await caller.prompt_begin()
            call = await call_of(line, ADA)
            await with_human(line, [desk], call["call_id"], since=since)  # nobody can be identified: a human
        await desk.wait_ended(10)
        ended = await logged(line, "call.end", since=since, call_id=call["call_id"])
    await recovered(line)
    kept = await line.get(f"/api/calls/{call['call_id']}")
    assert (ended["journal_lost"], kept["live"], kept["outcome"]) == (0, False, "handed over"), "written afterwards"
    assert kept["caller"] == f"+1{ADA}" and kept["entries"]
    before = await line.queue(JUNE_NUMBER)
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, None, from_number=JUNE) as caller:
        await caller.prompt_begin()
        call = await call_of(line, JUNE)
        since = mark(line)
        await caller.press("3")
        await reached_state(line, "queue.menu", call["call_id"], since=since)
        await caller.press("1")
        await reached_state(line, "queue.which_title", call["call_id"], since=since)
        await caller.press(f"{len(before)}#")
        await reached_state(line, "queue.at_top", call["call_id"], since=since)
    assert await line.queue(JUNE_NUMBER) == [before[-1], *before[:-1]]
