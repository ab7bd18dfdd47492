"""Agents' phones that are not there, never send, hold, or move: nobody waits in silence or is hung up on for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import numpy as np
import pytest

from ivr.demo.line import AgentPhone, RunningLine
from ivr.media.description import Direction
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.timing import AUDIBLE_DB
from tests.wire.line.agent_phone import AgentSockets, agent_phone
from tests.wire.line.reloading import with_agents
from tests.wire.line.watching import call_of, logged, mark, until
from tests.wire.media.far_end import FarEnd
from tests.wire.ports import free_port

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

WALTER, STRANGER = "5035550102", "2125550173"
VOICE = (8000 * np.sin(np.arange(8000) / 3)).astype(np.int16)


def at(line: RunningLine, *targets: str, ring_timeout_s: float = 20.0) -> AbstractAsyncContextManager[RunningLine]:
    """The line, whose agents are there."""
    agents = [AgentPhone(t, name=f"desk-{n}", ring_timeout_s=ring_timeout_s) for n, t in enumerate(targets)]
    return with_agents(line, agents)


@asynccontextmanager
async def asking(line: RunningLine, number: str = WALTER) -> AsyncIterator[tuple[Softphone, Caller, str, int]]:
    """A caller who has pressed zero: with the call's id, and where the log was then."""
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, None, from_number=number) as caller:
        await caller.prompt_end()
        call = (await call_of(line, number))["call_id"]
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


async def loud_at(far: FarEnd, *, within: float = 30.0) -> None:
    async with asyncio.timeout(within):
        while True:
            arrivals = await far.received(10, within=within)
            if max(int(np.abs(frame).max()) for frame in far.signal(arrivals)) > 2000:
                return
            far.forget()


async def test_dead_addresses_are_passed_over_at_once(line: RunningLine) -> None:
    dead = [f"sip:agent@127.0.0.1:{free_port()}", f"sip:agent@127.0.0.1:{free_port()};transport=tcp"]
    async with (
        agent_phone() as agent,
        at(line, *dead, agent.uri),
        asking(line) as (phone, _, call, since),
    ):
        await logged(line, "handoff.trying", since=since, call_id=call)
        async with asyncio.timeout(10):  # one that rings in vain would take 20 s
            await agent.invited.wait()
        room = asyncio.create_task(speaks(agent))
        await logged(line, "handoff.connected", since=since, call_id=call, destination="desk-2")
        room.cancel()
        assert phone.ended is None


async def test_nothing_at_all_at_the_agents_address(line: RunningLine) -> None:
    """A host that swallows everything: who waits hears where they stand, and music, and goes on waiting."""
    async with (
        FarEndSip() as silent,
        at(line, silent, ring_timeout_s=9.0),
        asking(line, STRANGER) as (phone, _, call, since),
    ):

        async def said() -> bool:
            return "You're number one" in str(await line.get(f"/api/calls/{call}"))

        await logged(line, "handoff.unanswered", since=since, call_id=call)
        await logged(line, "line.told", since=since, call_id=call, position=1)
        await until(said)
        assert longest_silence_s(phone) < 7.0
        assert phone.ended is None


class FarEndSip:
    """A port that is bound and never answers."""

    async def __aenter__(self) -> str:
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        return f"sip:agent@127.0.0.1:{self._transport.get_extra_info('sockname')[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()


async def test_a_phone_that_never_sends_and_one_that_moves_in_the_whisper(line: RunningLine) -> None:
    async with (
        agent_phone() as mute,
        agent_phone() as agent,
        at(line, mute.uri, agent.uri),
        asking(line) as (phone, _, call, since),
    ):
        await mute.invited.wait()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await mute.hung_up.wait()
        assert 2.0 < loop.time() - began < 15.0, "it is given up after 4 s of silence, not when it has rung for 20"
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
async def test_a_phone_that_answers_on_hold_and_comes_back(line: RunningLine, direction: Direction) -> None:
    async with (
        agent_phone(direction) as agent,
        at(line, agent.uri),
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
