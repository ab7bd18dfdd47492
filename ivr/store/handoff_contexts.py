"""Hand-overs' contexts, found only by who holds the link."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.store.database import Database, TableGroup, insert_new, reads
from ivr.store.spool_folder import Write
from ivr.store.tables import handoff_contexts
from ivr.store.writer import Rule, Writer


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class HandoffContexts(TableGroup):
    """Implements ``ivr.ports.ContextStore``. Tokens are kept as hashes, here and in the spool. All methods raise
    StoreUnavailable."""

    def __init__(self, database: Database, now: Callable[[], datetime], writer: Writer) -> None:
        super().__init__(database, now)
        self._writer = writer

    async def keep_context(self, token: str, call_id: str, payload: Mapping[str, Any], expires_at: datetime) -> bool:
        values = {
            "token_hash": _hash(token),
            "call_id": call_id,
            "payload": dict(payload),
            "expires_at": expires_at.isoformat(),
            "created_at": self._now().isoformat(),
        }
        await self._writer.write(Write("context", values))
        return not self._writer.behind

    @reads
    async def context(self, connection: AsyncConnection, token: str) -> Mapping[str, Any] | None:
        """None when the token was never given out, or is too old."""
        kept = handoff_contexts.c
        found = select(kept.payload).where(kept.token_hash == _hash(token), kept.expires_at > self._now())
        payload: Mapping[str, Any] | None = (await connection.execute(found)).scalar_one_or_none()
        return payload


async def _context(connection: AsyncConnection, contexts: Sequence[Mapping[str, Any]]) -> None:
    moments = ("expires_at", "created_at")
    rows = [values | {name: datetime.fromisoformat(values[name]) for name in moments} for values in map(dict, contexts)]
    await connection.execute(insert_new(connection, handoff_contexts, handoff_contexts.c.token_hash), rows)


RULES: Mapping[str, Rule] = {"context": _context}
