"""Effects happen once and leave a trace: idempotency keys and the audit trail, inside the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import ActionError
from ivr.store.database import TableGroup, fit, reads
from ivr.store.tables import audit, idempotency

Json = dict[str, Any]

LONGEST_KEY = 200
LONGEST_CALL_ID = 100


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who does what, when, during which call. ``key`` is unique per intended effect."""

    key: str
    action: str
    call_id: str
    at: datetime
    actor: str = "caller"

    def must_be(self, action: str) -> None:
        """Raises ActionError when the key was used by another ``action``: a fault of the flow or of a client."""
        if action != self.action:
            raise ActionError(
                f"{self.action}: its idempotency key was used by {action}",
                remedy="give every intended effect a key of its own",
            )


def storable(key: str) -> str:
    """Any text is a key: one that is too long, or not text to the database, is kept as its hash."""
    if fit(key, LONGEST_KEY) == key:
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


async def once(connection: AsyncConnection, stamp: Stamp, effect: Callable[[], Awaitable[Json]]) -> Json:
    """What the effect returns. A key seen before returns what it returned then, without the effect.

    Raises ActionError when the key belongs to another action."""
    key = storable(stamp.key)
    if connection.dialect.name == "postgresql":
        # Two attempts under one key wait for each other; SQLite's writers do so anyway.
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    known = (await connection.execute(select(idempotency).where(idempotency.c.key == key))).one_or_none()
    if known is not None:
        stamp.must_be(known.action)
        return dict(known.result)
    result = await effect()
    await connection.execute(insert(idempotency).values(key=key, action=stamp.action, result=result, at=stamp.at))
    return result


async def record(
    connection: AsyncConnection, stamp: Stamp, caller_id: str, before: Json | None, after: Json | None
) -> None:
    """One line in the audit trail."""
    line = {
        "at": stamp.at,
        "actor": stamp.actor,
        "action": stamp.action,
        "member": fit(caller_id, 20),
        "call_id": fit(stamp.call_id, LONGEST_CALL_ID),
        "key": storable(stamp.key),
        "before": before,
        "after": after,
    }
    await connection.execute(insert(audit).values(line))


class AuditTrail(TableGroup):
    """The trail, read. Lines are written by ``record``, inside the transaction that makes the change."""

    @reads
    async def of_call(self, connection: AsyncConnection, call_id: str) -> Sequence[Mapping[str, Any]]:
        """In order, ready for JSON: id, at, actor, action, member (the caller's id), call_id, key, before, after,
        undone. Raises StoreUnavailable."""
        rows = await connection.execute(select(audit).where(audit.c.call_id == call_id).order_by(audit.c.id))
        return [{**row._mapping, "at": row.at.isoformat()} for row in rows]
