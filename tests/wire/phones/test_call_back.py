"""A call back on the wire: two telephones that nobody here wrote, the agent's first and then the member's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from ivr.call.call_backs import CallBacks
from ivr.ports import Offer
from ivr.softphone.phone import Softphone
from ivr.softphone.timing import AUDIBLE_DB
from tests.wire.phones.house import House, house

pytestmark = [pytest.mark.wire, pytest.mark.slow]

NUMBER = "+15035550101"
VOICE = (8000 * np.sin(np.arange(8000) / 3)).astype(np.int16).tobytes()  # a second


async def unread(offer: Offer) -> None:
    raise AssertionError("that was no message")


@asynccontextmanager
async def office() -> AsyncIterator[tuple[Softphone, Softphone, House]]:
    """The agent's phone and the member's, behind the trunk."""
    async with (
        Softphone.open() as agent,
        Softphone.open() as member,
        house({"ben": agent.uri}, gateway=f"sip:{member.host}:{member.port}") as made,
    ):
        making = asyncio.create_task(CallBacks(made.services, made.line, unread).run())
        await agent.set_incoming("answer", after_s=0.2)
        await member.set_incoming("answer", after_s=0.5)
        try:
            yield agent, member, made
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)


async def heard(phone: Softphone) -> float:
    """When something was heard here first, from now on."""
    async for sound in phone.listen():
        if sound.level_db > AUDIBLE_DB:
            return asyncio.get_running_loop().time()
    raise AssertionError("the call ended, and nothing was heard")


async def test_the_agent_hears_who_it_is_and_the_member_hears_a_person() -> None:
    """From the member's answer to a voice it is 300 ms at most: of a few tries one shows it on a busy machine, too."""
    for _ in range(5):
        if (waited_s := await called_back()) <= 0.3:
            return
    raise AssertionError(f"{waited_s:.2f} s from the answer to a voice")


async def called_back() -> float:
    """Seconds from the member's answer to a voice."""
    async with office() as (agent, member, made):
        made.line.made_good.put_nowait(made.line.offer("ben", NUMBER))
        rung = await agent.wait_incoming()
        assert rung.headers["x-ivr-reason"] == "asked"
        assert member.incoming is None, "not before the agent has taken it"
        await agent.wait_answered(30)
        speech = asyncio.create_task(agent.say(VOICE * 8))
        await member.wait_answered(30)
        answered = asyncio.get_running_loop().time()
        async with asyncio.timeout(30):
            waited_s = await heard(member) - answered
        speech.cancel()
        await made.line.until("answered", "ben")
        await member.hangup()
        assert (await agent.wait_ended(30)).by == "remote"
        await made.line.until("finished", 7, "ben")
    assert made.line.log[:2] == [("dialling", "ben"), ("answered", "ben")]
    return waited_s


async def test_a_member_who_is_engaged_is_tried_again_later() -> None:
    async with office() as (agent, member, made):
        await member.set_incoming("busy")
        made.line.made_good.put_nowait(made.line.offer("ben", NUMBER))
        await agent.wait_answered(30)
        speech = asyncio.create_task(agent.say(VOICE))
        await member.wait_message("in", "INVITE ")
        assert (await agent.wait_ended(30)).by == "remote"
        speech.cancel()
    assert made.line.log == [("dialling", "ben"), ("undialled", "ben")]


async def test_a_member_who_phones_in_meanwhile_is_not_rung_for_long() -> None:
    async with office() as (agent, member, made):
        await member.set_incoming("ring")
        made.line.made_good.put_nowait(made.line.offer("ben", NUMBER))
        await agent.wait_answered(30)
        speech = asyncio.create_task(agent.say(VOICE))
        await member.wait_incoming(30)
        made.line.taken_back.set()
        assert (await member.wait_ended(30)).by == "remote"
        assert (await agent.wait_ended(30)).by == "remote"
        speech.cancel()
    assert ("undialled", "ben") not in made.line.log
