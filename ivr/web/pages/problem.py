"""The error page: what a browser shows when there is nothing to see, or something failed."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from ivr.web.access import GATE, is_open
from ivr.web.rendering import page as rendered

TITLES = {401: "Not for everybody", 403: "Not allowed", 404: "Not found", 409: "Not possible now", 503: "Not available"}
TOLD = ("Allow", "Retry-After", "WWW-Authenticate")


def page(request: web.Request, status: int, detail: str, headers: Mapping[str, str]) -> web.Response:
    """``headers``: of the refusal; those that say what to do are kept."""
    framed = not is_open(request) and request.app[GATE].session(request) is not None
    title = TITLES.get(status, "Something went wrong")
    response = rendered(request, "problem.html", framed=framed, status=status, title=title, detail=detail)
    response.headers.update({name: headers[name] for name in TOLD if name in headers})
    return response
