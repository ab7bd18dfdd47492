"""The template engine: every page with its frame, escaped, and with headers that let it load nothing but its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from ivr.web.access import SESSION, is_open
from ivr.web.backend import BACKEND
from ivr.web.formats import browser, duration, label, measure, moment, phone, reason, told, value, whole
from ivr.web.live import flow_news
from ivr.web.navigation import home, rooms
from ivr.web.rules import account_of

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
TITLES = {
    400: "Not understood",
    401: "Not for everybody",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    409: "Not possible now",
    413: "Too much",
    415: "Not understood",
    429: "Too often",
    503: "Not available",
}
TOLD = ("Allow", "Retry-After", "WWW-Authenticate")


def prepare(app: web.Application) -> None:
    shown: tuple[Callable[..., str], ...] = (moment, duration, value, measure, label, told, reason, browser)
    filters = {each.__name__: each for each in shown}
    filters["phone"] = partial(phone, mask=app[BACKEND].mask)
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("ivr.web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        default_helpers=False,
        filters=filters,
    )


def page(
    request: web.Request, template: str, *, framed: bool = True, status: int = 200, **context: Any
) -> web.Response:
    """A whole page. ``framed`` pages have the navigation and the banner; others stand for themselves."""
    if framed:
        session, account = request.get(SESSION), account_of(request)
        context |= {
            **flow_news(request),
            "csrf": session.csrf if session else "",
            "account": account,
            "leaving": session is not None and bool(session.id),
            "rooms": rooms(request.app, account) if session is None or not session.must_change else (),
        }
    shown = {"zone": request.app[BACKEND].zone, **context, "framed": framed, "path": request.path}
    text = whole(aiohttp_jinja2.render_string(template, request, shown))
    response = web.Response(text=text, content_type="text/html", status=status)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def refused(request: web.Request, status: int, detail: str, headers: Mapping[str, str]) -> web.Response:
    """The error page. ``headers``: of the refusal; those that say what to do are kept."""
    framed = not is_open(request) and SESSION in request
    title = TITLES.get(status, "Something went wrong")
    response = page(
        request,
        "problem.html",
        framed=framed,
        status=status,
        title=title,
        detail=detail,
        home=home(request.app, account_of(request)),
    )
    response.headers.update({name: headers[name] for name in TOLD if name in headers})
    return response
