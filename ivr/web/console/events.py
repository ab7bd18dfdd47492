"""Server-sent events (HTML Living Standard, section 9.2): what open pages show of live calls and flows, as it moves."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

from ivr.web.api import BACKEND, dumps
from ivr.web.console.backend import CONSOLE
from ivr.web.console.page import banner_text, number, revision

MOST_CALLS = 500


async def stream(request: web.Request) -> web.StreamResponse:
    """``data: {"calls": […], "flows": {version, banner, revision}}`` at once and whenever something changes."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    with suppress(ConnectionError):  # the page was closed
        await _tell(request, response)
    return response


async def _tell(request: web.Request, response: web.StreamResponse) -> None:
    sent = ""
    async for moved in request.app[CONSOLE].feed.changes():
        if not moved:
            await response.write(b": still here\n\n")
            continue
        text = dumps(await _now(request))
        if text != sent:
            await response.write(f"data: {text}\n\n".encode())
            sent = text


async def _now(request: web.Request) -> Mapping[str, Any]:
    live = await request.app[BACKEND].calls.recent(MOST_CALLS, True)
    return {
        "calls": [row(request, call) for call in live],
        "flows": {
            "version": request.app[CONSOLE].flows.status()["version"],
            "banner": banner_text(request),
            "revision": revision(request),
        },
    }


def row(request: web.Request, call: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the table of live calls shows of one."""
    return {
        "call_id": call["call_id"],
        "caller": number(request, call.get("caller")),
        "called": call.get("called", ""),
        "state": call.get("state", ""),
        "flow_version": call.get("flow_version", ""),
        "language": call.get("language", ""),
        "started_at": call.get("started_at", ""),
        "outcome": call.get("outcome", ""),
        "turns": len(call.get("transcript", ())),
    }
