"""Many simulate at once: the loop that has calls to serve hardly notices, and nobody gets all the places."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from ivr.web.pages.simulator import MOST_AT_ONCE, MOST_PER_LOGIN
from tests.web.console import console
from tests.web.people import EVERYTHING, log_in

LAG_S = 0.25  # of this process's own work; typical: 0.02; threads in this process made it 0.7


async def simulated(session: aiohttp.ClientSession, base: str, *lines: str) -> list[str]:
    """What the line says to a member who says ``lines``."""
    async with session.ws_connect(f"{base}/flows/main/simulator") as ws:
        said = []
        for message in ({"call": {"caller": "5035550101"}}, *({"line": line} for line in lines)):
            await ws.send_json(message)
            told = await ws.receive_json(timeout=60)
            said += [entry["text"] for entry in told["entries"] if entry["kind"] == "prompt"]
        return said


async def worst_lag(until: asyncio.Event) -> float:
    """Seconds of this process's work, its threads' too, for which the loop was late at most. What other processes take
    is not counted."""
    worst = 0.0
    while not until.is_set():
        began = time.process_time()
        await asyncio.sleep(0.005)
        worst = max(worst, time.process_time() - began)
    return worst


async def test_twenty_simulators_delay_no_call(tmp_path: Path) -> None:
    with capture_logs() as logs:
        await _twenty(tmp_path)
    assert [entry["event"] for entry in logs].count("simulation.compiled") == 1, "once a version"


async def _twenty(tmp_path: Path) -> None:
    async with console(tmp_path) as served, aiohttp.ClientSession() as session:
        over = asyncio.Event()
        lag = asyncio.create_task(worst_lag(over))
        conversations = await asyncio.gather(
            *(simulated(session, served.base, "move casablanca to the top", "0") for _ in range(MOST_AT_ONCE))
        )
        over.set()
        assert await lag < LAG_S
        assert all(any("Casablanca is at the top" in text for text in said) for said in conversations)


async def test_a_simulator_that_dies_is_replaced(tmp_path: Path) -> None:
    async with console(tmp_path) as served, aiohttp.ClientSession() as session:
        ws = await session.ws_connect(f"{served.base}/flows/main/simulator")
        await ws.send_json({"call": {"caller": "5035550101"}})
        assert (await ws.receive_json(timeout=60))["state"] == "main.ask"
        pid = served.workshop.simulator.pid
        assert pid is not None and pid != os.getpid()
        os.kill(pid, signal.SIGKILL)
        await ws.send_json({"line": "what's in my queue"})
        assert "error" in await ws.receive_json(timeout=60)
        await ws.send_json({"call": {"caller": "5035550101"}})
        assert (await ws.receive_json(timeout=60))["state"] == "main.ask"


async def test_a_log_in_has_some_simulators_and_all_have_more(tmp_path: Path) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        console(tmp_path, token="hunter2", people=EVERYTHING) as served,
        aiohttp.ClientSession(cookie_jar=jar) as session,
    ):
        address = f"{served.base}/flows/main/simulator"
        await log_in(session, served.base)
        opened = [await session.ws_connect(address) for _ in range(MOST_PER_LOGIN)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(address)
        assert refused.value.status == 429
        await opened.pop().close()
        opened.append(await session.ws_connect(address))
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer hunter2"}) as program:
            opened += [await program.ws_connect(address) for _ in range(MOST_AT_ONCE - MOST_PER_LOGIN)]
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await program.ws_connect(address)
            assert refused.value.status == 503
            for each in opened:
                await each.close()


async def test_who_types_nothing_loses_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.web.pages.simulator.IDLE_S", 0.2)
    async with console(tmp_path) as served, aiohttp.ClientSession() as session:
        ws = await session.ws_connect(f"{served.base}/flows/main/simulator")
        assert (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
