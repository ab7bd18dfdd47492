"""Liveness and readiness probes: the verdict for everybody, the details for who works here and on this machine."""

from __future__ import annotations

from aiohttp import web

from ivr.web.backend import BACKEND
from ivr.web.formats import json_response
from ivr.web.operator_access import may_look


async def healthz(_: web.Request) -> web.Response:
    """The process lives and its loop turns."""
    return json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 when new calls can be served, else 503; either way with the state of each part for those who may see it."""
    readiness = await request.app[BACKEND].readiness()
    told = readiness.to_json() if await may_look(request) else readiness.verdict()
    return json_response(told, status=200 if readiness.ready else 503)


ROUTES = (web.get("/healthz", healthz), web.get("/readyz", readyz))
