"""The audit trail, read: what a call changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.store.database import TableGroup, reads
from ivr.store.tables import audit


class AuditTrail(TableGroup):
    """Lines are written by ``ivr.store.ledger.record``, inside the transaction that makes the change."""

    @reads
    async def of_call(self, connection: AsyncConnection, call_id: str) -> Sequence[Mapping[str, Any]]:
        """In order, ready for JSON: id, at, actor, action, member (the caller's id), call_id, key, before, after,
        undone. Raises StoreUnavailable."""
        rows = await connection.execute(select(audit).where(audit.c.call_id == call_id).order_by(audit.c.id))
        return [{**row._mapping, "at": row.at.isoformat()} for row in rows]
