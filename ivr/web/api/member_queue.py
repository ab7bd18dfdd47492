"""A member's title queue as JSON: a resource of the reference company, added by whoever composes the service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from aiohttp import web

from ivr.errors import StoreUnavailable

STORE_TIMEOUT_S = 2.0


class Title(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


class Profile(Protocol):
    @property
    def queue(self) -> Sequence[Title]: ...


class Membership(Protocol):
    async def profile(self, number: str) -> Profile | None:
        """None when there is no such member. Raises StoreUnavailable."""
        ...


def resource(membership: Membership) -> web.RouteDef:
    async def queue(request: web.Request) -> web.Response:
        number = request.match_info["number"]
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                profile = await membership.profile(number)
        except TimeoutError as error:
            raise StoreUnavailable("the store does not answer") from error
        if profile is None:
            raise web.HTTPNotFound(text="no such member")
        titles = [{"position": i, "title": t.name, "id": t.id} for i, t in enumerate(profile.queue, 1)]
        return web.json_response({"member": number, "queue": titles}, dumps=partial(json.dumps, ensure_ascii=False))

    return web.get("/api/members/{number}/queue", queue)
