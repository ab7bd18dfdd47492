"""Agents' phones that are not there, never send, hold, or move: nobody waits in silence or is hung up on for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.media.description import Direction
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.timing import AUDIBLE_DB
from tests.wire.line.agent_phone import AgentSockets, agent_phone
from tests.wire.line.watching import call_of, logged, mark
from tests.wire.media.far_end import FarEnd
from tests.wire.sipp import free_port

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

WALTER = "5035550102"
VOICE = (8000 * np.sin(np.arange(8000) / 3)).astype(np.int16)


@asynccontextmanager
async def line_with(targets: Sequence[str], folder: Path, ring_timeout_s: float = 20.0) -> AsyncIterator[RunningLine]:
    agents = [AgentPhone(t, name=f"desk-{n}", ring_timeout_s=ring_timeout_s) for n, t in enumerate(targets)]
    async with RunningLine.running(LineSetup(folder, agents=agents)) as running:
        yield running


@asynccontextmanager
async def asking(line: RunningLine) -> AsyncIterator[tuple[Softphone, Caller, str, int]]:
    """A caller who has pressed zero: with the call's id, and where the log was then."""
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, None, from_number=WALTER) as caller:
        await caller.prompt_end()
        call = (await call_of(line, WALTER))["call_id"]
        since = mark(line)
        await caller.press("0")
        yield phone, caller, call, since


def longest_silence_s(phone: Softphone) -> float:
    """Without a sound, since the last key."""
    heard = [p.at for p in phone.timeline.heard if p.level_db > AUDIBLE_DB and p.at > phone.timeline.keys[-1].at]
    return max(later - sooner for sooner, later in zip(heard, [*heard[1:], phone.timeline.until], strict=True))


async def speaks(phone: AgentSockets) -> None:
    """The agent's room, from now on."""
    while True:
        await phone.rtp.talk(VOICE)


async def loud_at(far: FarEnd, *, within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while True:
            arrivals = await far.received(10, within=within)
            if max(int(np.abs(frame).max()) for frame in far.signal(arrivals)) > 2000:
                return
            far.forget()


async def test_dead_addresses_are_passed_over_at_once(tmp_path: Path) -> None:
    dead = [f"sip:agent@127.0.0.1:{free_port()}", f"sip:agent@127.0.0.1:{free_port()};transport=tcp"]
    async with (
        agent_phone() as agent,
        line_with([*dead, agent.uri], tmp_path) as line,
        asking(line) as (phone, _, call, since),
    ):
        await logged(line, "handoff.trying", since=since, call_id=call)
        async with asyncio.timeout(1.5):
            await agent.invited.wait()
        room = asyncio.create_task(speaks(agent))
        await logged(line, "handoff.connected", since=since, call_id=call, destination="desk-2")
        room.cancel()
        assert phone.ended is None


async def test_nothing_at_all_at_the_agents_address(tmp_path: Path) -> None:
    """A host that swallows everything: who waits hears where they stand, and music, and goes on waiting."""
    async with (
        FarEndSip() as silent,
        line_with([silent], tmp_path, ring_timeout_s=9.0) as line,
        asking(line) as (phone, _, call, since),
    ):
        await logged(line, "handoff.unanswered", since=since, call_id=call)
        assert longest_silence_s(phone) < 7.0
        assert "You're number one" in str(await line.get(f"/api/calls/{call}"))


class FarEndSip:
    """A port that is bound and never answers."""

    async def __aenter__(self) -> str:
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        return f"sip:agent@127.0.0.1:{self._transport.get_extra_info('sockname')[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()


async def test_a_phone_that_never_sends_and_one_that_moves_in_the_whisper(tmp_path: Path) -> None:
    async with (
        agent_phone() as mute,
        agent_phone() as agent,
        line_with([mute.uri, agent.uri], tmp_path) as line,
        asking(line) as (phone, _, call, since),
    ):
        await mute.invited.wait()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await mute.hung_up.wait()
        assert 3.5 < loop.time() - began < 5.5
        await agent.invited.wait()
        elsewhere = await FarEnd.at_loopback()
        old = agent.rtp
        assert (await agent.change(rtp=elsewhere)).status_code == 200
        room = asyncio.create_task(speaks(agent))
        await logged(line, "handoff.connected", since=since, call_id=call, destination="desk-1")
        old.forget()
        elsewhere.forget()
        await elsewhere.received(50)
        assert len(old.arrivals) < 5, "nothing goes where the phone was"
        assert phone.ended is None
        room.cancel()
        elsewhere.close()


@pytest.mark.parametrize("direction", [Direction.INACTIVE, Direction.SENDONLY])
async def test_a_phone_that_answers_on_hold_and_comes_back(tmp_path: Path, direction: Direction) -> None:
    async with (
        agent_phone(direction) as agent,
        line_with([agent.uri], tmp_path) as line,
        asking(line) as (phone, _, call, since),
    ):
        await agent.invited.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(8):
                await agent.hung_up.wait()
        room = asyncio.create_task(speaks(agent))
        elsewhere = await FarEnd.at_loopback()
        assert (await agent.change(rtp=elsewhere)).status_code == 200
        await loud_at(elsewhere)  # the whisper
        await logged(line, "handoff.connected", since=since, call_id=call)
        assert longest_silence_s(phone) < 7.0
        assert phone.ended is None
        room.cancel()
        elsewhere.close()
