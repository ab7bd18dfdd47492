"""The console's pages: one module a page."""

from __future__ import annotations

from aiohttp import web

from ivr.web.pages import call, calls, flow, flows, handoff, login, simulator


async def _home(_: web.Request) -> web.Response:
    raise web.HTTPSeeOther("/calls")


ROUTES = (
    web.get("/", _home),
    *login.ROUTES,
    *calls.ROUTES,
    *call.ROUTES,
    *flows.ROUTES,
    *flow.ROUTES,
    *simulator.ROUTES,
    *handoff.ROUTES,
)
