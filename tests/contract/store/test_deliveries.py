"""The delivery service, asked as a flow asks it, on both databases and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from ivr.actions import ActionRegistry
from ivr.actions.http import HttpActions
from ivr.config import HttpService
from ivr.events import ActionResult
from ivr.ports import ActionCall

from .conftest import Office, Time

ADA = "10001"


@pytest.fixture
async def server(office: Office) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.add_routes(office.films.routes())
    running = TestServer(app)
    await running.start_server()
    yield running
    await running.close()


async def hold(server: TestServer, body: dict[str, Any], *, member: str = ADA, key: str = "call-1/1") -> ActionResult:
    service = HttpService(name="deliveries", url="/api")
    async with aclosing(HttpActions([service], f"http://127.0.0.1:{server.port}")) as http:
        path = "/members/{member.number}/hold"
        asked = {"service": "deliveries", "method": "PUT", "path": path, "body": body}
        call = ActionCall("http.call", asked, key, "call-1", {"member.number": member})
        return await ActionRegistry(http.actions).perform(call)


async def held(server: TestServer) -> str | None:
    async with ClientSession() as session, session.get(server.make_url(f"/api/members/{ADA}/hold")) as answer:
        found: str | None = (await answer.json())["until"]
        return found


async def test_a_hold_knows_what_day_it_is_at_the_company(server: TestServer, now: Time) -> None:
    now.moment = now.moment.replace(hour=5)  # June 1 in UTC, still May 31 in Los Angeles
    assert (await hold(server, {"until": "2026-05-31"})).outcome == "refused"
    assert await held(server) is None
    assert (await hold(server, {"until": "2026-06-01"})).outcome == "ok"
    assert await held(server) == "2026-06-01"
    assert (await hold(server, {"until": "2027-12-24"}, key="call-1/2")).outcome == "refused"
    assert (await hold(server, {"until": "2026-07-04"}, key="call-1/3")).outcome == "ok"
    assert await held(server) == "2026-07-04"


async def test_a_request_that_comes_twice_is_done_once(server: TestServer) -> None:
    assert (await hold(server, {"until": "2026-07-04"}, key="call-1/1")).outcome == "ok"
    assert (await hold(server, {"until": "2026-08-02"}, key="call-1/2")).outcome == "ok"
    assert (await hold(server, {"until": "2026-07-04"}, key="call-1/1")).outcome == "ok"
    assert await held(server) == "2026-08-02", "the first request again changes nothing"


async def test_a_stranger_has_nothing_to_hold(server: TestServer) -> None:
    assert (await hold(server, {"until": "2026-07-04"}, member="99999")).outcome == "refused"


@pytest.mark.parametrize("call_id", [b"\xff\xfe", b"\xed\xa0\x80", b"c" * 4000])
async def test_whose_call_it_was_may_be_no_text(server: TestServer, call_id: bytes) -> None:
    headers = {"Idempotency-Key": "k", "X-IVR-Call-ID": call_id.decode(errors="surrogateescape")}
    body = b'{"until": "2026-07-04"}'
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode(errors="surrogateescape")
    request = (
        f"PUT /api/members/{ADA}/hold HTTP/1.0\r\nContent-Length: {len(body)}\r\n".encode() + head + b"\r\n" + body
    )
    writer.write(request)
    assert (await reader.readline()).split()[1] == b"200"
    writer.close()
    assert await held(server) == "2026-07-04"


@pytest.mark.parametrize("body", [{}, {"until": "soon"}, {"until": 4}, {"until": ["2026-07-04"]}])
async def test_what_is_no_date_is_refused(server: TestServer, body: dict[str, Any]) -> None:
    assert (await hold(server, body)).outcome == "refused"
    assert await held(server) is None
