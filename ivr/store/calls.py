"""What is kept about calls: one row a call, its timeline, and where a dropped call may resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.record import Entry
from ivr.store.database import Database, fit
from ivr.store.tables import call_entries, calls, resume_points


class CallLog:
    """Implements ``ivr.ports.CallRecords``. Mappings come back ready for JSON: moments are ISO 8601 in UTC.

    A call reads as its columns (call_id, caller, called, started_at, ended_at, live, outcome, canonical) with what
    begin's ``extra`` and ``update`` brought beside them; ``get`` adds ``entries``. All methods raise StoreUnavailable.
    ``node`` is the service that answers these calls, among those that share the database.
    """

    def __init__(self, database: Database, now: Callable[[], datetime], node: str = "") -> None:
        self._node = fit(node, 100)
        self._database = database
        self._now = now

    async def begin(self, call_id: str, caller: str, called: str, at: datetime, extra: Mapping[str, Any]) -> None:
        """A call known already is left as it is."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                insert(calls).values(
                    call_id=call_id,
                    caller=fit(caller, 100),
                    called=fit(called, 100),
                    started_at=at,
                    outcome="",
                    node=self._node,
                    details=dict(extra),
                )
            )

        try:
            await self._database.write(work)
        except IntegrityError:
            return

    async def append_all(self, call_id: str, entries: Sequence[Entry]) -> None:
        """Entries of the call's record, in order, in one transaction."""
        if not entries:
            return
        rows = [
            {"call_id": call_id, "at": entry.at, "kind": fit(entry.kind, 40), "entry": entry.to_json()}
            for entry in entries
        ]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(call_entries), rows)

        await self._database.write(work)

    async def update(self, call_id: str, **changes: Any) -> None:
        """Merge ``changes`` into the call; an unknown call is left alone."""

        async def work(connection: AsyncConnection) -> None:
            details = (
                await connection.execute(select(calls.c.details).where(calls.c.call_id == call_id).with_for_update())
            ).scalar_one_or_none()
            if details is not None:
                await connection.execute(
                    update(calls).where(calls.c.call_id == call_id).values(details={**details, **changes})
                )

        await self._database.write(work)

    async def finish(self, call_id: str, outcome: str, at: datetime, canonical: Mapping[str, Any]) -> None:
        """The first finish counts."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                update(calls)
                .where(calls.c.call_id == call_id, calls.c.ended_at.is_(None))
                .values(outcome=fit(outcome, 60), ended_at=at, canonical=dict(canonical))
            )

        await self._database.write(work)

    async def end_unfinished(self, outcome: str, before: datetime) -> int:
        """After a crash: this node's calls begun before ``before`` that nobody finished are over; how many."""

        async def work(connection: AsyncConnection) -> int:
            ended = await connection.execute(
                update(calls)
                .where(calls.c.node == self._node, calls.c.ended_at.is_(None), calls.c.started_at < before)
                .values(outcome=fit(outcome, 60), ended_at=self._now())
            )
            return ended.rowcount

        return await self._database.write(work)

    async def get(self, call_id: str) -> Mapping[str, Any] | None:
        async def work(connection: AsyncConnection) -> Mapping[str, Any] | None:
            row = (await connection.execute(select(calls).where(calls.c.call_id == call_id))).one_or_none()
            if row is None:
                return None
            entries = await connection.execute(
                select(call_entries.c.entry).where(call_entries.c.call_id == call_id).order_by(call_entries.c.id)
            )
            return {**_call(row), "entries": list(entries.scalars())}

        return await self._database.read(work)

    async def recent(self, limit: int = 50, *, live: bool | None = None) -> Sequence[Mapping[str, Any]]:
        """Newest first, without their entries."""

        async def work(connection: AsyncConnection) -> Sequence[Mapping[str, Any]]:
            query = select(calls).order_by(calls.c.started_at.desc(), calls.c.call_id).limit(limit)
            if live is not None:
                query = query.where(calls.c.ended_at.is_(None) if live else calls.c.ended_at.is_not(None))
            return [_call(row) for row in await connection.execute(query)]

        return await self._database.read(work)

    async def save_resume_point(self, caller_id: str, snapshot: Mapping[str, Any], at: datetime) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(resume_points).values(member=caller_id, snapshot=dict(snapshot), at=at))

        await self._database.write(work)

    async def take_resume_point(self, caller_id: str, not_before: datetime) -> Mapping[str, Any] | None:
        """The newest snapshot after ``not_before``. All of the caller's snapshots are gone afterwards: the older ones
        are of no use once the newest was resumed, and of two calls asking at once only one gets it."""

        async def work(connection: AsyncConnection) -> Mapping[str, Any] | None:
            taken = await connection.execute(
                delete(resume_points)
                .where(resume_points.c.member == caller_id)
                .returning(resume_points.c.id, resume_points.c.at, resume_points.c.snapshot)
            )
            fresh = [row for row in taken if row.at >= not_before]
            return dict(max(fresh, key=lambda row: (row.at, row.id)).snapshot) if fresh else None

        return await self._database.write(work)


def _call(row: Any) -> dict[str, Any]:
    return {
        **row.details,
        "call_id": row.call_id,
        "caller": row.caller,
        "called": row.called,
        "started_at": row.started_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "live": row.ended_at is None,
        "outcome": row.outcome,
        "canonical": row.canonical,
    }
