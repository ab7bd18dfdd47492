"""Reading what callers said: noted in the audit log before it is shown; where it can't be, it is not shown."""

from __future__ import annotations

from aiohttp import web

from ivr.ports import AuditEvent
from ivr.web.backend import BACKEND, in_time
from ivr.web.rules import account_of

CALL_READ = "call.read"


async def noted(request: web.Request, action: str, target: str) -> None:
    """Raises StoreUnavailable."""
    await in_time(request.app[BACKEND].audit.note(AuditEvent(account_of(request).name, action, target)))
