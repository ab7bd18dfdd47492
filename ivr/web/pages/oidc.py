"""Log-in by the company's identity provider: the way there, and the way back."""

from __future__ import annotations

from aiohttp import web

from ivr.accounts.authentication import LogInRefused
from ivr.accounts.oidc import BACK, PENDING_S
from ivr.accounts.provider_client import OidcRefused
from ivr.errors import AccountError, StoreUnavailable, UnavailableError
from ivr.web.access import GATE, HOST_PREFIX, OIDC
from ivr.web.pages.login import browser_of, entered, form_again, local, own, too_often

COOKIE = "ivr_oidc"


def _cookie(request: web.Request) -> str:
    return f"{HOST_PREFIX}{COOKIE}" if request.app[GATE].by_tls(request) else COOKIE


async def begin(request: web.Request) -> web.StreamResponse:
    if request.app[OIDC].config is None:
        raise web.HTTPNotFound(text="there is no log-in by an identity provider here: [http.oidc]")
    onwards = own(request.query.get("next", ""))
    try:
        begun = await request.app[OIDC].begin(onwards)
    except UnavailableError:
        return await form_again(request, onwards, _away(request), 503)
    except OidcRefused as error:
        request.app[GATE].authentication.provider_refused(request.app[GATE].source(request), str(error))
        return await form_again(request, onwards, "Log-in with a company account does not work; ops finds why.", 502)
    there = web.HTTPSeeOther(begun.address)
    there.set_cookie(
        _cookie(request),
        begun.kept,
        max_age=PENDING_S,
        httponly=True,
        samesite="Lax",  # it must come along when the provider leads back
        secure=request.app[GATE].by_tls(request),
    )
    raise there


async def back(request: web.Request) -> web.StreamResponse:
    if request.app[OIDC].config is None:
        raise web.HTTPNotFound(text="there is no log-in by an identity provider here: [http.oidc]")
    gate, kept = request.app[GATE], request.cookies.get(_cookie(request), "")
    try:
        made, onwards = await gate.authentication.log_in_vouched(
            request.app[OIDC], request.query, kept, browser_of(request, "")
        )
    except StoreUnavailable:
        return await form_again(request, "", "The database does not answer; try again in a moment.", 503)
    except UnavailableError:
        return await form_again(request, "", _away(request), 503)
    except LogInRefused as refused:
        if refused.wait_s:
            return await too_often(request, "", refused.wait_s, "")
        return await form_again(request, "", _sentence(refused), 403)
    except AccountError as error:
        return await form_again(request, "", _sentence(error), 409)
    there = await entered(request, made, onwards)
    there.del_cookie(_cookie(request), secure=gate.by_tls(request), httponly=True, samesite="Lax")
    raise there


def _away(request: web.Request) -> str:
    instead = "log in with a name and a password of this line, or try again" if local(request) else "try again"
    return f"The identity provider does not answer: {instead} in a moment."


def _sentence(error: AccountError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


ROUTES = (web.get("/login/oidc", begin), web.get(BACK, back))
