"""The screen pop: what the agent who takes over a call sees of it."""

from __future__ import annotations

from aiohttp import web

from ivr.events import CALLER_NAME
from ivr.ports import AuditEvent
from ivr.record import URGENT
from ivr.web.access import wants_html
from ivr.web.backend import BACKEND, in_time
from ivr.web.formats import json_response
from ivr.web.pages.calls import told_facts
from ivr.web.reading import noted_if_possible
from ivr.web.rendering import page

LINK = "link"  # who it was, in the audit log: whoever has it


async def handoff(request: web.Request) -> web.Response:
    """The context behind the URL an agent's phone got; the token in it is the only key. JSON for programs."""
    context = await in_time(request.app[BACKEND].context(request.match_info["token"]))
    if context is None:
        raise web.HTTPNotFound(text="this hand-over is unknown or has expired")
    # An agent with a caller on the line sees it even where nothing can be noted.
    await noted_if_possible(request, AuditEvent(LINK, "context.read", str(context.get("call_id", ""))))
    if not wants_html(request):
        return json_response(context)
    facts = told_facts(context)
    number = (context.get("caller") or {}).get("number")
    return page(
        request,
        "handoff.html",
        framed=False,
        context=context,
        who=dict(facts).get(CALLER_NAME) or number or "Unknown caller",
        number=number,
        facts=facts,
        urgent=int(context.get("priority") or 0) >= URGENT,
    )


ROUTES = (web.get("/handoff/{token}", handoff),)
