"""Calls and registrations we make, with SIPp at the far end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ivr.errors import DialFailed
from ivr.ports import Leg, Party
from tests.wire.ports import free_port
from tests.wire.sip.conftest import LOCAL, SCENARIOS, Line, Start
from tests.wire.sipp import SippRun, start_sipp

pytestmark = pytest.mark.wire

CALLER = Party("5035550142", "Ann Caller")
NOTE = {"X-IVR-Note": "queue=7", "User-to-User": "5a4b3c;encoding=hex"}


async def _dial(up: Line, run: SippRun, ring_timeout_s: float = 30.0, **options: Any) -> Leg:
    return await up.agent.dial(run.uri, LOCAL, caller=CALLER, headers=NOTE, ring_timeout_s=ring_timeout_s, **options)


async def test_a_dialled_call_is_answered(line: Start, tmp_path: Path) -> None:
    up = await line()
    run = await start_sipp(SCENARIOS / "uas_answer.xml", tmp_path)
    rang: list[bool] = []
    leg = await _dial(up, run, on_ringing=lambda: rang.append(True))
    assert rang == [True]
    assert leg.remote is not None
    assert (leg.remote.codecs[0].name, leg.called.number, leg.trunk) == ("PCMU", "sipp", "loopback")
    await leg.hangup()
    (await run.result()).check()


async def test_a_call_over_tcp(line: Start, tmp_path: Path) -> None:
    up = await line()
    run = await start_sipp(SCENARIOS / "uas_answer.xml", tmp_path, transport="t1")
    uri = f"{run.uri};transport=tcp"
    leg = await up.agent.dial(uri, LOCAL, caller=CALLER, headers=NOTE, ring_timeout_s=30.0)
    await leg.hangup()
    assert "Via: SIP/2.0/TCP" in (await run.result()).check().messages


async def test_nobody_listens_on_udp(line: Start, tmp_path: Path) -> None:
    """ICMP tells at once, and the next INVITE, to somebody else, is not lost over it."""
    up = await line()
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(5):  # the quickest counts, on a busy machine
        began = loop.time()
        with pytest.raises(DialFailed) as caught:
            target = f"sip:agent@127.0.0.1:{free_port()}"
            await up.agent.dial(target, LOCAL, caller=CALLER, headers={}, ring_timeout_s=30.0)
        assert caught.value.status == 503
        took.append(loop.time() - began)
    assert min(took) < 0.4, "before a retransmission could tell"
    run = await start_sipp(SCENARIOS / "uas_answer.xml", tmp_path)
    leg = await _dial(up, run)
    await leg.hangup()
    assert (await run.result()).check().messages.count("INVITE sip:") == 1


async def test_nobody_listens_on_tcp(line: Start) -> None:
    up = await line()
    target = f"sip:agent@127.0.0.1:{free_port()};transport=tcp"
    with pytest.raises(DialFailed) as caught:
        await up.agent.dial(target, LOCAL, caller=CALLER, headers={}, ring_timeout_s=30.0)
    assert caught.value.status == 503


@pytest.mark.parametrize("status", [401, 407])
async def test_a_far_end_that_wants_credentials(
    line: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("AGENT_PASSWORD", "s3cret")
    trunk = {"name": "pbx", "allow": ["127.0.0.1"], "username": "ivr", "password": "env:AGENT_PASSWORD"}
    up = await line(trunks=[trunk])
    run = await start_sipp(SCENARIOS / f"uas_auth{status}.xml", tmp_path)
    leg = await _dial(up, run)
    await leg.hangup()
    (await run.result()).check()


async def test_without_credentials_a_challenge_is_a_failure(line: Start, tmp_path: Path) -> None:
    up = await line()
    run = await start_sipp(SCENARIOS / "uas_auth401.xml", tmp_path, deadline_s=3)
    with pytest.raises(DialFailed) as caught:
        await _dial(up, run)
    assert caught.value.status == 401
    await run.stop()


@pytest.mark.parametrize(("scenario", "status"), [("uas_busy", 486), ("uas_redirect", 302)])
async def test_a_refusal_is_acknowledged_and_reported(line: Start, tmp_path: Path, scenario: str, status: int) -> None:
    up = await line()
    run = await start_sipp(SCENARIOS / f"{scenario}.xml", tmp_path)
    with pytest.raises(DialFailed) as caught:
        await _dial(up, run)
    assert caught.value.status == status
    (await run.result()).check()


async def test_nobody_answers_in_time(line: Start, tmp_path: Path) -> None:
    up = await line()
    run = await start_sipp(SCENARIOS / "uas_ring_forever.xml", tmp_path)
    with pytest.raises(DialFailed) as caught:
        await _dial(up, run, ring_timeout_s=1.5)
    assert caught.value.status == 408
    (await run.result()).check()


async def test_cancelling_the_dial_cancels_the_call(line: Start, tmp_path: Path) -> None:
    up = await line()
    run = await start_sipp(SCENARIOS / "uas_ring_forever.xml", tmp_path)
    ringing = asyncio.Event()
    dialling = asyncio.create_task(_dial(up, run, on_ringing=ringing.set))
    await ringing.wait()
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling
    (await run.result()).check()


async def test_an_answer_in_a_reliable_provisional(line: Start, tmp_path: Path) -> None:
    up = await line()
    run = await start_sipp(SCENARIOS / "uas_reliable.xml", tmp_path)
    leg = await _dial(up, run)
    assert leg.remote is not None
    await leg.hangup()
    (await run.result()).check()


async def test_registration_with_a_challenge_and_its_end(
    line: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBX_PASSWORD", "s3cret")
    run = await start_sipp(SCENARIOS / "uas_registrar.xml", tmp_path)
    trunk = {
        "name": "pbx",
        "allow": ["127.0.0.1"],
        "register": f"sip:127.0.0.1:{run.port}",
        "username": "ivr",
        "password": "env:PBX_PASSWORD",
    }
    up = await line(trunks=[trunk])
    assert up.agent.registrations()[0].state == "trying"
    async with asyncio.timeout(30):
        while up.agent.registrations()[0].state != "registered":  # noqa: ASYNC110 - a status is there to be polled
            await asyncio.sleep(0.02)
    assert up.agent.registrations()[0].expires_at is not None
    await up.agent.stop()
    (await run.result()).check()
