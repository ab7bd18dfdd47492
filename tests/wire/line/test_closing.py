"""Out of hours, a promise is kept in the database; a service told to stop lets its callers finish."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from ivr.demo.line import READY, LineSetup, RunningLine
from ivr.errors import DialFailed
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from tests.wire.line.watching import call_of, logged, mark, reached_state, stored

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

ADA, WALTER, JUNE, HENRY = "5035550101", "5035550102", "5035550103", "5035550105"
OFFICE_ONLY = """
[[desk.agents]]
name = "office"
target = "sip:office@127.0.0.1:9"
skills = ["general", "retention", "discs"]
on_call = false
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def closed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    """Open at another time of day, with nobody on call until then."""
    hours = "01:00-02:00" if datetime.now(UTC).hour >= 12 else "20:00-21:00"
    setup = LineSetup(Path(tmp_path_factory.mktemp("closed")), hours=hours, extra=OFFICE_ONLY, drain_s=30.0)
    async with RunningLine.running(setup) as running:
        yield running


async def test_closed_hours_end_in_a_kept_promise(closed: RunningLine) -> None:
    async with Softphone.open() as phone, Caller.calling(phone, closed.uri, None, from_number=ADA) as caller:
        await caller.prompt_begin()
        call = (await call_of(closed, ADA))["call_id"]
        await reached_state(closed, "main.welcome", call)  # who calls is known
        since = mark(closed)
        await caller.press("0")
        await reached_state(closed, "human.offer_callback", call, since=since)
        await caller.press("1")
        await reached_state(closed, "human.this_number", call, since=since)
        await caller.press("1")
        assert (await phone.wait_ended(20)).by == "remote", "and only after the promise was spoken"
    await logged(closed, "call.end", since=since, call_id=call, outcome="callback")
    assert stored(closed, "SELECT callback_number, name, member, call_id FROM places") == [
        (f"+1{ADA}", "Ada Moreno", "10001", call)
    ]


async def test_a_second_service_of_the_same_configuration(closed: RunningLine, tmp_path: Path) -> None:
    """Other ports and another database on the command line; both answer at once, and one stops without the other."""
    database = f"sqlite+aiosqlite:///{tmp_path / 'second.sqlite3'}"
    config = str(closed.setup.folder / "config.toml")
    over = ("--sip", "127.0.0.1:0", "--http", "127.0.0.1:0", "--database", database)
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", "serve", "--config", config, *over), stderr=asyncio.subprocess.PIPE
    )
    assert second.stderr is not None
    try:
        async with asyncio.timeout(120):
            while not (ready := READY.search((await second.stderr.readline()).decode())):
                assert second.returncode is None
        assert ready[1] != closed.sip and f"http://{ready[2]}" != closed.http
        async with Softphone.open() as one, Softphone.open() as other:
            async with (
                Caller.calling(one, closed.uri, None, from_number=WALTER) as here,
                Caller.calling(other, f"sip:line@{ready[1]}", None, from_number=WALTER) as there,
            ):
                await asyncio.gather(here.prompt_begin(), there.prompt_begin())
            second.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(second.wait(), 20) == 0
            async with Caller.calling(one, closed.uri, None, from_number=WALTER) as here:
                await here.prompt_begin()
    finally:
        if second.returncode is None:
            second.kill()
            await second.wait()


async def test_a_service_told_to_stop_lets_its_callers_finish(closed: RunningLine) -> None:
    """Last of this module: the line is gone afterwards."""
    async with (
        Softphone.open() as late,
        Softphone.open() as phone,
        Caller.calling(phone, closed.uri, None, from_number=JUNE) as caller,
    ):
        await caller.prompt_begin()
        call = (await call_of(closed, JUNE))["call_id"]
        since = mark(closed)
        closed.process.send_signal(signal.SIGTERM)
        refused = await refusal(late, closed.uri)
        assert refused.status == 503
        answer = next(m.text for m in late.messages if m.direction == "in" and m.text.startswith("SIP/2.0 503"))
        assert "retry-after:" in answer.lower()
        await caller.press("3")  # what was begun goes on
        await reached_state(closed, "queue.menu", call, since=since)
        await caller.prompt_begin()
        assert closed.process.returncode is None
    assert await asyncio.wait_for(closed.process.wait(), 60) == 0, "and ends when the last caller has"
    ended = await logged(closed, "call.end", since=since, call_id=call)
    assert ended["ended_by"] == "caller"
    assert not any('"service.drain_incomplete"' in text for text in closed.log.read_text().splitlines())


async def refusal(phone: Softphone, uri: str) -> DialFailed:
    """How the line turns down a call. A drain begins a moment after its signal: a call that slips in is ended."""
    async with asyncio.timeout(120):
        while True:
            await phone.call(uri, from_number=HENRY)
            try:
                await phone.wait_answered(30)
            except DialFailed as refused:
                return refused
            await phone.hangup()
            await phone.wait_ended(30)
