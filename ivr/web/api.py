"""The JSON API: liveness and readiness probes, calls, flows and the way back to an earlier version of them."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from ivr.errors import FlowError
from ivr.web.backend import BACKEND, in_time
from ivr.web.formats import json_response

LIVE = {"": None, "true": True, "false": False}
HISTORY = 20


async def healthz(_: web.Request) -> web.Response:
    """The process lives and its loop turns."""
    return json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 when new calls can be served, else 503; either way with the state of each part."""
    readiness = await request.app[BACKEND].readiness()
    return json_response(readiness.to_json(), status=200 if readiness.ready else 503)


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


async def flows(request: web.Request) -> web.Response:
    """The live version's flows, the findings about the newest files, and the last HISTORY publications."""
    source = request.app[BACKEND].flows
    summaries = (asdict(summary) for summary in source.summaries())
    return json_response(
        {
            **source.status(),
            "findings": list(source.findings()),
            "flows": [{"flow": summary.pop("name"), **summary} for summary in summaries],
            "history": list(await in_time(source.history(HISTORY))),
        }
    )


async def rollback(request: web.Request) -> web.Response:
    """``{"version": VERSION}``, or {} for the one before the live one; what is live then."""
    try:
        body = await request.json()
        version = str(body.get("version", ""))
    except (ValueError, AttributeError):
        raise web.HTTPBadRequest(text='send {"version": VERSION} or {}') from None
    return json_response({"version": await rolled_back(request, "api", version)})


async def rolled_back(request: web.Request, by: str, version: str) -> str:
    """The version that is live then; 409 when there is no way back to it."""
    try:
        return await in_time(request.app[BACKEND].flows.roll_back(by, version))
    except FlowError as error:
        raise web.HTTPConflict(text=str(error)) from error


ROUTES = (
    web.get("/healthz", healthz),
    web.get("/readyz", readyz),
    web.get("/api/calls", calls),
    web.get("/api/calls/{call_id}", call),
    web.get("/api/flows", flows),
    web.post("/api/flows/rollback", rollback),
)
