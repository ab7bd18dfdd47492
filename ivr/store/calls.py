"""What is kept about calls: one row a call, its timeline, its hand-overs' contexts, where a dropped call may resume."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.call_search import CallSearch, CallsFound
from ivr.record import Entry
from ivr.store.call_search import found_calls, searchable
from ivr.store.database import Database, TableGroup, fit, reads, writes
from ivr.store.tables import call_entries, calls, handoff_contexts, resume_points


class CallLog(TableGroup):
    """Implements ``ivr.ports.CallRecords``. Mappings come back ready for JSON: moments are ISO 8601 in UTC.

    A call reads as its columns (call_id, caller, called, started_at, ended_at, live, outcome, canonical) with what
    begin's ``extra`` and ``update`` brought beside them; ``get`` adds ``entries``. All methods raise StoreUnavailable.
    ``node`` is the service that answers these calls, among those that share the database."""

    def __init__(self, database: Database, now: Callable[[], datetime], node: str = "") -> None:
        super().__init__(database, now)
        self._node = fit(node, 100)

    async def begin(self, call_id: str, caller: str, called: str, at: datetime, extra: Mapping[str, Any]) -> None:
        """A call known already is left as it is."""
        row = {
            "call_id": call_id,
            "caller": fit(caller, 100),
            "called": fit(called, 100),
            "started_at": at,
            "outcome": "",
            "node": self._node,
            "details": dict(extra),
            **searchable(extra),
        }
        try:
            await self._database.write(lambda connection: connection.execute(insert(calls).values(row)))
        except IntegrityError:
            return

    @writes
    async def append_all(self, connection: AsyncConnection, call_id: str, entries: Sequence[Entry]) -> None:
        """Entries of the call's record, in order, in one transaction."""
        rows = [
            {"call_id": call_id, "at": entry.at, "kind": fit(entry.kind, 40), "entry": entry.to_json()}
            for entry in entries
        ]
        await connection.execute(insert(call_entries), rows)

    @writes
    async def update(self, connection: AsyncConnection, /, call_id: str, **changes: Any) -> None:
        """Merge ``changes`` into the call; an unknown call is left alone."""
        this = calls.c.call_id == call_id
        details = (await connection.execute(select(calls.c.details).where(this).with_for_update())).scalar_one_or_none()
        if details is not None:
            await connection.execute(update(calls).where(this).values(details={**details, **changes}))

    @writes
    async def finish(
        self, connection: AsyncConnection, call_id: str, outcome: str, at: datetime, canonical: Mapping[str, Any]
    ) -> None:
        """The first finish counts."""
        unfinished = (calls.c.call_id == call_id) & calls.c.ended_at.is_(None)
        ended = {"outcome": fit(outcome, 60), "ended_at": at, "canonical": dict(canonical), **searchable(canonical)}
        await connection.execute(update(calls).where(unfinished).values(ended))

    @writes
    async def end_unfinished(self, connection: AsyncConnection, outcome: str, before: datetime) -> int:
        """After a crash: this node's calls begun before ``before`` that nobody finished are over; how many.

        So are those from before calls had a node: nobody else would ever end them."""
        ours = (calls.c.node == self._node) | calls.c.node.is_(None)
        lost = ours & calls.c.ended_at.is_(None) & (calls.c.started_at < before)
        ended = update(calls).where(lost).values(outcome=fit(outcome, 60), ended_at=self._now())
        return (await connection.execute(ended)).rowcount

    @reads
    async def get(self, connection: AsyncConnection, call_id: str) -> Mapping[str, Any] | None:
        row = (await connection.execute(select(calls).where(calls.c.call_id == call_id))).one_or_none()
        if row is None:
            return None
        entries = await connection.execute(
            select(call_entries.c.entry).where(call_entries.c.call_id == call_id).order_by(call_entries.c.id)
        )
        return {**_call(row), "entries": list(entries.scalars())}

    @reads
    async def ids(self, connection: AsyncConnection, beginning: str, limit: int = 10) -> Sequence[str]:
        """The calls whose ids begin so, the newest first."""
        query = select(calls.c.call_id).where(calls.c.call_id.startswith(beginning, autoescape=True))
        return list((await connection.execute(query.order_by(calls.c.started_at.desc()).limit(limit))).scalars())

    @reads
    async def recent(
        self, connection: AsyncConnection, limit: int = 50, *, live: bool | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Newest first, without their entries."""
        query = select(calls).order_by(calls.c.started_at.desc(), calls.c.call_id).limit(limit)
        if live is not None:
            query = query.where(calls.c.ended_at.is_(None) if live else calls.c.ended_at.is_not(None))
        return [_call(row) for row in await connection.execute(query)]

    @reads
    async def find(self, connection: AsyncConnection, asked: CallSearch, without: Collection[str] = ()) -> CallsFound:
        """Newest first, without their entries; the totals are of all that match. ``without``: calls left out."""
        rows, totals = await found_calls(connection, asked, without)
        return CallsFound([_call(row) for row in rows], totals)

    @writes
    async def save_resume_point(
        self, connection: AsyncConnection, caller_id: str, snapshot: Mapping[str, Any], at: datetime
    ) -> None:
        await connection.execute(insert(resume_points).values(member=caller_id, snapshot=dict(snapshot), at=at))

    @writes
    async def take_resume_point(
        self, connection: AsyncConnection, caller_id: str, not_before: datetime
    ) -> Mapping[str, Any] | None:
        """The newest snapshot after ``not_before``. All of the caller's snapshots are gone afterwards: the older ones
        are of no use once the newest was resumed, and of two calls asking at once only one gets it."""
        taken = await connection.execute(
            delete(resume_points)
            .where(resume_points.c.member == caller_id)
            .returning(resume_points.c.id, resume_points.c.at, resume_points.c.snapshot)
        )
        fresh = [row for row in taken if row.at >= not_before]
        return dict(max(fresh, key=lambda row: (row.at, row.id)).snapshot) if fresh else None


def _call(row: Any) -> dict[str, Any]:
    columns = ("call_id", "caller", "called", "outcome", "reason", "canonical")
    return {
        **row.details,
        **{name: getattr(row, name) for name in columns},
        "started_at": row.started_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "live": row.ended_at is None,
    }


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class HandoffContexts(TableGroup):
    """Implements ``ivr.ports.ContextStore``: found only by who holds the link.

    Tokens are kept as hashes. All methods raise StoreUnavailable."""

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
