"""The HTTP resource of the films company: a member's queue, ``GET /api/members/{number}/queue``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from ivr.reference.records import MemberProfile
from ivr.web.backend import in_time
from ivr.web.responses import json_response


def routes(profile_of: Callable[[str], Awaitable[MemberProfile | None]]) -> Sequence[web.RouteDef]:
    async def member_queue(request: web.Request) -> web.Response:
        """The titles in order; 404 for a stranger. Raises StoreUnavailable."""
        number = request.match_info["number"]
        profile = await in_time(profile_of(number))
        if profile is None:
            raise web.HTTPNotFound(text="no such member")
        entries = [{"position": i, "title": t.name, "id": t.id} for i, t in enumerate(profile.queue, 1)]
        return json_response({"member": number, "queue": entries})

    return [web.get("/api/members/{number}/queue", member_queue)]
