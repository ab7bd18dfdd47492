"""Effects happen once and leave a trace: idempotency keys and the audit trail, inside the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import ActionError
from ivr.store.database import fit
from ivr.store.tables import audit, idempotency

Json = dict[str, Any]

LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who does what, when, during which call. ``key`` is unique per intended effect."""

    key: str
    action: str
    call_id: str
    actor: str
    at: datetime


def storable(key: str) -> str:
    """Any text is a key: one that is too long, or not text to the database, is kept as its hash."""
    if fit(key, LONGEST_KEY) == key:
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


async def once(connection: AsyncConnection, stamp: Stamp, effect: Callable[[], Awaitable[Json]]) -> tuple[Json, bool]:
    """(result, repeated). A key seen before returns what it returned then, without the effect.

    Raises ActionError when the key belongs to another action: that is a fault of the flow or of a client."""
    key = storable(stamp.key)
    if connection.dialect.name == "postgresql":
        # Two attempts under one key wait for each other; SQLite's writers do so anyway.
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    known = (
        await connection.execute(select(idempotency.c.action, idempotency.c.result).where(idempotency.c.key == key))
    ).one_or_none()
    if known is not None:
        if known.action != stamp.action:
            raise ActionError(
                f"{stamp.action}: its idempotency key was used by {known.action}",
                remedy="give every intended effect a key of its own",
            )
        return dict(known.result), True
    result = await effect()
    await connection.execute(insert(idempotency).values(key=key, action=stamp.action, result=result, at=stamp.at))
    return result, False


async def record(
    connection: AsyncConnection,
    stamp: Stamp,
    caller_id: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """One line in the audit trail."""
    await connection.execute(
        insert(audit).values(
            at=stamp.at,
            actor=stamp.actor,
            action=stamp.action,
            member=fit(caller_id, 20),
            call_id=stamp.call_id,
            key=storable(stamp.key),
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
        )
    )
