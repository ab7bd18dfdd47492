"""What clients that say nothing, or say it slowly, or guess, cost the console: nothing that others would notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import structlog.testing

from ivr.limits.throttle import FREE_GUESSES
from ivr.web import connection
from ivr.web.connection import TrustedProxies
from tests.web.console import Console, console, stopped
from tests.web.people import EVERYTHING, log_in

TOKEN = "hunter2"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

FORM = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Console]:
    async with console(
        tmp_path, token=TOKEN, trusted_proxies=["127.0.0.9"], people=EVERYTHING, clock=stopped
    ) as running:
        yield running


def port(running: Console) -> int:
    return int(running.base.rpartition(":")[2])


async def status(running: Console, source: str = "127.0.0.1", **headers: str) -> int:
    """What /api/calls answers to ``source``."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(
            f"{running.base}/api/calls", headers={k.replace("_", "-"): v for k, v in headers.items()}
        ) as answer,
    ):
        return answer.status


async def test_idle_sockets_keep_nobody_out(guarded: Console) -> None:
    """300 that send nothing, from the address that others come from, too."""
    idle = [await asyncio.open_connection("127.0.0.1", port(guarded)) for _ in range(300)]
    try:
        assert await status(guarded, **BEARER) == 200
        assert await status(guarded, "127.0.0.2", **BEARER) == 200
        async with asyncio.timeout(30):
            gone = await asyncio.gather(*(reader.read() for reader, _ in idle[:200]), return_exceptions=True)
        assert all(end == b"" or isinstance(end, ConnectionError) for end in gone), "the oldest made room"
    finally:
        for _, writer in idle:
            writer.close()


async def test_who_is_known_stays_connected(guarded: Console) -> None:
    async with aiohttp.ClientSession(headers=BEARER, connector=aiohttp.TCPConnector(limit=1)) as session:
        async with session.get(f"{guarded.base}/api/calls") as answer:
            await answer.read()
            assert answer.connection is None
        idle = [await asyncio.open_connection("127.0.0.1", port(guarded)) for _ in range(300)]
        with structlog.testing.capture_logs() as logs:
            more = [await asyncio.open_connection("127.0.0.1", port(guarded)) for _ in range(50)]
        assert len([entry for entry in logs if entry["event"] == "http.connection_refused"]) <= 1
        async with session.get(f"{guarded.base}/api/calls") as answer:
            assert answer.status == 200
        for _, writer in (*idle, *more):
            writer.close()


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"", b""),
        (b"GET /api/calls HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"),
        (b"GET", b" "),
        (FORM + b"Content-Length: 5000\r\n\r\n", b"t"),
        (FORM + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nt\r\n"),
    ],
)
async def test_what_only_drips_in_is_not_waited_for(
    guarded: Console, monkeypatch: pytest.MonkeyPatch, first: bytes, drip: bytes
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.5)
    monkeypatch.setattr(connection, "BODY_S", 0.5)
    with structlog.testing.capture_logs() as logs:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(guarded))
        writer.write(first)

        async def dripping() -> None:
            while True:
                writer.write(drip)
                await asyncio.sleep(0.1)

        drips = asyncio.create_task(dripping())
        async with asyncio.timeout(15):  # sooner than a server that waits as long as usual
            end = await asyncio.gather(reader.read(), return_exceptions=True)
        drips.cancel()
        writer.close()
    assert end[0] == b"" or isinstance(end[0], ConnectionError)
    assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []


async def test_guessing_tokens_is_throttled_by_source(guarded: Console) -> None:
    with structlog.testing.capture_logs() as logs:
        answers = [await status(guarded, Authorization=f"Bearer guess-{n}") for n in range(FREE_GUESSES + 20)]
        assert answers[:FREE_GUESSES] == [401] * FREE_GUESSES
        assert answers[FREE_GUESSES:] == [429] * 20
        assert await status(guarded, **BEARER) == 429, "what is not looked at cannot be right"
        assert await status(guarded, "127.0.0.2", **BEARER) == 200
    refused = [entry for entry in logs if entry["event"] == "http.token_refused"]
    assert [(entry["source"], entry["reason"]) for entry in refused] == [("127.0.0.1", "wrong token")]
    assert "guess-0" not in str(logs)


async def test_the_log_in_page_counts_the_same_guesses(guarded: Console) -> None:
    async with aiohttp.ClientSession() as session:
        for n in range(FREE_GUESSES + 1):
            async with session.post(
                f"{guarded.base}/login", data={"name": "nobody", "password": f"guess-{n}"}
            ) as answer:
                assert answer.status == (401 if n < FREE_GUESSES else 429)
        assert answer.headers["Retry-After"] == "1"


async def test_a_session_outlives_the_guesses_of_its_neighbours(guarded: Console) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        assert (await log_in(session, guarded.base)).status == 303
        for n in range(200):
            await status(guarded, Authorization=f"Bearer guess-{n}")
        async with session.get(f"{guarded.base}/api/calls") as answer:
            assert answer.status == 200


async def test_behind_a_known_proxy_every_client_has_its_own_tries(guarded: Console) -> None:
    for n in range(FREE_GUESSES + 5):
        await status(guarded, "127.0.0.9", Authorization=f"Bearer guess-{n}", X_Forwarded_For="203.0.113.5")
    assert await status(guarded, "127.0.0.9", X_Forwarded_For="203.0.113.5", **BEARER) == 429
    assert await status(guarded, "127.0.0.9", X_Forwarded_For="203.0.113.6", **BEARER) == 200
    assert await status(guarded, "127.0.0.9", X_Forwarded_For="203.0.113.6, 203.0.113.5", **BEARER) == 429
    assert await status(guarded, X_Forwarded_For="203.0.113.5", **BEARER) == 200, "only the proxy is believed"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.5"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.5", "10.0.0.2"], "203.0.113.5"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5:50123"], "203.0.113.5"),
        ("10.0.0.1", ["[2001:db8::5]:50123"], "2001:db8::5"),
        ("10.0.0.1", ["198.51.100.1, 2001:db8::5"], "2001:db8::5"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("not an address", ["203.0.113.5"], "not an address"),
    ],
)
def test_which_client_a_proxy_speaks_for(peer: str, forwarded: list[str], client: str) -> None:
    assert TrustedProxies(["10.0.0.0/8"]).client(peer, forwarded) == client
