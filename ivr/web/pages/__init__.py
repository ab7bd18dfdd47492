"""The console's pages: one module a resource."""

from __future__ import annotations

from aiohttp import web

from ivr.web.navigation import home
from ivr.web.pages import (
    account,
    accounts,
    assets,
    audit,
    board,
    calls,
    desk,
    flows,
    handoff,
    login,
    oidc,
    recordings,
    simulator,
    tokens,
    words,
    workbench,
)
from ivr.web.rules import account_of, needs


@needs(scope="calls:read")
async def _home(request: web.Request) -> web.Response:
    raise web.HTTPSeeOther(home(request.app, account_of(request)))


ROUTES = (
    web.get("/", _home),
    *login.ROUTES,
    *oidc.ROUTES,
    *account.ROUTES,
    *accounts.ROUTES,
    *audit.ROUTES,
    *tokens.ROUTES,
    *calls.ROUTES,
    *flows.ROUTES,
    *words.ROUTES,
    *workbench.ROUTES,
    *simulator.ROUTES,
    *handoff.ROUTES,
    *desk.ROUTES,
    *board.ROUTES,
    *recordings.ROUTES,
    *assets.ROUTES,
)
