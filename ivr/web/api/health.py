"""Liveness and readiness probes."""

from __future__ import annotations

from aiohttp import web

from ivr.web.backend import BACKEND
from ivr.web.formats import json_response


async def healthz(_: web.Request) -> web.Response:
    """The process lives and its loop turns."""
    return json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 when new calls can be served, else 503; either way with the state of each part."""
    readiness = await request.app[BACKEND].readiness()
    return json_response(readiness.to_json(), status=200 if readiness.ready else 503)


ROUTES = (web.get("/healthz", healthz), web.get("/readyz", readyz))
