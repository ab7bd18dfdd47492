"""What is kept about calls: one row a call, and its timeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.call_search import CallSearch, CallsFound
from ivr.events import CALLER_ID
from ivr.ports import CallOpening, Passages
from ivr.record import Entered, Entry
from ivr.store.call_search import found_calls, searchable
from ivr.store.database import Database, fit, insert_new, reads, writes
from ivr.store.lease import LineLease
from ivr.store.resume_points import ResumePointLog
from ivr.store.spool_folder import Write
from ivr.store.tables import call_entries, calls
from ivr.store.writer import Rule, Writer

ABANDONED = "abandoned"  # the outcome of a call whose caller hung up before anything was done


class CallLog(ResumePointLog):
    """Implements ``ivr.ports.CallRecords``. Mappings come back ready for JSON: moments are ISO 8601 in UTC.

    A call reads as its columns (call_id, caller, called, started_at, ended_at, live, outcome, canonical) with what
    begin's ``extra`` and ``update`` brought beside them; ``get`` adds ``entries``. What is written goes through the
    writer; all methods raise StoreUnavailable. ``node`` is the service that answers these calls, among those that share
    the database, ``lease`` its process's, None for one that serves no calls."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], writer: Writer, node: str, lease: LineLease | None
    ) -> None:
        super().__init__(database, now, writer, lease)
        self._node = fit(node, 100)
        self._line = None if lease is None else lease.line

    def begin(self, call_id: str, caller: str, called: str, at: datetime, extra: Mapping[str, Any]) -> Awaitable[None]:
        """A call known already is left as it is."""
        return self._writer.write(Write("begin", self._row(call_id, CallOpening(caller, called, at, extra))))

    def append_all(self, call_id: str, entries: Sequence[Entry], first: int | None = None) -> Awaitable[None]:
        """Entries of the call's record, in order, in one transaction; ``first``: the number of the first in its call.

        One that is there already, by its number, is left as it is."""
        rows = [
            {
                "call_id": call_id,
                "at": entry.at.isoformat(),
                "kind": fit(entry.kind, 40),
                "entry": entry.to_json(),
                "number": None if first is None else first + place,
            }
            for place, entry in enumerate(entries)
        ]
        return self._writer.write(Write("append", {"call_id": call_id, "rows": rows}))

    def update(self, /, call_id: str, **changes: Any) -> Awaitable[None]:
        """Merge ``changes`` into the call; an unknown call is left alone."""
        return self._writer.write(Write("update", {"call_id": call_id, "changes": changes}))

    async def calls_about(self, flow: str, *, caller_id: str, number: str, since: datetime, but: str) -> int:
        """Implements ``ivr.ports.PastCalls``. Of a caller whose id is not known, it may miss what a call of theirs does
        in this very moment."""
        if caller_id:
            await self._settled_of(fit(caller_id, 60), lambda call_id: call_id != but)
        return await self._database.read(
            lambda connection: self._calls_about(connection, flow, caller_id, number, since, but)
        )

    async def _calls_about(
        self, connection: AsyncConnection, flow: str, caller_id: str, number: str, since: datetime, but: str
    ) -> int:
        theirs = [calls.c.caller == number] if number else []
        if caller_id:
            theirs.append(calls.c.details["facts"][CALLER_ID].as_string() == caller_id)
        if not theirs:
            return 0
        came = (call_entries.c.kind == Entered.kind) & call_entries.c.entry["to_state"].as_string().startswith(
            f"{flow}."
        )
        there = select(call_entries.c.id).where(call_entries.c.call_id == calls.c.call_id, came).exists()
        asked = select(func.count()).select_from(calls)
        asked = asked.where(or_(*theirs), calls.c.started_at >= since, calls.c.call_id != but, there)
        return int((await connection.execute(asked)).scalar_one())

    def finish(
        self,
        call_id: str,
        outcome: str,
        at: datetime,
        canonical: Mapping[str, Any],
        opening: CallOpening | None = None,
    ) -> Awaitable[None]:
        """The first finish counts; that a call was lost is no finish. A call that is not known gets its whole row."""
        if opening is None:
            opening = CallOpening("", "", at - timedelta(seconds=_seconds(canonical)), {})
        told = {"canonical": dict(canonical), **searchable(canonical)}
        ended = {"outcome": fit(outcome, 60), "ended_at": at.isoformat(), **told}
        values = {"call_id": call_id, "row": self._row(call_id, opening), "ended": ended}
        return self._ended(call_id, self._writer.write(Write("finish", values)))

    def _row(self, call_id: str, opening: CallOpening) -> dict[str, Any]:
        return {
            "call_id": call_id,
            "caller": fit(opening.caller, 100),
            "called": fit(opening.called, 100),
            "started_at": opening.at.isoformat(),
            "outcome": "",
            "node": self._node,
            "line": self._line,
            "details": dict(opening.details),
            **searchable(opening.details),
        }

    @writes
    async def end_unfinished(self, connection: AsyncConnection, outcome: str, before: datetime) -> int:
        """After a crash: this node's calls begun before ``before`` that nobody finished are over; how many.

        Those of a process that beats are ``LineLease``'s to end. Of those that have none, calls from before they had a
        node are over too, and so is what another node began a day before and never ended: it may have another name now.
        """
        old = calls.c.started_at < before - timedelta(days=1)
        ours = (calls.c.node == self._node) | calls.c.node.is_(None) | old
        lost = ours & calls.c.line.is_(None) & calls.c.ended_at.is_(None) & (calls.c.started_at < before)
        ended = update(calls).where(lost).values(outcome=fit(outcome, 60), ended_at=self._now())
        return (await connection.execute(ended)).rowcount

    @reads
    async def get(self, connection: AsyncConnection, call_id: str) -> Mapping[str, Any] | None:
        row = (await connection.execute(select(calls).where(calls.c.call_id == call_id))).one_or_none()
        if row is None:
            return None
        entries = await connection.execute(
            select(call_entries.c.entry)
            .where(call_entries.c.call_id == call_id)
            .order_by(call_entries.c.number, call_entries.c.id)
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
    async def passages(self, connection: AsyncConnection, since: datetime, most: int) -> Passages:
        """The states that calls begun since then passed; of more than ``most``, the newest."""
        newest = select(calls.c.call_id, calls.c.outcome).where(calls.c.started_at >= since)
        those = newest.order_by(calls.c.started_at.desc(), calls.c.call_id).limit(most).subquery()
        passed = (
            select(those.c.call_id, those.c.outcome, call_entries.c.entry["to_state"].as_string())
            .join(call_entries, call_entries.c.call_id == those.c.call_id)
            .where(call_entries.c.kind == Entered.kind)
            .order_by(those.c.call_id, call_entries.c.number, call_entries.c.id)
        )
        rows = (await connection.execute(passed)).all()
        return Passages(
            [(call_id, str(state or "")) for call_id, _, state in rows],
            frozenset(call_id for call_id, outcome, _ in rows if outcome == ABANDONED),
        )

    @reads
    async def find(self, connection: AsyncConnection, asked: CallSearch, without: Collection[str] = ()) -> CallsFound:
        """Newest first, without their entries; the totals are of all that match. ``without``: calls left out."""
        rows, totals = await found_calls(connection, asked, without)
        return CallsFound([_call(row) for row in rows], totals)


def _call(row: Any) -> dict[str, Any]:
    columns = ("call_id", "caller", "called", "outcome", "reason", "canonical")
    return {
        **row.details,
        **{name: getattr(row, name) for name in columns},
        "started_at": row.started_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "live": row.ended_at is None,
    }


def _seconds(canonical: Mapping[str, Any]) -> float:
    seconds = canonical.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else 0.0


# -- how it is written -----------------------------------------------------------------------------------------


# Made once: building and hashing a statement takes longer than running it.
_THIS = calls.c.call_id == bindparam("this")
_KNOWN = (
    select(calls.c.call_id, calls.c.details)
    .where(calls.c.call_id.in_(bindparam("these", expanding=True)))
    .with_for_update()
)
_CHANGE = update(calls).where(_THIS)
_END = _CHANGE.where(calls.c.canonical.is_(null()))


async def _begin(connection: AsyncConnection, begun: Sequence[Mapping[str, Any]]) -> None:
    rows = [{**row, "started_at": datetime.fromisoformat(row["started_at"])} for row in begun]
    for alike in _alike(rows):
        await connection.execute(insert_new(connection, calls, calls.c.call_id), alike)


async def _append(connection: AsyncConnection, appended: Sequence[Mapping[str, Any]]) -> None:
    rows = [{**row, "at": datetime.fromisoformat(row["at"])} for values in appended for row in values["rows"]]
    await connection.execute(insert_new(connection, call_entries, call_entries.c.call_id, call_entries.c.number), rows)


async def _update(connection: AsyncConnection, updates: Sequence[Mapping[str, Any]]) -> None:
    changes: dict[str, dict[str, Any]] = {}
    for values in updates:
        changes.setdefault(values["call_id"], {}).update(values["changes"])
    known = await connection.execute(_KNOWN, {"these": sorted(changes)})
    merged = [{"this": row.call_id, "details": {**row.details, **changes[row.call_id]}} for row in known]
    if merged:
        await connection.execute(_CHANGE, merged)


async def _finish(connection: AsyncConnection, finished: Sequence[Mapping[str, Any]]) -> None:
    await _begin(connection, [values["row"] for values in finished])
    ends = [
        {
            **values["ended"],
            "ended_at": datetime.fromisoformat(values["ended"]["ended_at"]),
            "this": values["row"]["call_id"],
        }
        for values in finished
    ]
    for alike in _alike(ends):
        await connection.execute(_END, alike)


def _alike(rows: Sequence[Mapping[str, Any]]) -> Collection[Sequence[Mapping[str, Any]]]:
    """``rows`` by the columns that they have: those of one statement."""
    shapes: dict[frozenset[str], list[Mapping[str, Any]]] = {}
    for row in rows:
        shapes.setdefault(frozenset(row), []).append(row)
    return shapes.values()


RULES: Mapping[str, Rule] = {"begin": _begin, "append": _append, "update": _update, "finish": _finish}
