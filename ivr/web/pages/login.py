"""The log-in page: the token of the configuration begins a session."""

from __future__ import annotations

import math
import re

import structlog
from aiohttp import web

from ivr.web import bodies
from ivr.web.access import COOKIE, GATE, LIFE_S, same_origin
from ivr.web.connection import prove
from ivr.web.rendering import page

log = structlog.get_logger(__name__)

OWN = re.compile(
    r"/(?:calls|flows|desk|board)(?:/(?!\.{1,2}(?:[/?]|$))[^/\\?#\s\x00-\x1f\x7f]+)*(?:\?[^\\#\x00-\x1f\x7f]*)?"
)


async def form(request: web.Request) -> web.Response:
    gate = request.app[GATE]
    if gate.session(request) is not None:
        raise web.HTTPSeeOther(_next(request.query.get("next", "")))
    return _page(request, request.query.get("next", ""))


async def enter(request: web.Request) -> web.StreamResponse:
    gate = request.app[GATE]
    if not same_origin(request):
        raise web.HTTPForbidden(text="this request came from another site")
    data = await bodies.form(request)
    onwards = data.get("next", "")
    wait_s = gate.try_token(request, data.get("token", ""))
    if wait_s > 0:
        seconds = math.ceil(wait_s)
        response = _page(request, onwards, f"Too many attempts: try again in {seconds} seconds.", 429)
        response.headers["Retry-After"] = str(seconds)
        return response
    if wait_s < 0:
        return _page(request, onwards, "That is not the token.", 401)
    session = gate.sessions.begin()
    prove(request)
    log.info("console.login", address=gate.source(request))
    entered = web.HTTPSeeOther(_next(onwards))
    entered.set_cookie(
        COOKIE,
        session.id,
        max_age=int(LIFE_S),
        httponly=True,
        samesite="Strict",
        secure=request.headers.get("X-Forwarded-Proto", request.scheme) == "https",
    )
    raise entered


async def leave(request: web.Request) -> web.StreamResponse:
    request.app[GATE].sessions.end(request.cookies.get(COOKIE, ""))
    left = web.HTTPSeeOther("/login")
    left.del_cookie(COOKIE)
    raise left


def _next(path: str) -> str:
    """Only to a page of the console. Browsers drop tabs and line breaks, read a backslash as a slash and take dots out
    of a path, so that much becomes another site's address that does not look like one."""
    return path if OWN.fullmatch(path) else "/calls"


def _page(request: web.Request, onwards: str, wrong: str = "", status: int = 200) -> web.Response:
    return page(request, "login.html", framed=False, status=status, next=_next(onwards), wrong=wrong)


ROUTES = (web.get("/login", form), web.post("/login", enter), web.post("/logout", leave))
