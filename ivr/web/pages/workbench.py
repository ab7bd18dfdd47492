"""The workbench: a designer's draft of the flows, edited, tried and published in the browser."""

from __future__ import annotations

from aiohttp import web

from ivr.web.backend import BACKEND
from ivr.web.rendering import page
from ivr.web.rules import author_of, needs


@needs("designer", scope="flows:publish")
async def workbench(request: web.Request) -> web.Response:
    """``flow``: which one's file is open first; without it, or where there is none, the entry flow's."""
    names = [summary.name for summary in request.app[BACKEND].flows.summaries()]
    wanted = request.query.get("flow", "")
    file = f"{wanted if wanted in names else names[0]}.yaml"
    return page(request, "workbench.html", owner=author_of(request), file=file)


ROUTES = (web.get("/workbench", workbench),)
