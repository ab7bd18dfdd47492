"""The JSON API: health, readiness, calls, and the hand-over context that agents open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from ivr.errors import IvrError
from ivr.web.access import Handler

STORE_TIMEOUT_S = 2.0


class Calls(Protocol):
    """Live and past calls, one view over both."""

    async def recent(self, limit: int, live: bool | None) -> Sequence[Mapping[str, Any]]: ...
    async def get(self, call_id: str) -> Mapping[str, Any] | None: ...


@dataclass(frozen=True, slots=True)
class Readiness:
    """``parts``: what the service needs, each with state and detail; ``ready`` only when every needed one works."""

    ready: bool
    parts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Backend:
    """What the handlers ask the service for."""

    calls: Calls
    readiness: Callable[[], Awaitable[Readiness]]
    context: Callable[[str], Awaitable[Mapping[str, Any] | None]]


BACKEND: web.AppKey[Backend] = web.AppKey("backend", Backend)


def add_routes(app: web.Application, handoff: Handler | None = None) -> None:
    """``handoff`` replaces the handler that answers agents with JSON only."""
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/api/calls", calls)
    app.router.add_get("/api/calls/{call_id}", call)
    app.router.add_get("/handoff/{token}", handoff or handoff_json)


async def healthz(_: web.Request) -> web.Response:
    """The process lives and its loop turns."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 when new calls can be served, else 503; either way with the state of each part."""
    readiness = await request.app[BACKEND].readiness()
    body = {"status": "ready" if readiness.ready else "not ready", **readiness.parts}
    return web.json_response(body, status=200 if readiness.ready else 503)


async def calls(request: web.Request) -> web.Response:
    """``?limit=50&live=true|false``: newest first."""
    limit_text = request.query.get("limit", "50")
    if not limit_text.isdigit() or not 1 <= int(limit_text) <= 500:
        return problem(400, "limit must be a whole number from 1 to 500")
    live_text = request.query.get("live", "")
    if live_text not in {"", "true", "false"}:
        return problem(400, "live must be true or false")
    live = None if not live_text else live_text == "true"
    rows = await from_store(request.app[BACKEND].calls.recent(int(limit_text), live))
    return web.json_response({"calls": list(rows)}, dumps=dumps)


async def call(request: web.Request) -> web.Response:
    call_id = request.match_info["call_id"]
    found = await from_store(request.app[BACKEND].calls.get(call_id))
    if found is None:
        return problem(404, f"no call {call_id}")
    return web.json_response(found, dumps=dumps)


async def handoff_json(request: web.Request) -> web.Response:
    """The context behind the URL an agent's phone got; the token in it is the only key."""
    context = await from_store(request.app[BACKEND].context(request.match_info["token"]))
    if context is None:
        return problem(404, "this hand-over is unknown or has expired")
    return web.json_response(context, dumps=dumps, headers={"Cache-Control": "no-store"})


def problem(status: int, detail: str) -> web.Response:
    return web.json_response({"error": detail}, status=status)


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


async def from_store(work: Awaitable[Any], *, passing: type[IvrError] | tuple[()] = ()) -> Any:
    """What the store answers, or 503; errors ``passing`` are the handler's own."""
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            return await work
    except passing:
        raise
    except (IvrError, TimeoutError) as error:
        raise web.HTTPServiceUnavailable(
            text='{"error": "the store does not answer"}', content_type="application/json"
        ) from error
