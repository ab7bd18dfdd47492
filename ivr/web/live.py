"""Server-sent events (HTML Living Standard, section 9.2): what open pages show of live calls and flows, as it moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

from ivr.web.backend import BACKEND
from ivr.web.formats import dumps, phone
from ivr.web.rules import account_of, may, needs

MOST_CALLS = 500
SHOWN = ("call_id", "called", "state", "flow_version", "language", "started_at", "outcome")


class Feed:
    """``touch`` from anywhere in the loop, as often as one likes: listeners hear of it a few times a second."""

    def __init__(self, *, most_often_s: float = 0.15, at_least_s: float = 15.0) -> None:
        self._listeners: set[asyncio.Event] = set()
        self._most_often_s = most_often_s
        self._at_least_s = at_least_s
        self._closed = False

    def touch(self) -> None:
        for event in self._listeners:
            event.set()

    def close(self) -> None:
        """Everybody who listens is told that there is nothing more."""
        self._closed = True
        self.touch()

    async def changes(self) -> AsyncIterator[bool]:
        """Whether something moved, at once and then whenever; False now and then, so that dead connections show."""
        event = asyncio.Event()
        self._listeners.add(event)
        try:
            yield True
            while not self._closed:
                try:
                    async with asyncio.timeout(self._at_least_s):
                        await event.wait()
                except TimeoutError:
                    yield False
                    continue
                event.clear()
                if not self._closed:
                    yield True
                    await asyncio.sleep(self._most_often_s)
        finally:
            self._listeners.discard(event)


FEED: web.AppKey[Feed] = web.AppKey("feed", Feed)


@needs(scope="calls:read")
async def stream(request: web.Request) -> web.StreamResponse:
    """``data: {"calls": […], "flows": {version, banner, revision}}`` at once and whenever something changes."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    with suppress(ConnectionError):  # the page was closed
        await _tell(request, response)
    return response


async def _tell(request: web.Request, response: web.StreamResponse) -> None:
    sent = ""
    async for moved in request.app[FEED].changes():
        if not moved:
            await response.write(b": still here\n\n")
            continue
        text = dumps({"calls": _calls_for(request), "flows": flow_news(request)})
        if text != sent:
            await response.write(f"data: {text}\n\n".encode())
            sent = text


def _calls_for(request: web.Request) -> list[Mapping[str, Any]]:
    """Whole calls for those who may open them; for a flow's designer where in the flow they are, for agents none."""
    if may(request, "calls:read", "supervisor", "ops"):
        return live_calls(request)
    if not account_of(request).may("designer"):
        return []
    return [{**call, "call_id": "", "caller": "", "called": "", "turns": 0} for call in live_calls(request)]


def live_calls(request: web.Request) -> list[Mapping[str, Any]]:
    """What the table of live calls shows."""
    backend = request.app[BACKEND]
    return [
        {
            **{name: call[name] for name in SHOWN},
            "caller": phone(call["caller"], mask=backend.mask),
            "turns": len(call.get("transcript", ())),
        }
        for call in backend.calls.live()[:MOST_CALLS]
    ]


def flow_news(request: web.Request) -> Mapping[str, str]:
    """``banner``: what everybody should know, "" when all is well; ``revision`` changes whenever a page about flows
    would look different."""
    status = request.app[BACKEND].flows.status()
    version, count, banner = status["version"], status["rejected_findings"], ""
    if not may(request, "flows:read", "designer", "ops"):
        pass  # they can do nothing about it, and may not look
    elif count:
        what = "1 finding" if count == 1 else f"{count} findings"
        banner = f"The newest flow files were rejected ({what}). Version {version} keeps serving."
    elif status["held"]:
        banner = f"The newest flow files wait: {status['held']}. Version {version} keeps serving."
    seen = ("version", "canary", "reloads", "rejections", "rejected_findings", "held")
    return {"version": version, "banner": banner, "revision": "-".join(str(status[key]) for key in seen)}


ROUTES = (web.get("/events", stream),)
