"""The query string of the list of calls, for the page and the API alike: a search, and a page of what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

from aiohttp import web

from ivr.call_search import CallSearch, CallTotals
from ivr.web.query import DEEPEST, USUAL, address, given, moments, number

LIVE = {"any": None, "true": True, "false": False}
MOST = 500
NAMES = ("q", "outcome", "reason", "day", "from", "to", "live")


@dataclass(frozen=True, slots=True)
class CallQuery:
    """``given``: what was asked for, by name, as it was written."""

    search: CallSearch
    page: int
    given: Mapping[str, str]

    def pages(self, totals: CallTotals) -> int:
        """How many pages there are; one where nothing was found."""
        return max(1, -(-totals.count // self.search.limit))

    def address(self, **changes: object) -> str:
        """The query string of the same search, but for ``changes``; a name that became "" is left out."""
        limit = {"limit": self.search.limit} if self.search.limit != USUAL else {}
        return address({**self.given, **limit}, **changes)


def call_query(request: web.Request, zone: tzinfo, *, live: str = "any") -> CallQuery:
    """``q``, ``outcome``, ``reason``, ``day`` or ``from`` and ``to``, ``live``, ``limit``, ``page``.

    Days, and times without an offset, are in ``zone``. ``live``: where nothing is said of it. Raises HTTPBadRequest,
    which says what would be right."""
    asked = given(request, NAMES)
    live = asked.get("live", live)
    if live not in LIVE:
        raise web.HTTPBadRequest(text="live must be true, false or any")
    limit, page = number(request, "limit", USUAL, MOST), number(request, "page", 1, DEEPEST)
    since, until = moments(asked, zone)
    search = CallSearch(
        text=asked.get("q", ""),
        outcome=asked.get("outcome", ""),
        reason=asked.get("reason", ""),
        since=since,
        until=until,
        live=LIVE[live],
        limit=limit,
        offset=min((page - 1) * limit, DEEPEST),
    )
    return CallQuery(search, page, asked)
