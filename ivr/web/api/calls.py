"""Calls, live and past: the list and one of them."""

from __future__ import annotations

from aiohttp import web

from ivr.web.backend import BACKEND, in_time
from ivr.web.formats import json_response

LIVE = {"": None, "true": True, "false": False}


async def calls(request: web.Request) -> web.Response:
    """``?limit=50&live=true|false``: newest first."""
    limit = request.query.get("limit", "50")
    if not limit.isdigit() or not 1 <= int(limit) <= 500:
        raise web.HTTPBadRequest(text="limit must be a whole number from 1 to 500")
    live = request.query.get("live", "")
    if live not in LIVE:
        raise web.HTTPBadRequest(text="live must be true or false")
    rows = await in_time(request.app[BACKEND].calls.recent(int(limit), LIVE[live]))
    return json_response({"calls": list(rows)})


async def call(request: web.Request) -> web.Response:
    call_id = request.match_info["call_id"]
    found = await in_time(request.app[BACKEND].calls.get(call_id))
    if found is None:
        raise web.HTTPNotFound(text=f"no call {call_id}")
    return json_response(found)


ROUTES = (web.get("/api/calls", calls), web.get("/api/calls/{call_id}", call))
