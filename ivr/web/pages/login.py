"""The log-in page: name and password begin a session; while nobody has an account, a link that only who starts the
line is told makes the first one."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from ivr.accounts.authentication import Browser, LogIn, LogInRefused
from ivr.accounts.passwords import name_of
from ivr.accounts.sessions import LIFE
from ivr.errors import AccountError, StoreUnavailable, UnavailableError
from ivr.ports import Account
from ivr.web import bodies
from ivr.web.access import GATE, OIDC, SESSION, addressed_plainly, from_loopback, same_origin
from ivr.web.backend import in_time
from ivr.web.connection import prove
from ivr.web.navigation import ROOMS, home, rooms
from ivr.web.rendering import page
from ivr.web.rules import PEOPLE, needs

OWN = re.compile(
    rf"(?:{'|'.join(address for address, _ in ROOMS)})(?:/(?!\.{{1,2}}(?:[/?]|$))[^/\\?#\s\x00-\x1f\x7f]+)*"
    r"(?:\?[^\\#\x00-\x1f\x7f]*)?"
)
KNOWN_BROWSER = "ivr_browser_"  # and a name: that account's owner has logged in from here
KNOWN_FOR_S = 180 * 24 * 3600
AWAY = (
    "The database does not answer, so nobody can log in just now. Who is logged in can go on for a minute. Try again "
    "in a moment."
)


async def form(request: web.Request) -> web.Response:
    onwards = request.query.get("next", "")
    try:
        session = await request.app[GATE].session(request)
    except StoreUnavailable:
        return await form_again(request, onwards, AWAY, 503)
    if session is not None:
        raise web.HTTPSeeOther(_goal(request, onwards, session.account))
    return await form_again(request, onwards)


async def enter(request: web.Request) -> web.StreamResponse:
    data = await _sent(request)
    name = data.get("name", "")

    def log_in(browser: Browser) -> Awaitable[LogIn]:
        return request.app[GATE].authentication.log_in(name, data.get("password", ""), browser)

    if not local(request):
        return await form_again(
            request, data.get("next", ""), "Here people log in with their company account.", 403, name
        )
    return await _enter(request, data.get("next", ""), name, log_in)


async def begin(request: web.Request) -> web.StreamResponse:
    """The first account."""
    data = await _sent(request)
    name, password = data.get("name", ""), data.get("password", "")

    async def first(browser: Browser) -> LogIn:
        if password != data.get("again", ""):
            raise AccountError("the two passwords differ", remedy="type the same twice")
        return await request.app[GATE].authentication.first(data.get("secret", ""), name, password, browser)

    return await _enter(request, data.get("next", ""), name, first)


async def _sent(request: web.Request) -> dict[str, str]:
    if not same_origin(request):
        raise web.HTTPForbidden(text="this request came from another site")
    return dict(await bodies.form(request))


async def _enter(
    request: web.Request, onwards: str, name: str, log_in: Callable[[Browser], Awaitable[LogIn]]
) -> web.StreamResponse:
    try:
        made = await log_in(browser_of(request, name))
    except StoreUnavailable:
        return await form_again(request, onwards, AWAY, 503, name)
    except UnavailableError as error:
        return await form_again(request, onwards, f"{str(error).capitalize()}.", 503, name)
    except LogInRefused as refused:
        if refused.wait_s:
            return await too_often(request, onwards, refused.wait_s, name)
        return await form_again(request, onwards, _sentence(refused), 401, name)
    except AccountError as error:
        return await form_again(request, onwards, _sentence(error), 400, name)
    raise await entered(request, made, onwards)


async def entered(request: web.Request, made: LogIn, onwards: str) -> web.HTTPException:
    """On to where they wanted to go, logged in."""
    there = web.HTTPSeeOther(_goal(request, onwards, made.session.account))
    await _end(request)  # whatever session this browser showed before: nobody else's goes on as theirs
    keep(request, there, made)
    return there


async def too_often(request: web.Request, onwards: str, wait_s: float, name: str) -> web.Response:
    seconds = math.ceil(wait_s)
    response = await form_again(request, onwards, f"Too many attempts: try again in {seconds} seconds.", 429, name)
    response.headers["Retry-After"] = str(seconds)
    return response


def browser_of(request: web.Request, name: str) -> Browser:
    return Browser(
        source=request.app[GATE].source(request),
        program=request.headers.get("User-Agent", "")[:200],
        kept=request.cookies.get(f"{KNOWN_BROWSER}{name_of(name)}", ""),
    )


def keep(request: web.Request, response: web.StreamResponse, made: LogIn) -> None:
    """The cookies of a log-in."""
    prove(request)
    gate = request.app[GATE]
    cookies = [(gate.cookie(request), made.secret, int(LIFE.total_seconds()))]
    if made.kept:
        cookies.append((f"{KNOWN_BROWSER}{made.session.account.name}", made.kept, KNOWN_FOR_S))
    for name, value, seconds in cookies:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            httponly=True,
            samesite="Lax",  # a link from elsewhere leads in; what changes something needs the page's own token
            secure=gate.by_tls(request),
        )


@needs(scope=PEOPLE)
async def leave(request: web.Request) -> web.StreamResponse:
    """This browser's session; with ``everywhere``, all of the account's."""
    session, authentication = request.get(SESSION), request.app[GATE].authentication
    if session is not None and session.id and (await bodies.form(request)).get("everywhere"):
        await in_time(authentication.log_out_everywhere(session.account.name, session.account.name))
    await _end(request)
    if elsewhere := await _also_elsewhere(request):
        left: web.StreamResponse = page(request, "logged_out.html", framed=False, elsewhere=elsewhere)
    else:
        left = web.HTTPSeeOther("/login")
    gate = request.app[GATE]
    left.del_cookie(gate.cookie(request), secure=gate.by_tls(request), httponly=True, samesite="Lax")
    if isinstance(left, web.HTTPException):
        raise left
    return left


async def _also_elsewhere(request: web.Request) -> str:
    """Where the identity provider's own session ends, which would let them in again; "" where there is none."""
    oidc, session = request.app[OIDC], request.get(SESSION)
    if oidc.config is None or session is None or not session.id:
        return ""
    try:
        record = await in_time(request.app[GATE].authentication.store.find(session.account.name))
    except StoreUnavailable:
        return ""
    return await oidc.end_of_session() if record is not None and record.issuer == oidc.config.issuer else ""


