"""Hand-over contexts, found only by whoever holds the link."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.store.database import Database
from ivr.store.tables import handoff_contexts


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class HandoffContexts:
    """Implements ``ivr.ports.ContextStore``. Tokens are kept as hashes. All methods raise StoreUnavailable."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def keep_context(self, token: str, call_id: str, payload: Mapping[str, Any], expires_at: datetime) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                insert(handoff_contexts).values(
                    token_hash=_hash(token),
                    call_id=call_id,
                    payload=dict(payload),
                    created_at=self._now(),
                    expires_at=expires_at,
                )
            )

        await self._database.write(work)

    async def context(self, token: str) -> Mapping[str, Any] | None:
        """None when the token was never given out, or is too old."""

        async def work(connection: AsyncConnection) -> Mapping[str, Any] | None:
            payload = (
                await connection.execute(
                    select(handoff_contexts.c.payload).where(
                        handoff_contexts.c.token_hash == _hash(token), handoff_contexts.c.expires_at > self._now()
                    )
                )
            ).scalar_one_or_none()
            return None if payload is None else dict(payload)

        return await self._database.read(work)
