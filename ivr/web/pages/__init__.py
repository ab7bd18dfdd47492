"""The console's pages: one module a resource."""

from __future__ import annotations

from aiohttp import web

from ivr.web.pages import assets, board, calls, desk, flows, handoff, login, simulator


async def _home(_: web.Request) -> web.Response:
    raise web.HTTPSeeOther("/calls")


ROUTES = (
    web.get("/", _home),
    *login.ROUTES,
    *calls.ROUTES,
    *flows.ROUTES,
    *simulator.ROUTES,
    *handoff.ROUTES,
    *desk.ROUTES,
    *board.ROUTES,
    *assets.ROUTES,
)
