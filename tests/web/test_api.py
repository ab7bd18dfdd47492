"""The HTTP API over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import aiohttp.web
import pytest

from ivr.company import Times
from ivr.errors import ConfigError, StoreUnavailable
from ivr.reference import COMPANY
from ivr.store.memory import MemoryLedger
from ivr.web.api import Backend, Readiness
from ivr.web.app import HttpServer, application
from tests.films import ZONE

CALL: dict[str, Any] = {"call_id": "c1", "state": "main.ask", "transcript": []}


class Calls:
    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.asked: list[tuple[int, bool | None]] = []

    async def recent(self, limit: int, live: bool | None) -> Sequence[Mapping[str, Any]]:
        if self.broken:
            raise StoreUnavailable("stopped")
        self.asked.append((limit, live))
        return [CALL]

    async def get(self, call_id: str) -> Mapping[str, Any] | None:
        return CALL if call_id == "c1" else None


@asynccontextmanager
async def serving(
    token: str = "", ready: bool = True, calls: Calls | None = None, routes: Sequence[aiohttp.web.RouteDef] = ()
) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    async def readiness() -> Readiness:
        return Readiness(ready, {"store": "ok"})

    async def context(secret: str) -> Mapping[str, Any] | None:
        if secret == "boom":
            raise RuntimeError("a bug")
        return {"reason": "asked"} if secret == "right" else None

    server = HttpServer(
        application(Backend(calls or Calls(), readiness, context), token=token, routes=routes), "127.0.0.1", 0
    )
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield f"http://127.0.0.1:{server.port}", session
    finally:
        await server.stop()


async def fetch(url: str, session: aiohttp.ClientSession, **headers: str) -> tuple[int, Any]:
    async with session.get(url, headers=headers) as response:
        return response.status, await response.json()


async def test_health_and_readiness() -> None:
    async with serving(ready=False) as (base, session):
        assert await fetch(f"{base}/healthz", session) == (200, {"status": "ok"})
        assert await fetch(f"{base}/readyz", session) == (503, {"status": "not ready", "store": "ok"})


async def test_calls() -> None:
    calls = Calls()
    async with serving(calls=calls) as (base, session):
        assert await fetch(f"{base}/api/calls?limit=3&live=true", session) == (200, {"calls": [CALL]})
        assert calls.asked == [(3, True)]
        assert (await fetch(f"{base}/api/calls?limit=many", session))[0] == 400
        assert (await fetch(f"{base}/api/calls?live=perhaps", session))[0] == 400
        assert await fetch(f"{base}/api/calls/c1", session) == (200, CALL)
        assert (await fetch(f"{base}/api/calls/c2", session))[0] == 404


async def test_a_companys_own_resources() -> None:
    films = COMPANY.in_memory(Times(lambda: datetime.now(UTC), ZONE), MemoryLedger())
    async with serving(token="hunter2", routes=films.routes()) as (base, session):
        url, known = f"{base}/api/members/10001/queue", {"Authorization": "Bearer hunter2"}
        assert (await fetch(url, session))[0] == 401
        status, body = await fetch(url, session, **known)
        assert (status, body["member"], body["queue"][1]["title"]) == (200, "10001", "Vertigo")
        assert [entry["position"] for entry in body["queue"]] == list(range(1, 9))
        assert (await fetch(f"{base}/api/members/1/queue", session, **known))[0] == 404


async def test_a_token_is_asked_for_and_compared() -> None:
    async with serving(token="hunter2") as (base, session):
        assert (await fetch(f"{base}/api/calls", session))[0] == 401
        assert (await fetch(f"{base}/api/calls", session, Authorization="Bearer wrong"))[0] == 401
        assert (await fetch(f"{base}/api/calls", session, Authorization="Bearer hunter2"))[0] == 200
        assert (await fetch(f"{base}/healthz", session))[0] == 200


async def test_a_handover_opens_with_its_own_token_only() -> None:
    async with serving(token="hunter2") as (base, session):
        assert await fetch(f"{base}/handoff/right", session) == (200, {"reason": "asked"})
        assert (await fetch(f"{base}/handoff/wrong", session))[0] == 404


async def test_failures_are_told_plainly() -> None:
    async with serving(calls=Calls(broken=True)) as (base, session):
        assert (await fetch(f"{base}/api/calls", session))[0] == 503
        status, body = await fetch(f"{base}/handoff/boom", session)
        assert status == 500 and "bug" not in body["error"]


async def test_a_taken_port_says_what_to_do() -> None:
    async with serving() as (base, _):
        taken = HttpServer(aiohttp.web.Application(), "127.0.0.1", int(base.rpartition(":")[2]))
        with pytest.raises(ConfigError, match="--http"):
            await taken.start()
