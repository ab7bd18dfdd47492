"""Calls to us from SIPp over loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog.testing

from ivr.errors import CallEnded, TransferFailed
from ivr.events import Digit, TransferProgress
from ivr.media.description import Direction
from ivr.ports import Leg, MediaChanged
from tests.wire.sip.conftest import LOCAL, SCENARIOS, Start
from tests.wire.sipp import run_sipp

pytestmark = pytest.mark.wire

CONTEXT = {"User-to-User": "5a4b3c;encoding=hex", "X-IVR-Reason": "cancellation"}


async def test_a_call_is_answered_and_ends_with_the_callers_bye(line: Start, tmp_path: Path) -> None:
    up = await line()
    result = await run_sipp(SCENARIOS / "uac_basic.xml", tmp_path, target=up.target, service="5035550199")
    result.check()
    await up.finished()
    assert (up.ending().by, up.ending().reason) == ("caller", "hung up")
    leg = up.legs[0]
    assert (leg.caller.number, leg.caller.display, leg.called.number) == ("5035550142", "Caller", "5035550199")
    assert leg.trunk == "loopback"
    with pytest.raises(CallEnded):
        await leg.ring()
    await leg.hangup()  # idempotent


async def test_a_call_over_tcp(line: Start, tmp_path: Path) -> None:
    up = await line()
    result = await run_sipp(SCENARIOS / "uac_basic.xml", tmp_path, target=up.target, transport="t1", calls=3)
    result.check(3)
    await up.finished()
    assert len(up.legs) == 3
    assert "SIP/2.0/TCP" in result.messages


async def test_we_hang_up(line: Start, tmp_path: Path) -> None:
    async def engine(leg: Leg) -> None:
        await leg.answer(LOCAL)
        await leg.hangup("done")

    up = await line(engine)
    (await run_sipp(SCENARIOS / "uac_wait_bye.xml", tmp_path / "udp", target=up.target)).check()
    (await run_sipp(SCENARIOS / "uac_wait_bye.xml", tmp_path / "tcp", target=up.target, transport="t1")).check()
    await up.finished()
    assert (up.ending().by, up.ending(1).by) == ("service", "service")


async def test_a_caller_who_gives_up_while_it_rings(line: Start, tmp_path: Path) -> None:
    async def engine(leg: Leg) -> None:
        await leg.ring()
        await asyncio.Event().wait()

    up = await line(engine)
    (await run_sipp(SCENARIOS / "uac_cancel.xml", tmp_path, target=up.target)).check()
    assert up.ending().status == 487
    assert up.agent.calls == 0
    with pytest.raises(CallEnded):
        await up.legs[0].answer(LOCAL)
