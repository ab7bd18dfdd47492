"""Reading what callers said: noted in the audit log before it is shown; where it can't be, it is not shown. What must
go on without a database is noted where that is possible."""

from __future__ import annotations

import structlog
from aiohttp import web

from ivr.errors import StoreUnavailable
from ivr.ports import AuditEvent
from ivr.web.backend import BACKEND, in_time
from ivr.web.rules import account_of

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CALL_READ = "call.read"


async def noted(request: web.Request, action: str, target: str) -> None:
    """Raises StoreUnavailable."""
    await in_time(request.app[BACKEND].audit.note(AuditEvent(account_of(request).name, action, target)))


async def noted_if_possible(request: web.Request, event: AuditEvent) -> None:
    try:
        await in_time(request.app[BACKEND].audit.note(event))
    except StoreUnavailable as error:
        log.warning("audit.not_noted", action=event.action, target=event.target, by=event.actor, error=str(error))
