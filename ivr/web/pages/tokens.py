"""API tokens, for supervisors: what programs may do, until when, a new one that is shown once, and the end of one."""

from __future__ import annotations

from aiohttp import web

from ivr.errors import AccountError
from ivr.ports import SCOPES
from ivr.web.access import GATE
from ivr.web.backend import in_time
from ivr.web.bodies import form
from ivr.web.rendering import page
from ivr.web.rules import account_of, may, needs

DAYS = 365


@needs("supervisor", "ops", scope="admin")
async def tokens(request: web.Request) -> web.Response:
    return await _page(request)


@needs("supervisor", scope="admin")
async def add(request: web.Request) -> web.StreamResponse:
    data, known = await form(request), request.app[GATE].authentication.tokens
    scopes = [scope for scope in SCOPES if data.get(f"scope-{scope}")]
    days = data.get("days", "").strip()
    try:
        if not days.isascii() or not days.isdecimal() or len(days) > 5:
            raise AccountError("how many days it counts is a number", remedy="0 is for ever")
        shown, made = await in_time(known.make(data.get("label", ""), scopes, int(days), account_of(request).name))
    except AccountError as error:
        return await _page(request, wrong=str(error), status=409)
    return await _page(request, told=made.label, secret=shown)


@needs("supervisor", scope="admin")
async def revoke(request: web.Request) -> web.StreamResponse:
    known, identity = request.app[GATE].authentication.tokens, request.match_info["id"]
    try:
        await in_time(known.store.revoke(identity, account_of(request).name))
    except AccountError as error:
        return await _page(request, wrong=str(error), status=409)
    known.forget(identity)
    raise web.HTTPSeeOther("/tokens")


async def _page(
    request: web.Request, *, wrong: str = "", status: int = 200, told: str = "", secret: str = ""
) -> web.Response:
    authentication = request.app[GATE].authentication
    return page(
        request,
        "tokens.html",
        status=status,
        tokens=await in_time(authentication.tokens.store.all()),
        now=authentication.now(),
        scopes=SCOPES,
        days=DAYS,
        managing=may(request, "admin", "supervisor"),
        wrong=f"{wrong[:1].upper()}{wrong[1:]}." if wrong else "",
        told=told,
        secret=secret,
    )


ROUTES = (web.get("/tokens", tokens), web.post("/tokens", add), web.post("/tokens/{id}/revoke", revoke))
