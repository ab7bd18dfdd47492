"""Operators' doors: what monitoring reads without a log-in, on this machine or with a token; one rule for all."""

from __future__ import annotations

from aiohttp import web

from ivr.errors import StoreUnavailable
from ivr.ports import Role
from ivr.web.access import GATE
from ivr.web.backend import BACKEND, in_time


async def may_look(request: web.Request, *roles: Role) -> bool:
    """Whether it comes from this machine, shows the token, or is of somebody who is logged in (with one of ``roles``,
    where they are named)."""
    gate = request.app[GATE]
    if gate.local(request) or gate.try_bearer(request) == 0.0:
        return True
    if not request.app[BACKEND].started():
        return False  # there is no database to ask yet
    try:
        session = await in_time(gate.session(request))
    except StoreUnavailable:
        return False
    return session is not None and not session.must_change and (not roles or session.account.may(*roles))
