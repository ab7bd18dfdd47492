"""The pages of calls: those in progress, those that a search finds, and the whole story of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ivr.web.backend import BACKEND, in_time
from ivr.web.call_query import NAMES, call_query
from ivr.web.live import live_calls
from ivr.web.pages.flows import flow as flow_page
from ivr.web.reading import CALL_READ, noted
from ivr.web.rendering import page
from ivr.web.rules import account_of, may, may_open, needs


@needs("supervisor", "ops", scope="calls:read")
async def calls(request: web.Request) -> web.Response:
    """``call_query``'s search; where nothing is searched for, the calls that ended below those in progress."""
    backend = request.app[BACKEND]
    searching = any(request.query.get(name, "").strip() for name in NAMES)
    query = call_query(request, backend.zone, live="any" if searching else "false")
    found = await in_time(backend.calls.find(query.search))
    return page(
        request,
        "calls.html",
        live=live_calls(request),
        query=query,
        calls=found.calls,
        totals=found.totals,
        pages=query.pages(found.totals),
        promises=backend.board.promises if backend.board is not None else {},
    )


@needs("supervisor", "ops", scope="calls:read")
async def call(request: web.Request) -> web.Response:
    call_id = request.match_info["call_id"]
    found = await in_time(request.app[BACKEND].calls.get(call_id))
    if found is None:
        raise web.HTTPNotFound(text=f"Nothing is known about a call {call_id}.")
    await noted(request, CALL_READ, call_id)
    kept, hears = request.app[BACKEND].recordings, may(request, "recordings:read", "supervisor")
    flow, _, state = str(found.get("state") or "").partition(".")
    return page(
        request,
        "call.html",
        call=found,
        entries=found.get("transcript") or found.get("entries") or (),
        handoff=found.get("handoff") or {},
        facts=told_facts(found),
        slots=found.get("slots") or {},
        measures=found.get("canonical") or {},
        recordings=await in_time(kept.of_call(call_id)) if kept and hears else (),
        flow=flow,
        state=state if may_open(account_of(request), flow_page) else "",  # it leads into the picture
    )


def told_facts(source: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What is known of the caller, by name; what is known of every call is shown elsewhere."""
    return sorted((k, v) for k, v in (source.get("facts") or {}).items() if not k.startswith("call."))


ROUTES = (
    web.get("/calls", calls),
    web.get("/calls/{call_id}", call),
)
