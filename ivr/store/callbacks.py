"""Callback requests in the database: who waits to be called back."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.events import CALLBACK_REQUEST
from ivr.ports import Callback
from ivr.store.database import TableGroup, fit, reads, writes
from ivr.store.ledger import Json, Stamp, once, record
from ivr.store.tables import callbacks


class CallbackRequests(TableGroup):
    """Implements ``ivr.ports.Callbacks``: requested once per ``key``, and audited."""

    @writes
    async def request(
        self,
        connection: AsyncConnection,
        number: str,
        *,
        name: str,
        caller_id: str,
        skill: str,
        wanted: str,
        key: str,
        call_id: str,
    ) -> int:
        stamp = Stamp(key, CALLBACK_REQUEST, call_id, self._now())
        row = {
            "number": fit(number, 40),
            "name": fit(name, 200),
            "member": fit(caller_id, 20),
            "skill": fit(skill, 40),
            "wanted": fit(wanted, 100),
            "call_id": call_id,
            "state": "waiting",
            "created_at": stamp.at,
        }

        async def effect() -> Json:
            inserted = await connection.execute(insert(callbacks).values(row).returning(callbacks.c.id))
            identity = inserted.scalar_one()
            await record(connection, stamp, caller_id, None, {"callback": identity, "skill": skill})
            return {"id": identity}

        return int((await once(connection, stamp, effect))["id"])

    @reads
    async def waiting(self, connection: AsyncConnection) -> Sequence[Callback]:
        columns = (column.label("caller_id") if column.name == "member" else column for column in callbacks.c)
        rows = await connection.execute(select(*columns).where(callbacks.c.state == "waiting").order_by(callbacks.c.id))
        return [Callback(**row._mapping) for row in rows]

    @writes
    async def close(self, connection: AsyncConnection, callback_id: int) -> bool:
        waiting = (callbacks.c.id == callback_id) & (callbacks.c.state == "waiting")
        return bool((await connection.execute(update(callbacks).where(waiting).values(state="done"))).rowcount)
