"""The live flows, and the way back to an earlier version of them."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from ivr.errors import FlowError
from ivr.web.backend import BACKEND, in_time
from ivr.web.bodies import json_object
from ivr.web.formats import json_response
from ivr.web.rules import account_of, needs

HISTORY = 20
USAGE = 'send {"version": VERSION, "why": TEXT}, or {}'


@needs("designer", "ops", scope="flows:read")
async def flows(request: web.Request) -> web.Response:
    """The live version's flows, the findings about the newest files, and the last HISTORY publications."""
    source = request.app[BACKEND].flows
    summaries = (asdict(summary) for summary in source.summaries())
    return json_response(
        {
            **source.status(),
            "findings": list(source.findings()),
            "flows": [{"flow": summary.pop("name"), **summary} for summary in summaries],
            "history": list(await in_time(source.history(HISTORY))),
        }
    )


@needs("designer", scope="flows:publish")
async def rollback(request: web.Request) -> web.Response:
    """``{"version": VERSION, "why": TEXT}``, or {} for the one before the live one; what is live then."""
    asked = await json_object(request, USAGE)
    version, why = asked.get("version", ""), asked.get("why", "")
    if not isinstance(version, str) or not isinstance(why, str):
        raise web.HTTPBadRequest(text=USAGE)
    return json_response({"version": await rolled_back(request, account_of(request).name, version, why)})


async def rolled_back(request: web.Request, by: str, version: str, why: str = "") -> str:
    """The version that is live then; 409 when there is no way back to it. It takes the time that checking it and
    rendering its prompts takes: only the database is bound, by itself."""
    try:
        return await request.app[BACKEND].flows.roll_back(by, version, why)
    except FlowError as error:
        raise web.HTTPConflict(text=str(error)) from error


ROUTES = (web.get("/api/flows", flows), web.post("/api/flows/rollback", rollback))
