"""The page of all flows: what is live since when, and what was rejected and why."""

from __future__ import annotations

from aiohttp import web

from ivr.web.api.flows import HISTORY, rolled_back
from ivr.web.backend import BACKEND, in_time
from ivr.web.rendering import page

BY = "console"


async def flows(request: web.Request) -> web.Response:
    source = request.app[BACKEND].flows
    return page(
        request,
        "flows.html",
        canary=source.status()["canary"],
        findings=source.findings(),
        rejected_at=source.rejected_at(),
        flows=source.summaries(),
        history=await in_time(source.history(HISTORY)),
    )


async def rollback(request: web.Request) -> web.Response:
    """A form of the page above."""
    await rolled_back(request, BY, str((await request.post()).get("version", "")))
    raise web.HTTPSeeOther("/flows")


ROUTES = (web.get("/flows", flows), web.post("/flows/rollback", rollback))
