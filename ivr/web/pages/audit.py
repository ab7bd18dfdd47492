"""The audit log, for who operates the line: searched, page by page, changed by nobody."""

from __future__ import annotations

from aiohttp import web

from ivr.ports import AuditSearch
from ivr.web.backend import BACKEND, in_time
from ivr.web.query import DEEPEST, USUAL, address, given, moments, number
from ivr.web.rendering import page
from ivr.web.rules import needs

NAMES = ("who", "what", "on", "day", "from", "to")


@needs("ops", "supervisor", scope="admin")
async def audit(request: web.Request) -> web.Response:
    """``who``, ``what``, ``on``, ``day`` or ``from`` and ``to``, ``page``."""
    backend = request.app[BACKEND]
    asked, at = given(request, NAMES), number(request, "page", 1, DEEPEST)
    since, until = moments(asked, backend.zone)
    who, what, on = (asked.get(name, "") for name in ("who", "what", "on"))
    search = AuditSearch(who, what, on, since, until, USUAL, min((at - 1) * USUAL, DEEPEST))
    found = await in_time(backend.audit.find(search))
    return page(
        request,
        "audit.html",
        rows=found.rows,
        count=found.count,
        given=asked,
        at=at,
        pages=max(1, -(-found.count // USUAL)),
        address=lambda **changes: address(asked, **changes),
    )


ROUTES = (web.get("/audit", audit),)