async def _end(request: web.Request) -> None:
    gate = request.app[GATE]
    sessions = gate.authentication.sessions
    if (session := await sessions.find(gate.secret(request))) is not None:
        await in_time(sessions.end(session))


def local(request: web.Request) -> bool:
    """Whether people log in by name and password."""
    config = request.app[OIDC].config
    return config is None or config.local


def _goal(request: web.Request, onwards: str, account: Account) -> str:
    """Where they wanted to go, unless it is a room that only others enter: then where they begin anyway."""
    theirs = {address for address, _ in rooms(request.app, account)}
    path = own(onwards)
    closed = path.partition("?")[0] in {address for address, _ in ROOMS} - theirs
    return home(request.app, account) if closed or not path else path


def own(path: str) -> str:
    """Only to a page of the console; "" for what is none. Browsers drop tabs and line breaks, read a backslash as a
    slash and take dots out of a path, so that much becomes another site's address that does not look like one."""
    return path if OWN.fullmatch(path) else ""


def _sentence(error: AccountError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


async def form_again(
    request: web.Request, onwards: str, wrong: str = "", status: int = 200, name: str = ""
) -> web.Response:
    gate = request.app[GATE]
    try:
        exist = await gate.authentication.exist()
    except StoreUnavailable:
        exist, wrong, status = True, wrong or AWAY, 503 if status == 200 else status
    here = from_loopback(gate.source(request))
    return page(
        request,
        "login.html",
        framed=False,
        status=status,
        next=own(onwards),
        name=name_of(name),
        wrong=wrong,
        first=not exist,
        plainly=not exist and here and not gate.token and not addressed_plainly(request),
        provider=config.button if (config := request.app[OIDC].config) is not None else "",
        local=local(request),
    )


ROUTES = (
    web.get("/login", form),
    web.post("/login", enter),
    web.post("/login/first", begin),
    web.post("/logout", leave),
)
