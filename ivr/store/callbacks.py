"""Callback requests in the database: who waits to be called back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.events import CALLBACK_REQUEST
from ivr.ports import Callback
from ivr.store.database import Database, TableGroup, fit, reads, writes
from ivr.store.ledger import Json, Stamp, once, record
from ivr.store.spool_folder import Write
from ivr.store.tables import callbacks
from ivr.store.writer import Rule, Writer


class CallbackRequests(TableGroup):
    """Implements ``ivr.ports.Callbacks``: requested once per ``key``, and audited."""

    def __init__(self, database: Database, now: Callable[[], datetime], writer: Writer) -> None:
        super().__init__(database, now)
        self._writer = writer

    async def request(
        self, number: str, *, name: str, caller_id: str, skill: str, wanted: str, key: str, call_id: str
    ) -> int:
        """0 for one that the database does not know yet: it is on disk, so that the promise will be kept."""
        values = {
            "key": key,
            "number": fit(number, 40),
            "name": fit(name, 200),
            "member": fit(caller_id, 20),
            "skill": fit(skill, 40),
            "wanted": fit(wanted, 100),
            "call_id": call_id,
            "created_at": self._now().isoformat(),
        }
        if not self._writer.behind:
            try:
                return await self._database.write(lambda connection: _requested(connection, values))
            except StoreUnavailable:
                pass
        await self._writer.promise(Write("callback", values))
        return 0

    @reads
    async def waiting(self, connection: AsyncConnection) -> Sequence[Callback]:
        columns = (column.label("caller_id") if column.name == "member" else column for column in callbacks.c)
        rows = await connection.execute(select(*columns).where(callbacks.c.state == "waiting").order_by(callbacks.c.id))
        return [Callback(**row._mapping) for row in rows]

    @writes
    async def close(self, connection: AsyncConnection, callback_id: int) -> bool:
        waiting = (callbacks.c.id == callback_id) & (callbacks.c.state == "waiting")
        return bool((await connection.execute(update(callbacks).where(waiting).values(state="done"))).rowcount)


async def _requested(connection: AsyncConnection, values: Mapping[str, Any]) -> int:
    stamp = Stamp(values["key"], CALLBACK_REQUEST, values["call_id"], datetime.fromisoformat(values["created_at"]))
    row = {name: value for name, value in values.items() if name != "key"}

    async def effect() -> Json:
        waits = row | {"state": "waiting", "created_at": stamp.at}
        identity = (await connection.execute(insert(callbacks).values(waits).returning(callbacks.c.id))).scalar_one()
        await record(connection, stamp, row["member"], None, {"callback": identity, "skill": row["skill"]})
        return {"id": identity}

    return int((await once(connection, stamp, effect))["id"])


async def _request(connection: AsyncConnection, requests: Sequence[Mapping[str, Any]]) -> None:
    for values in requests:
        await _requested(connection, values)


RULES: Mapping[str, Rule] = {"callback": _request}
