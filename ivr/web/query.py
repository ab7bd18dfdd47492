"""Query strings of pages that are searched: names, days and moments as people write them, a page of what is found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from urllib.parse import urlencode

from aiohttp import web

USUAL = 50
DEEPEST = 1_000_000  # of what is found, before a page
LONGEST = 200


def given(request: web.Request, names: Sequence[str]) -> Mapping[str, str]:
    """What was asked for, by name, as it was written. Raises HTTPBadRequest, which says what would be right, as all
    here."""
    found = {name: text for name in names if (text := request.query.get(name, "").strip())}
    for name, text in found.items():
        if len(text) > LONGEST:
            raise web.HTTPBadRequest(text=f"{name} must have at most {LONGEST} characters")
    return found


def address(given: Mapping[str, object], **changes: object) -> str:
    """The query string of the same search, but for ``changes``; a name that became "" is left out."""
    return "?" + urlencode({name: each for name, each in {**given, **changes}.items() if each not in ("", None)})


def number(request: web.Request, name: str, usual: int, most: int) -> int:
    text = request.query.get(name, "") or str(usual)
    if not re.fullmatch("[0-9]{1,7}", text) or not 1 <= int(text) <= most:
        raise web.HTTPBadRequest(text=f"{name} must be a whole number from 1 to {most}")
    return int(text)


def moments(given: Mapping[str, str], zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """From ``day``, or ``from`` and ``to``; those without an offset are in ``zone``."""
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
