"""The page of one flow: its picture with the live calls on it, and the simulator beside it."""

from __future__ import annotations

import secrets

from aiohttp import web
from markupsafe import Markup

from ivr.web.backend import BACKEND
from ivr.web.rendering import page

PARTS = ("recogniser", "synthesiser", "store", "agent")  # what a designer may break


async def flow(request: web.Request) -> web.Response:
    source, name = request.app[BACKEND].flows, request.match_info["flow"]
    flows = {summary.name: summary for summary in source.summaries()}
    if name not in flows:
        raise web.HTTPNotFound(text=f"There is no flow {name}.")
    nonce = secrets.token_urlsafe(12)
    picture = await source.picture(name)
    return page(
        request,
        "flow.html",
        nonce=nonce,
        flow=flows[name],
        flows=flows,
        # the picture is ours; its style sheet is the only one on the page that isn't a file
        picture=Markup(picture.replace("<style>", f'<style nonce="{nonce}">', 1)),  # noqa: S704
        languages=source.languages(),
        parts=PARTS,
    )


ROUTES = (web.get("/flows/{flow}", flow),)
