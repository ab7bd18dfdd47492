"""Messages that callers left, as they were recorded."""

from __future__ import annotations

import secrets

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.store.database import TableGroup, fit, reads, writes
from ivr.store.tables import messages

NAME_BYTES = 24


class MessageStore(TableGroup):
    """Implements ``ivr.ports.Messages``."""

    @writes
    async def keep(self, connection: AsyncConnection, call_id: str, wav: bytes) -> str:
        name = secrets.token_urlsafe(NAME_BYTES)
        row = {"name": name, "call_id": fit(call_id, 100), "at": self._now(), "wav": wav}
        await connection.execute(insert(messages).values(row))
        return name

    @reads
    async def message(self, connection: AsyncConnection, name: str) -> bytes | None:
        found = await connection.execute(select(messages.c.wav).where(messages.c.name == name))
        return found.scalar_one_or_none()
