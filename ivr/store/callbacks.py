"""Callback requests in the database: who waits to be called back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports import Callback
from ivr.store.database import Database, fit
from ivr.store.ledger import Stamp, once, record
from ivr.store.tables import callbacks


class CallbackRequests:
    """Implements ``ivr.ports.Callbacks``: requested once per ``key``, and audited."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def request(
        self, number: str, *, name: str, caller_id: str, skill: str, wanted: str, key: str, call_id: str
    ) -> int:
        stamp = Stamp(key, "callback.request", call_id, "caller", self._now())

        async def work(connection: AsyncConnection) -> int:
            async def effect() -> dict[str, Any]:
                inserted = await connection.execute(
                    insert(callbacks)
                    .values(
                        number=fit(number, 40),
                        name=fit(name, 200),
                        member=fit(caller_id, 20),
                        skill=fit(skill, 40),
                        wanted=fit(wanted, 100),
                        call_id=call_id,
                        state="waiting",
                        created_at=stamp.at,
                    )
                    .returning(callbacks.c.id)
                )
                identity = inserted.scalar_one()
                await record(connection, stamp, caller_id, None, {"callback": identity, "skill": skill})
                return {"id": identity}

            result, _ = await once(connection, stamp, effect)
            return int(result["id"])

        return await self._database.write(work)

    async def waiting(self) -> Sequence[Callback]:
        async def work(connection: AsyncConnection) -> Sequence[Callback]:
            columns = (column.label("caller_id") if column.name == "member" else column for column in callbacks.c)
            rows = await connection.execute(
                select(*columns).where(callbacks.c.state == "waiting").order_by(callbacks.c.id)
            )
            return [Callback(**row._mapping) for row in rows]

        return await self._database.read(work)

    async def close(self, callback_id: int, state: str = "done") -> bool:
        async def work(connection: AsyncConnection) -> bool:
            done = await connection.execute(
                update(callbacks)
                .where(callbacks.c.id == callback_id, callbacks.c.state == "waiting")
                .values(state=state)
            )
            return bool(done.rowcount)

        return await self._database.write(work)
