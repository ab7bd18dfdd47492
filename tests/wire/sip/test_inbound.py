"""Calls to us from SIPp over loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog.testing

from ivr.errors import CallEnded, TransferFailed
from ivr.events import Digit
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
    assert (leg.caller.number, leg.caller.display, leg.called.number) == ("+15035550142", "Caller", "+15035550199")
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


async def test_hold_and_resume_are_answered_by_the_leg(line: Start, tmp_path: Path) -> None:
    up = await line()
    result = (await run_sipp(SCENARIOS / "uac_hold.xml", tmp_path, target=up.target)).check()
    await up.finished()
    changes = [e.remote.direction for e in up.events[up.legs[0].id] if isinstance(e, MediaChanged)]
    assert changes == [Direction.SENDONLY, Direction.SENDRECV, Direction.INACTIVE, Direction.SENDRECV]
    ours = [line_.split() for line_ in result.messages.splitlines() if line_.startswith("o=ivr")]
    assert len({parts[1] for parts in ours}) == 1, "one session id for the whole dialog"
    versions = [int(parts[2]) - int(ours[0][2]) for parts in ours]
    assert versions == [0, 1, 2, 3, 4], "one step up for each change (RFC 3264 section 8)"


async def test_keys_by_info_and_requests_we_refuse_inside_a_dialog(line: Start, tmp_path: Path) -> None:
    up = await line()
    (await run_sipp(SCENARIOS / "uac_info.xml", tmp_path, target=up.target)).check()
    await up.finished()
    digits = [e for e in up.events[up.legs[0].id] if isinstance(e, Digit)]
    assert [(d.key, d.source) for d in digits] == [("7", "info"), ("#", "info")]


async def test_options(line: Start, tmp_path: Path) -> None:
    up = await line()
    (await run_sipp(SCENARIOS / "uac_options.xml", tmp_path, target=up.target)).check()
    up.agent.refuse_new_calls(503, 5)
    refused = await run_sipp(SCENARIOS / "uac_options.xml", tmp_path / "draining", target=up.target)
    assert refused.failed == 1
    assert "503" in refused.errors


async def test_strangers_get_403_and_one_line_in_the_log(line: Start, tmp_path: Path) -> None:
    up = await line()
    with structlog.testing.capture_logs() as logs:
        result = await run_sipp(SCENARIOS / "uac_refused.xml", tmp_path, target=up.target, host="127.0.0.2", calls=5)
    result.check(5)
    assert up.legs == []
    lines = [entry for entry in logs if entry["event"] == "sip.rejected"]
    assert [(entry["source"], entry["reason"]) for entry in lines] == [("127.0.0.2", "unknown source")]


async def test_session_timer_terms(line: Start, tmp_path: Path) -> None:
    up = await line()
    (await run_sipp(SCENARIOS / "uac_session_timer.xml", tmp_path, target=up.target)).check()
    await up.finished()


async def test_more_calls_than_configured_are_busy(line: Start, tmp_path: Path) -> None:
    async def engine(leg: Leg) -> None:
        await leg.ring()
        await asyncio.Event().wait()

    up = await line(engine, max_calls=1)
    first = asyncio.create_task(run_sipp(SCENARIOS / "uac_cancel.xml", tmp_path / "first", target=up.target))
    await up.until(lambda: bool(up.legs))
    (await run_sipp(SCENARIOS / "uac_busy.xml", tmp_path / "second", target=up.target)).check()
    (await first).check()
    assert len(up.legs) == 1


async def test_a_caller_that_requires_reliable_ringing(line: Start, tmp_path: Path) -> None:
    async def engine(leg: Leg) -> None:
        await leg.ring()
        await asyncio.sleep(0.3)  # ringing lasts a moment, as for a person
        await leg.answer(LOCAL)

    up = await line(engine)
    (await run_sipp(SCENARIOS / "uac_prack.xml", tmp_path, target=up.target)).check()
    await up.finished()


async def test_an_invite_without_an_offer(line: Start, tmp_path: Path) -> None:
    answers = []

    async def engine(leg: Leg) -> None:
        assert leg.remote is None
        answers.append(await leg.answer(LOCAL))

    up = await line(engine)
    (await run_sipp(SCENARIOS / "uac_offerless.xml", tmp_path, target=up.target)).check()
    await up.finished()
    assert [(a.host, a.codecs[0].name) for a in answers] == [("127.0.0.1", "PCMU")]


async def test_a_call_through_proxies_that_record_their_route(line: Start, tmp_path: Path) -> None:
    async def engine(leg: Leg) -> None:
        await leg.answer(LOCAL)
        await leg.hangup()

    up = await line(engine)
    (await run_sipp(SCENARIOS / "uac_record_route.xml", tmp_path, target=up.target)).check()
    await up.finished()


async def test_a_transfer_that_succeeds(line: Start, tmp_path: Path) -> None:
    statuses = await _transfer(line, tmp_path, "uac_refer_accepted.xml")
    assert statuses == [100, 180, 200]


async def test_a_transfer_that_fails_later(line: Start, tmp_path: Path) -> None:
    statuses = await _transfer(line, tmp_path, "uac_refer_failed.xml")
    assert statuses == [100, 486]


async def test_a_transfer_that_is_refused(line: Start, tmp_path: Path) -> None:
    with pytest.raises(TransferFailed, match="603"):
        await _transfer(line, tmp_path, "uac_refer_refused.xml")


async def test_a_far_end_that_hangs_up_once_transferred(line: Start, tmp_path: Path) -> None:
    assert await _transfer(line, tmp_path, "uac_refer_bye.xml") == []


async def _transfer(line: Start, folder: Path, scenario: str) -> list[int]:
    """The statuses that NOTIFY reported; the leg hangs up after the last."""
    outcome: list[TransferFailed] = []

    async def engine(leg: Leg) -> None:
        await leg.answer(LOCAL)
        try:
            await leg.refer("sip:agent@192.0.2.20", CONTEXT)
        except TransferFailed as error:
            outcome.append(error)
            await leg.hangup()
            return
        await up.until(lambda: up.ended() or any(p.status >= 200 for p in up.progress()))
        await leg.hangup()

    up = await line(engine)
    (await run_sipp(SCENARIOS / scenario, folder, target=up.target)).check()
    await up.finished()
    if outcome:
        raise outcome[0]
    return [p.status for p in up.progress()]
