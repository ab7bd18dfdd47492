"""Calls, live and past: those that a search finds, and one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from ivr.web.backend import BACKEND, in_time
from ivr.web.call_query import call_query
from ivr.web.formats import json_response
from ivr.web.reading import CALL_READ, noted
from ivr.web.rules import needs

TRANSCRIPT = "transcript"


@needs("supervisor", "ops", scope="calls:read")
async def calls(request: web.Request) -> web.Response:
    """One page of the calls that match ``call_query``, those in progress first, then the newest. ``totals`` are of
    all that match. What was said is shown, and noted as read, one call at a time."""
    backend = request.app[BACKEND]
    asked = call_query(request, backend.zone)
    found = await in_time(backend.calls.find(asked.search))
    pages = {"page": asked.page, "pages": asked.pages(found.totals)}
    return json_response({"calls": [_listed(call) for call in found.calls], "totals": asdict(found.totals), **pages})


@needs("supervisor", "ops", scope="calls:read")
async def call(request: web.Request) -> web.Response:
    call_id = request.match_info["call_id"]
    found = await in_time(request.app[BACKEND].calls.get(call_id))
    if found is None:
        raise web.HTTPNotFound(text=f"no call {call_id}")
    await noted(request, CALL_READ, call_id)
    return json_response(found)


def _listed(call: Mapping[str, Any]) -> Mapping[str, Any]:
    handoff = call.get("handoff")
    without = {name: each for name, each in call.items() if name != TRANSCRIPT}
    if isinstance(handoff, Mapping):
        without["handoff"] = {name: each for name, each in handoff.items() if name != TRANSCRIPT}
    return without


ROUTES = (web.get("/api/calls", calls), web.get("/api/calls/{call_id}", call))
