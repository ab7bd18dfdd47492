"""Hand-over contexts, found only by whoever holds the link."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.store.database import TableGroup, reads, writes
from ivr.store.tables import handoff_contexts


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class HandoffContexts(TableGroup):
    """Implements ``ivr.ports.ContextStore``. Tokens are kept as hashes. All methods raise StoreUnavailable."""

    @writes
    async def keep_context(
        self, connection: AsyncConnection, token: str, call_id: str, payload: Mapping[str, Any], expires_at: datetime
    ) -> None:
        row = {"token_hash": _hash(token), "call_id": call_id, "payload": dict(payload), "expires_at": expires_at}
        await connection.execute(insert(handoff_contexts).values(row | {"created_at": self._now()}))

    @reads
    async def context(self, connection: AsyncConnection, token: str) -> Mapping[str, Any] | None:
        """None when the token was never given out, or is too old."""
        kept = handoff_contexts.c
        found = select(kept.payload).where(kept.token_hash == _hash(token), kept.expires_at > self._now())
        payload: Mapping[str, Any] | None = (await connection.execute(found)).scalar_one_or_none()
        return payload
