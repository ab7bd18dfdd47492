"""Operators' doors: what monitoring reads without a log-in, on this machine or with a token; one rule for all."""

from __future__ import annotations

from aiohttp import web

from ivr.errors import StoreUnavailable
from ivr.ports import Role, Scope
from ivr.web.access import GATE
from ivr.web.backend import BACKEND, in_time


async def may_look(request: web.Request, *roles: Role, scope: Scope | None = None) -> bool:
    """Whether it comes from this machine, shows a token (with ``scope``, where it is named), or is of somebody who is
    logged in (with one of ``roles``, where they are named)."""
    gate = request.app[GATE]
    if gate.local(request):
        return True
    try:
        scopes = (await in_time(gate.shown(request))).scopes
        if scopes is not None:
            return scope is None or scope in scopes
        if not request.app[BACKEND].started():
            return False  # there is no database to ask yet
        session = await in_time(gate.session(request))
    except StoreUnavailable:
        return False
    return session is not None and not session.must_change and (not roles or session.account.may(*roles))
