"""Metrics: the line's exposition for Prometheus, for programs with a token, operators, and this machine."""

from __future__ import annotations

from aiohttp import web

from ivr.web.backend import BACKEND
from ivr.web.operator_access import may_look


async def metrics(request: web.Request) -> web.Response:
    """OpenMetrics where the asker takes it, else Prometheus' text format."""
    expose = request.app[BACKEND].metrics
    if expose is None:
        raise web.HTTPNotFound
    if not await may_look(request, "ops", scope="metrics:read"):
        raise web.HTTPUnauthorized(
            text="send Authorization: Bearer TOKEN (ivr token add --scope metrics:read, or http.token)",
            headers={"WWW-Authenticate": "Bearer"},
        )
    text, content_type = await expose(request.headers.get("Accept", ""))
    return web.Response(body=text, headers={"Content-Type": content_type})


ROUTES = (web.get("/metrics", metrics),)
