"""Recordings as they are kept in the database: whose they are, how long, and who played or deleted them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports import AuditEvent, RecordingRow
from ivr.store.audit_log import append
from ivr.store.database import TableGroup, fit, reads, writes
from ivr.store.tables import recordings

PLAYED, DELETED = "recording.played", "recording.deleted"
_ROW = select(recordings)
_LATEST = recordings.c.started_at.desc(), recordings.c.name


def _row(found: object) -> RecordingRow:
    values = dict(found._mapping)  # type: ignore[attr-defined]  # a Row of the table
    return RecordingRow(**{**values, "agents": tuple(values["agents"])})


class RecordingTable(TableGroup):
    """Methods raise StoreUnavailable."""

    @writes
    async def add(self, connection: AsyncConnection, row: RecordingRow) -> None:
        values = {
            "name": row.name,
            "kind": row.kind,
            "call_id": fit(row.call_id, 100),
            "caller_id": fit(row.caller_id, 40),
            "agents": list(row.agents),
            "started_at": row.started_at,
            "seconds": row.seconds,
            "key": row.key,
            "ended": fit(row.ended, 100),
        }
        await connection.execute(insert(recordings).values(values))

    @writes
    async def finish(
        self, connection: AsyncConnection, name: str, seconds: float, ended: str, agents: Sequence[str]
    ) -> None:
        values = {"seconds": seconds, "ended": fit(ended, 100), "agents": list(agents)}
        await connection.execute(update(recordings).where(recordings.c.name == name).values(values))

    @reads
    async def unfinished(self, connection: AsyncConnection) -> Sequence[RecordingRow]:
        """Those without an end, whoever writes them."""
        return [_row(row) for row in await connection.execute(_ROW.where(recordings.c.ended == ""))]

    @writes
    async def broken_off(self, connection: AsyncConnection, name: str, seconds: float, ended: str) -> bool:
        """False: it has an end, or was deleted, meanwhile."""
        goes_on = (recordings.c.name == name) & (recordings.c.ended == "")
        values = {"seconds": seconds, "ended": fit(ended, 100)}
        return bool((await connection.execute(update(recordings).where(goes_on).values(values))).rowcount)

    @reads
    async def find(self, connection: AsyncConnection, name: str) -> RecordingRow | None:
        found = (await connection.execute(_ROW.where(recordings.c.name == name))).one_or_none()
        return None if found is None else _row(found)

    @reads
    async def of_call(self, connection: AsyncConnection, call_id: str) -> Sequence[RecordingRow]:
        """In order."""
        rows = await connection.execute(_ROW.where(recordings.c.call_id == call_id).order_by(recordings.c.started_at))
        return [_row(row) for row in rows]

    @reads
    async def all(
        self, connection: AsyncConnection, *, caller_id: str = "", before: datetime | None = None, limit: int = 1000
    ) -> Sequence[RecordingRow]:
        """The newest first; those of ``caller_id`` alone, those begun ``before`` that are over."""
        wanted = _ROW.order_by(*_LATEST).limit(limit)
        if caller_id:
            wanted = wanted.where(recordings.c.caller_id == caller_id)
        if before is not None:
            wanted = wanted.where(recordings.c.started_at < before, recordings.c.ended != "")
        return [_row(row) for row in await connection.execute(wanted)]

    @writes
    async def sealed(self, connection: AsyncConnection, name: str, key: str) -> None:
        """By this key now."""
        other = (recordings.c.name == name) & (recordings.c.key != key)
        await connection.execute(update(recordings).where(other).values(key=key))

    @writes
    async def played(self, connection: AsyncConnection, row: RecordingRow, by: str) -> None:
        await self._audit(connection, PLAYED, row, by, "")

    @writes
    async def delete(self, connection: AsyncConnection, row: RecordingRow, by: str, why: str) -> bool:
        """False: somebody else deleted it meanwhile."""
        gone = await connection.execute(delete(recordings).where(recordings.c.name == row.name))
        if gone.rowcount:
            await self._audit(connection, DELETED, row, by, why)
        return bool(gone.rowcount)

    async def _audit(self, connection: AsyncConnection, what: str, row: RecordingRow, by: str, why: str) -> None:
        details = {"recording": row.name, "kind": row.kind} | ({"why": why} if why else {})
        before, after = (details, None) if what == DELETED else (None, details)
        await append(connection, AuditEvent(by, what, row.call_id, before, after), self._now())
