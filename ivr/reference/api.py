"""The HTTP resource of the films company: a member's queue, ``GET /api/members/{number}/queue``."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from ivr.reference.backend import Membership
from ivr.web.api import dumps, from_store, problem


def routes(membership: Membership) -> Sequence[web.RouteDef]:
    async def member_queue(request: web.Request) -> web.Response:
        """200 with the titles in order, 404 for a stranger, 503 while the store does not answer."""
        number = request.match_info["number"]
        profile = await from_store(membership.profile(number))
        if profile is None:
            return problem(404, "no such member")
        entries = [{"position": i, "title": t.name, "id": t.id} for i, t in enumerate(profile.queue, 1)]
        return web.json_response({"member": number, "queue": entries}, dumps=dumps)

    return [web.get("/api/members/{number}/queue", member_queue)]
