"""One's own account: the password, and where one is logged in."""

from __future__ import annotations

import math

from aiohttp import web

from ivr.accounts.authentication import LogInRefused
from ivr.accounts.passwords import SHORTEST
from ivr.errors import AccountError
from ivr.ports import Session
from ivr.web.access import GATE, SESSION
from ivr.web.backend import in_time
from ivr.web.bodies import form
from ivr.web.navigation import home
from ivr.web.pages.login import browser_of, keep
from ivr.web.rendering import page
from ivr.web.rules import PEOPLE, needs


@needs(scope=PEOPLE)
async def account(request: web.Request) -> web.Response:
    return await _page(request)


@needs(scope=PEOPLE)
async def change(request: web.Request) -> web.StreamResponse:
    """A new password: every other session of the account ends."""
    session, data = request.get(SESSION), await form(request)
    if session is None or not session.id:
        raise web.HTTPConflict(text="there is no account here to change: nobody has one, or a program asks")
    password = data.get("password", "")
    try:
        if password != data.get("again", ""):
            raise AccountError("the two passwords differ", remedy="type the same twice")
        made = await request.app[GATE].authentication.change_own(
            session, data.get("current", ""), password, browser_of(request, session.account.name)
        )
    except LogInRefused as refused:
        if refused.wait_s:
            seconds = math.ceil(refused.wait_s)
            return await _page(request, f"too many attempts: try again in {seconds} seconds", 429)
        return await _page(request, str(refused), 403)
    except AccountError as error:
        return await _page(request, str(error), 400)
    onwards = home(request.app, made.session.account) if session.must_change else "/account?changed=yes"
    entered = web.HTTPSeeOther(onwards)
    keep(request, entered, made)
    raise entered


async def _page(request: web.Request, wrong: str = "", status: int = 200) -> web.Response:
    session = request.get(SESSION)
    mine = session is not None and bool(session.id)
    sessions: tuple[Session, ...] = ()
    issuer, store = "", request.app[GATE].authentication.store
    if session is not None and mine and not session.must_change:
        sessions = tuple(await in_time(store.sessions(session.account.name)))
        record = await in_time(store.find(session.account.name))
        issuer = record.issuer if record is not None else ""
    return page(
        request,
        "account.html",
        status=status,
        mine=mine,
        must_change=session is not None and session.must_change,
        this=session.id if session is not None else "",
        sessions=sessions,
        issuer=issuer,
        shortest=SHORTEST,
        wrong=f"{wrong[:1].upper()}{wrong[1:]}." if wrong else "",
        changed="changed" in request.query,
    )


ROUTES = (web.get("/account", account), web.post("/account", change))
