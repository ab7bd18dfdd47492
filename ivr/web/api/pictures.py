"""Pictures of flows, live or being written: models, the traffic on them, what simulated calls may be given."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from ivr.errors import FlowError
from ivr.web.backend import BACKEND, in_time
from ivr.web.formats import json_response
from ivr.web.query import given, number
from ivr.web.rules import needs

MOST_DAYS = 366
NEWEST = "newest"  # the draft that the files in the folder are, whether they serve or were rejected


@needs("designer", "ops", scope="flows:read")
async def picture(request: web.Request) -> web.Response:
    """``draft``: of that draft instead of the live version."""
    draft = given(request, ("draft",)).get("draft", "")
    try:
        model = await request.app[BACKEND].flows.picture(request.match_info["flow"], await sources_of(request, draft))
    except FlowError as error:
        raise web.HTTPNotFound(text=str(error)) from error
    return json_response({**model, "draft": draft})


@needs("designer", "ops", scope="flows:read")
async def traffic(request: web.Request) -> web.Response:
    """``days``: of calls that began in the last so many."""
    days = number(request, "days", 7, MOST_DAYS)
    try:
        counted = await in_time(request.app[BACKEND].flows.traffic(request.match_info["flow"], days))
    except FlowError as error:
        raise web.HTTPNotFound(text=str(error)) from error
    return json_response({**counted, "days": days})


@needs("designer", scope="flows:read")
async def bench(request: web.Request) -> web.Response:
    """``draft``: as above."""
    draft = given(request, ("draft",)).get("draft", "")
    try:
        told = await request.app[BACKEND].flows.bench(request.match_info["flow"], await sources_of(request, draft))
    except FlowError as error:
        raise web.HTTPNotFound(text=str(error)) from error
    return json_response(told)


async def sources_of(request: web.Request, draft: str) -> Mapping[str, str] | None:
    """The draft's files; None for "". Raises FlowError where there is no such draft."""
    if not draft:
        return None
    if draft == NEWEST:
        return request.app[BACKEND].flows.newest()
    drafts = request.app[BACKEND].drafts
    sources = await in_time(drafts.sources(draft)) if drafts is not None else None
    if sources is None:
        raise FlowError(f"there is no draft {draft}", remedy="begin one in the workbench")
    return sources


ROUTES = (
    web.get("/api/flows/{flow}/picture", picture),
    web.get("/api/flows/{flow}/traffic", traffic),
    web.get("/api/flows/{flow}/bench", bench),
)
