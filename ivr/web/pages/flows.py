"""The pages of flows: what is live and what was rejected, and one flow's picture with its simulator beside it."""

from __future__ import annotations

import secrets

from aiohttp import web
from markupsafe import Markup

from ivr.web.api.flows import HISTORY, rolled_back
from ivr.web.backend import BACKEND, in_time
from ivr.web.bodies import form
from ivr.web.rendering import page
from ivr.web.rules import author_of, may, needs

PARTS = ("recogniser", "synthesiser", "store", "agent")  # what a designer may break


@needs("designer", "ops", scope="flows:read")
async def flows(request: web.Request) -> web.Response:
    source = request.app[BACKEND].flows
    return page(
        request,
        "flows.html",
        canary=source.status()["canary"],
        company=source.company(),
        findings=source.findings(),
        publishing=may(request, "flows:publish", "designer"),
        rejected_at=source.rejected_at(),
        flows=source.summaries(),
        history=await in_time(source.history(HISTORY)),
    )


@needs("designer", scope="flows:publish")
async def rollback(request: web.Request) -> web.Response:
    """A form of the page of all flows."""
    await rolled_back(request, author_of(request), (await form(request)).get("version", ""))
    raise web.HTTPSeeOther("/flows")


@needs("designer", "ops", scope="flows:read")
async def flow(request: web.Request) -> web.Response:
    source, name = request.app[BACKEND].flows, request.match_info["flow"]
    flows = {summary.name: summary for summary in source.summaries()}
    if name not in flows:
        raise web.HTTPNotFound(text=f"There is no flow {name}.")
    nonce = secrets.token_urlsafe(12)
    picture = (await source.picture(name)).replace('role="img"', 'role="group"')  # here its states are links
    return page(
        request,
        "flow.html",
        nonce=nonce,
        flow=flows[name],
        flows=flows,
        # the picture is ours; its style sheet is the only one on the page that isn't a file
        picture=Markup(picture.replace("<style>", f'<style nonce="{nonce}">', 1)),  # noqa: S704
        languages=source.languages(),
        trying=may(request, "flows:read", "designer"),
        parts=PARTS,
    )


ROUTES = (
    web.get("/flows", flows),
    web.post("/flows/rollback", rollback),
    web.get("/flows/{flow}", flow),
)
