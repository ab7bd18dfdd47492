"""The page of the calls in progress and the last ones that ended."""

from __future__ import annotations

from aiohttp import web

from ivr.web.backend import BACKEND, in_time
from ivr.web.live import live_calls
from ivr.web.rendering import page

RECENT = 50


async def calls(request: web.Request) -> web.Response:
    live = await in_time(live_calls(request))
    past = await in_time(request.app[BACKEND].calls.recent(RECENT, False))
    return page(request, "calls.html", live=live, past=past)


ROUTES = (web.get("/calls", calls),)
