"""Conversations in real audio over real SIP: three-way, hold and transfers by the agent's own phone, supervision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ivr.media.description import Direction
from ivr.phones.bridge import Bridge
from tests.wire.line.agent_phone import AgentSockets, agent_phone
from tests.wire.phones.house import House, hears, house, speaking

pytestmark = [pytest.mark.wire, pytest.mark.slow]


@asynccontextmanager
async def talking(made: House, caller: AgentSockets) -> AsyncIterator[Bridge]:
    """The caller and ben are joined."""
    bridge, called = await made.joined(caller)
    running = asyncio.create_task(bridge.run())
    listening = asyncio.create_task(called.left())
    try:
        yield bridge
    finally:
        running.cancel()
        listening.cancel()
        await asyncio.gather(running, listening, return_exceptions=True)
        await called.let_go("the test is over")


async def test_a_consultation_and_a_conference_of_three() -> None:
    async with (
        agent_phone() as caller,
        agent_phone() as ben,
        agent_phone() as cleo,
        house({"ben": ben.uri, "cleo": cleo.uri}) as made,
        speaking(caller=caller, ben=ben, cleo=cleo),
        talking(made, caller) as bridge,
    ):
        await hears(caller.rtp, "ben")
        await hears(ben.rtp, "caller")
        await bridge.consult("agent:cleo")
        await hears(caller.rtp, "music")
        await hears(ben.rtp, "cleo")
        await hears(cleo.rtp, "ben")
        await bridge.conference()
        await hears(caller.rtp, "ben", "cleo")
        await hears(ben.rtp, "caller", "cleo")
        await hears(cleo.rtp, "ben", "caller")
        await bridge.mute(True)
        await hears(caller.rtp, "cleo")
        await bridge.mute(False)
        await bridge.complete()
        await hears(caller.rtp, "cleo")
        await hears(cleo.rtp, "caller")
        async with asyncio.timeout(30):
            await ben.hung_up.wait()


async def test_a_supervisor_listens_whispers_and_barges_in() -> None:
    async with (
        agent_phone() as caller,
        agent_phone() as ben,
        agent_phone() as sue,
        house({"ben": ben.uri, "sue": sue.uri}) as made,
        speaking(caller=caller, ben=ben, sue=sue),
        talking(made, caller) as bridge,
    ):
        await bridge.supervise("sue", "listen")
        await hears(sue.rtp, "ben", "caller")
        await hears(ben.rtp, "caller")
        await bridge.supervise("sue", "whisper")
        await hears(ben.rtp, "caller", "sue")
        await hears(caller.rtp, "ben")
        await bridge.supervise("sue", "barge")
        await hears(caller.rtp, "ben", "sue")
        await bridge.supervise("sue", "off")
        await hears(caller.rtp, "ben")
        async with asyncio.timeout(30):
            await sue.hung_up.wait()


@pytest.mark.parametrize("direction", [Direction.SENDONLY, Direction.INACTIVE])
async def test_a_hold_by_the_agents_own_phone_is_music_for_the_caller(direction: Direction) -> None:
    async with (
        agent_phone() as caller,
        agent_phone() as ben,
        house({"ben": ben.uri}) as made,
        speaking(caller=caller, ben=ben),
        talking(made, caller),
    ):
        await hears(caller.rtp, "ben")
        assert (await ben.change(direction=direction)).status_code == 200
        await hears(caller.rtp, "music")
        assert (await ben.change()).status_code == 200
        await hears(caller.rtp, "ben")
        await hears(ben.rtp, "caller")


async def test_a_refer_by_the_agents_own_phone_goes_where_it_may_and_nowhere_else() -> None:
    async with (
        agent_phone() as caller,
        agent_phone() as ben,
        agent_phone() as cleo,
        house({"ben": ben.uri}, outside=[cleo.uri]) as made,
        speaking(caller=caller, ben=ben, cleo=cleo),
        talking(made, caller),
    ):
        await hears(caller.rtp, "ben")
        assert (await ben.refer("sip:+19005550100@127.0.0.1:5999")).status_code == 403
        assert (await ben.refer(cleo.uri)).status_code == 202
        await hears(caller.rtp, "cleo")
        await hears(cleo.rtp, "caller")
        async with asyncio.timeout(30):
            await ben.hung_up.wait()
        assert [await ben.notified.get() for _ in range(2)] == ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]
        await made.line.until("finished", 7, "ben")


async def test_a_refer_to_who_is_engaged_leaves_the_caller_with_the_agent() -> None:
    async with (
        agent_phone() as caller,
        agent_phone() as ben,
        house({"ben": ben.uri}, outside=["sip:nobody@127.0.0.1:9"]) as made,
        speaking(caller=caller, ben=ben),
        talking(made, caller),
    ):
        await hears(caller.rtp, "ben")
        assert (await ben.refer("sip:nobody@127.0.0.1:9")).status_code == 202
        async with asyncio.timeout(30):
            assert await ben.notified.get() == "SIP/2.0 100 Trying"
            assert not (await ben.notified.get()).startswith("SIP/2.0 2")
        await hears(caller.rtp, "ben")


async def test_a_bye_by_the_agents_phone_at_once_is_a_broken_line() -> None:
    async with (
        agent_phone() as caller,
        agent_phone() as ben,
        house({"ben": ben.uri}) as made,
        speaking(caller=caller, ben=ben),
    ):
        bridge, called = await made.joined(caller)
        running = asyncio.create_task(bridge.run())
        await hears(caller.rtp, "ben")
        assert (await ben.hang_up()).status_code == 200
        async with asyncio.timeout(30):
            assert (await running).how == "dropped"
        assert made.line.log == [("broken", 7, "ben")]
        assert not caller.hung_up.is_set(), "the caller is kept"
        await called.let_go("the test is over")
