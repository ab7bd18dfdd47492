"""Against a SIP stack nobody here wrote: pyVoIP, in a process of its own."""

from __future__ import annotations

import asyncio

import pytest

from ivr.ports import Leg, Party
from ivr.softphone.phone import Softphone
from tests.wire.sip.conftest import LOCAL, Start

pytestmark = pytest.mark.wire


@pytest.mark.parametrize("own_ack", [False, True])
async def test_it_calls_and_hangs_up(line: Start, own_ack: bool) -> None:
    """``own_ack``: pyVoIP's ACK as it is, with a To tag of its own making."""
    up = await line()
    async with Softphone.open(own_ack=own_ack) as phone:
        await phone.call(f"sip:5035550199@{up.target}", from_number="5035550100")
        await phone.wait_answered(10)
        await up.until(lambda: bool(up.legs))
        await phone.hangup()
        await phone.wait_ended(10)
        await up.finished()
    assert (up.legs[0].caller.number, up.legs[0].called.number) == ("+15035550100", "+15035550199")
    assert up.ending().by == "caller"


async def test_it_calls_and_we_hang_up(line: Start) -> None:
    async def engine(leg: Leg) -> None:
        await leg.ring()
        await leg.answer(LOCAL)
        await leg.hangup()

    up = await line(engine)
    async with Softphone.open() as phone:
        await phone.call(f"sip:5035550199@{up.target}", from_number="5035550100")
        await phone.wait_ended(10)
        await up.finished()
    assert up.ending().by == "service"


async def test_it_gives_up_while_we_ring(line: Start) -> None:
    async def engine(leg: Leg) -> None:
        await leg.ring()
        await asyncio.Event().wait()

    up = await line(engine)
    async with Softphone.open() as phone:
        await phone.call(f"sip:5035550199@{up.target}", from_number="5035550100")
        await phone.wait_ringing()
        await phone.hangup()
        await up.until(lambda: bool(up.legs) and up.ended())
    assert up.ending().status == 487


async def test_we_call_it(line: Start) -> None:
    up = await line()
    async with Softphone.open() as phone:
        await phone.set_incoming("answer")
        rang = asyncio.Event()
        leg = await up.agent.dial(
            phone.uri,
            LOCAL,
            caller=Party("1000"),
            headers={"X-IVR-Reason": "test"},
            ring_timeout_s=10.0,
            on_ringing=rang.set,
        )
        assert rang.is_set()
        assert leg.remote is not None
        incoming = await phone.wait_incoming()
        assert incoming.headers["x-ivr-reason"] == "test"
        await phone.hangup()
        up.legs.append(leg)
        await up.listen(leg)
    assert up.ending().by == "agent"
