"""Drain by request: no new calls while those in progress end, as before an upgrade; it may be taken back."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ivr.errors import UnavailableError
from ivr.ports import AuditEvent
from ivr.web.backend import BACKEND, Backend, Drain
from ivr.web.formats import json_response
from ivr.web.reading import noted_if_possible
from ivr.web.rules import account_of, needs


@needs("ops", "supervisor", scope="calls:read")
async def show(request: web.Request) -> web.Response:
    """``state`` ("serving", "draining", …), ``calls`` in progress, ``final``: whether the process ends with it."""
    return json_response(_told(_drain(request)))


@needs("ops", scope="calls:control")
async def begin(request: web.Request) -> web.Response:
    """New calls get 503 with Retry-After from now on."""
    backend, drain = request.app[BACKEND], _drain(request)
    drain.begin(account_of(request).name, backend.retry_after_s())
    await _noted(request, "line.drained", drain)
    return json_response(_told(drain))


@needs("ops", scope="calls:control")
async def undo(request: web.Request) -> web.Response:
    """New calls are taken again; 409 where the line is stopping."""
    drain = _drain(request)
    try:
        drain.undo(account_of(request).name)
    except UnavailableError as error:
        raise web.HTTPConflict(text=str(error)) from error
    await _noted(request, "line.drain_undone", drain)
    return json_response(_told(drain))


async def _noted(request: web.Request, action: str, drain: Drain) -> None:
    """It helps a line whose database is away, too."""
    after = {"state": drain.state, "calls": drain.calls}
    target = request.app[BACKEND].node
    await noted_if_possible(request, AuditEvent(account_of(request).name, action, target, None, after))


def _drain(request: web.Request) -> Drain:
    backend: Backend = request.app[BACKEND]
    if backend.drain is None:
        raise web.HTTPNotFound(text="there is no line to drain")
    return backend.drain


def _told(drain: Drain) -> dict[str, Any]:
    return {"state": drain.state, "calls": drain.calls, "final": drain.final}


ROUTES = (web.get("/api/drain", show), web.post("/api/drain", begin), web.delete("/api/drain", undo))
