"""Floods from a trunk's own address: calls are answered during and right after them, and nothing grows."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median

import pytest
import structlog.testing

from ivr.sip.transactions import MAX_SERVER
from tests.unit.sip.messages import OFFER, request, unique
from tests.wire.sip.bare import bare_peer
from tests.wire.sip.conftest import Line, Start
from tests.wire.sip.flood import KINDS, LEAST

pytestmark = [pytest.mark.wire, pytest.mark.usefixtures("short_goodbye")]

RATE = 20_000
ALL_LOOPBACK = [{"name": "loopback", "allow": ["127.0.0.0/8"]}]


@asynccontextmanager
async def flooded(up: Line, kind: str, seconds: float, sources: int = 1) -> AsyncIterator[asyncio.subprocess.Process]:
    host, port = up.agent.address.host, str(up.agent.address.port)
    words = (host, port, kind, str(RATE), str(seconds), str(sources))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.wire.sip.flood", *words), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        await process.communicate()


async def call(up: Line, host: str = "127.0.0.1") -> float:
    """Seconds from the INVITE to its 200; retransmitted as RFC 3261 has it. The call is ended."""
    loop, call_id = asyncio.get_running_loop(), unique("mine")
    async with bare_peer(up.agent.address, host) as peer:
        invite = request("INVITE", call_id=call_id, body=OFFER, host=peer.host)
        began, wait = loop.time(), 0.5

        async def again() -> None:
            nonlocal wait
            while True:
                peer.send(invite)
                await asyncio.sleep(wait)
                wait *= 2

        sending = asyncio.create_task(again())
        ok = await peer.final()
        took = loop.time() - began
        sending.cancel()
        assert ok.status_code == 200, ok.status_code
        ack = request("ACK", call_id=call_id, to_tag=ok.to.tag, host=peer.host)

        async def acknowledge() -> None:
            while True:
                peer.send(ack)
                await peer.final()  # the 200 again: the ACK was lost

        acknowledging = asyncio.create_task(acknowledge())
        await up.until(lambda: any(leg.sip_call_id == call_id for leg in up.legs))
        await next(leg for leg in up.legs if leg.sip_call_id == call_id).hangup()
        acknowledging.cancel()
    return took


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"invite"}))
async def test_calls_are_answered_during_and_after_a_flood(line: Start, kind: str) -> None:
    up = await line()
    with structlog.testing.capture_logs() as logs:
        async with flooded(up, kind, 1.2) as process:
            assert process.stdout is not None
            await asyncio.sleep(0.3)  # well into it
            during = [await call(up) for _ in range(3)]
            assert int(await process.stdout.readline()) >= LEAST
        after = [await call(up) for _ in range(3)]
    load = up.agent.load()
    assert median(during) < 4.0 and median(after) < 4.0, (during, after)
    assert load.transactions < 50 and not load.full
    lines = [entry for entry in logs if entry["log_level"] in ("warning", "error", "critical")]
    assert len(lines) <= 10, lines


async def test_a_flood_of_calls_is_refused_without_growing(line: Start) -> None:
    """Nobody acknowledges those that are answered, so they hold their lines for a while; the rest costs nothing."""
    up = await line(max_calls=5, busy_status=503)
    with structlog.testing.capture_logs() as logs:
        async with flooded(up, "invite", 2.0):
            pass
        load = up.agent.load()
        assert load.transactions < MAX_SERVER // 5 and not load.full
        assert len(up.legs) == 5
    assert len([entry for entry in logs if entry["log_level"] in ("warning", "error", "critical")]) <= 10
    for leg in up.legs:
        asyncio.get_running_loop().create_task(leg.hangup())


@pytest.mark.parametrize("kind", ["options", "invite"])
async def test_floods_of_many_sources_leave_room(line: Start, kind: str) -> None:
    up = await line(trunks=ALL_LOOPBACK, max_calls=50)
    with structlog.testing.capture_logs() as logs:
        async with flooded(up, kind, 2.0, sources=900):
            pass
        load = up.agent.load()
        assert load.transactions < MAX_SERVER // 5 and not load.full
        if kind == "options":
            assert await call(up, "127.200.0.1") < 4.0
    assert len([entry for entry in logs if entry["log_level"] in ("warning", "error", "critical")]) <= 420
