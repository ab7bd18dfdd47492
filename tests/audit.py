"""An audit log in memory."""

from __future__ import annotations

from ivr.errors import StoreUnavailable
from ivr.ports import AuditEvent, AuditFound, AuditSearch


class FakeAudit:
    """``ivr.ports.AuditLog``. ``broken``: nothing can be written."""

    def __init__(self, *, broken: bool = False) -> None:
        self.events: list[AuditEvent] = []
        self.broken = broken

    async def note(self, event: AuditEvent) -> None:
        if self.broken:
            raise StoreUnavailable("stopped")
        self.events.append(event)

    async def find(self, asked: AuditSearch) -> AuditFound:
        return AuditFound((), 0)
