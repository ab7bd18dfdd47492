"""Liveness and readiness probes: the verdict for everybody, the details for who works here and on this machine."""

from __future__ import annotations

from aiohttp import web

from ivr.errors import StoreUnavailable
from ivr.web.access import GATE
from ivr.web.backend import BACKEND, in_time
from ivr.web.formats import json_response


async def healthz(_: web.Request) -> web.Response:
    """The process lives and its loop turns."""
    return json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 when new calls can be served, else 503; either way with the state of each part for those who may see it."""
    readiness = await request.app[BACKEND].readiness()
    told = readiness.to_json() if await _may_see_details(request) else readiness.verdict()
    return json_response(told, status=200 if readiness.ready else 503, headers={"Cache-Control": "no-store"})


async def _may_see_details(request: web.Request) -> bool:
    gate = request.app[GATE]
    if gate.local(request):
        return True
    try:
        if (await in_time(gate.shown(request))).scopes is not None:
            return True
        if not request.app[BACKEND].started():
            return False  # there is no database to ask yet
        session = await in_time(gate.session(request))
    except StoreUnavailable:
        return False
    return session is not None and not session.must_change


ROUTES = (web.get("/healthz", healthz), web.get("/readyz", readyz))
