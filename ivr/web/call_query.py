"""The query string of the list of calls, for the page and the API alike: a search, and a page of what it finds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from urllib.parse import urlencode

from aiohttp import web

from ivr.call_search import CallSearch, CallTotals

LIVE = {"any": None, "true": True, "false": False}
MOST = 500
USUAL = 50
DEEPEST = 1_000_000  # calls before a page
LONGEST = 200
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
        asked = {**self.given, **({"limit": self.search.limit} if self.search.limit != USUAL else {}), **changes}
        return "?" + urlencode({name: each for name, each in asked.items() if each not in ("", None)})


def call_query(request: web.Request, zone: tzinfo, *, live: str = "any") -> CallQuery:
    """``q``, ``outcome``, ``reason``, ``day`` or ``from`` and ``to``, ``live``, ``limit``, ``page``.

    Days, and times without an offset, are in ``zone``. ``live``: where nothing is said of it. Raises HTTPBadRequest,
    which says what would be right."""
    given = {name: text for name in NAMES if (text := request.query.get(name, "").strip())}
    for name, text in given.items():
        if len(text) > LONGEST:
            raise web.HTTPBadRequest(text=f"{name} must have at most {LONGEST} characters")
    live = given.get("live", live)
    if live not in LIVE:
        raise web.HTTPBadRequest(text="live must be true, false or any")
    limit, page = _number(request, "limit", USUAL, MOST), _number(request, "page", 1, DEEPEST)
    since, until = _range(given, zone)
    search = CallSearch(
        text=given.get("q", ""),
        outcome=given.get("outcome", ""),
        reason=given.get("reason", ""),
        since=since,
        until=until,
        live=LIVE[live],
        limit=limit,
        offset=min((page - 1) * limit, DEEPEST),
    )
    return CallQuery(search, page, given)


def _number(request: web.Request, name: str, usual: int, most: int) -> int:
    text = request.query.get(name, "") or str(usual)
    if not re.fullmatch("[0-9]{1,7}", text) or not 1 <= int(text) <= most:
        raise web.HTTPBadRequest(text=f"{name} must be a whole number from 1 to {most}")
    return int(text)


def _range(given: Mapping[str, str], zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    if "day" in given:
        return _moment("day", given["day"], zone), _moment("day", given["day"], zone, end=True)
    since = _moment("from", given["from"], zone) if "from" in given else None
    return since, _moment("to", given["to"], zone, end=True) if "to" in given else None


def _moment(name: str, text: str, zone: tzinfo, *, end: bool = False) -> datetime | None:
    """``end``: where ``text`` is a whole day, its end."""
    text = text.replace(" ", "+")  # which an offset's plus becomes in a query
    try:
        if len(text) <= len("2026-03-01"):
            moment = datetime.combine(date.fromisoformat(text) + timedelta(days=end), time(), zone)
        elif name == "day":
            raise ValueError(text)
        else:
            moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        if not 1970 < moment.year < 9999:  # beyond, another zone has another year, or none
            raise ValueError(text)
    except (ValueError, OverflowError):
        wanted = "2026-03-01" if name == "day" else "2026-03-01 or 2026-03-01T15:30"
        raise web.HTTPBadRequest(text=f"{name} must be a day or a moment like {wanted}") from None
    return moment
