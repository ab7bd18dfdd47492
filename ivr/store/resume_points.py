"""Where calls may be taken up again should they drop: kept as they go, found by who called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.store.database import Database, TableGroup, fit, insert_new
from ivr.store.lease import LineLease
from ivr.store.spool_folder import Write
from ivr.store.tables import calls, line_processes, resume_points
from ivr.store.writer import Rule, Writer

CLAIM_S = 0.5  # a caller waits for it


class ResumePointLog(TableGroup):
    """Implements ``ivr.ports.ResumePoints``. All methods raise StoreUnavailable."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], writer: Writer, lease: LineLease | None
    ) -> None:
        super().__init__(database, now)
        self._writer = writer
        self._lease = lease
        self._members: dict[str, str] = {}  # by call, of those whose end is not written yet
        self._over_now: set[str] = set()  # of these, the calls that are over

    async def _settled(self) -> None:
        await self._writer.settled()

    async def _settled_of(self, member: str, counts: Callable[[str], bool]) -> None:
        """What is to be written of this member's calls is: of those that ``counts`` says, and of no call ("")."""
        members = self._members

        def about(write: Write) -> bool:
            call_id = str(write.values.get("call_id") or "")
            return member in (write.values.get("member"), members.get(call_id)) and (not call_id or counts(call_id))

        await self._writer.settled(about)

    def _ended(self, call_id: str, written: asyncio.Future[None]) -> asyncio.Future[None]:
        def known(_: asyncio.Future[None]) -> None:
            self._members.pop(call_id, None)
            self._over_now.discard(call_id)

        self._over_now.add(call_id)
        written.add_done_callback(known)
        return written

    def save_resume_point(
        self, caller_id: str, snapshot: Mapping[str, Any], at: datetime, *, call_id: str = ""
    ) -> Awaitable[None]:
        """The place of ``call_id`` so far: one a call."""
        values: dict[str, Any] = {
            "member": fit(caller_id, 60),
            "snapshot": dict(snapshot),
            "at": at.isoformat(),
            "call_id": call_id or None,
        }
        if call_id:
            self._members[call_id] = values["member"]
        return self._writer.write(Write("place", values))

    def forget_resume_point(self, call_id: str) -> Awaitable[None]:
        """That call has no place to take up any more."""
        return self._writer.write(Write("no place", {"call_id": call_id}))

    async def take_resume_point(self, caller_id: str, not_before: datetime) -> Mapping[str, Any] | None:
        """The newest snapshot after ``not_before`` of a call that is over. All of the caller's snapshots but those of
        calls in progress are gone afterwards: the older ones are of no use once the newest was resumed, and of two
        calls asking at once only one gets it.

        Where the database can be read and not written, the snapshot is given and taken out later."""
        member = fit(caller_id, 60)
        await self._settled_of(
            member, self._over_now.__contains__
        )  # what stands there of calls in progress is not read
        found = await self._database.read(lambda connection: self._over(connection, member))
        if not found:
            return None
        ids, newest = [row.id for row in found], max(row.at for row in found)

        async def claim(connection: AsyncConnection) -> list[int]:
            return list((await connection.execute(_claim(ids, newest))).scalars())

        try:
            ours = set(await self._database.write(claim, timeout_s=CLAIM_S))
        except StoreUnavailable:
            ours = set(ids)
            await self._writer.write(Write("claimed", {"ids": ids, "at": newest.isoformat()}))
        fresh = [row for row in found if row.id in ours and row.at >= not_before]
        return dict(max(fresh, key=lambda row: (row.at, row.id)).snapshot) if fresh else None

    async def _over(self, connection: AsyncConnection, member: str) -> list[Row[Any]]:
        points = resume_points.c
        silent = self._lease.silent if self._lease is not None else ()
        live = select(calls.c.call_id).where(calls.c.call_id == points.call_id, _alive(silent))
        query = select(points.id, points.at, points.snapshot).where(points.member == member, ~live.exists())
        return list(await connection.execute(query))


def _alive(silent: Collection[str]) -> ColumnElement[bool]:
    beating = select(line_processes.c.id).where(line_processes.c.id.not_in(list(silent)))
    return calls.c.ended_at.is_(None) & calls.c.line.in_(beating)


def _claim(ids: Collection[int], newest: datetime) -> Any:
    """``newest``: SQLite gives an id to somebody else later."""
    points = resume_points.c
    return delete(resume_points).where(points.id.in_(ids), points.at <= newest).returning(points.id)


# -- how it is written -----------------------------------------------------------------------------------------


async def _place(connection: AsyncConnection, places: Sequence[Mapping[str, Any]]) -> None:
    rows = [{**values, "at": datetime.fromisoformat(values["at"])} for values in places]
    insert = insert_new(connection, resume_points)
    newer = {name: insert.excluded[name] for name in ("member", "snapshot", "at")}
    of_calls = insert.on_conflict_do_update(index_elements=[resume_points.c.call_id], set_=newer)
    for statement, those in (
        (of_calls, [row for row in rows if row["call_id"] is not None]),
        (insert, [row for row in rows if row["call_id"] is None]),
    ):
        if those:
            await connection.execute(statement, those)


async def _no_place(connection: AsyncConnection, gone: Sequence[Mapping[str, Any]]) -> None:
    these = [values["call_id"] for values in gone]
    await connection.execute(delete(resume_points).where(resume_points.c.call_id.in_(these)))


async def _claimed(connection: AsyncConnection, claimed: Sequence[Mapping[str, Any]]) -> None:
    for values in claimed:
        await connection.execute(_claim(values["ids"], datetime.fromisoformat(values["at"])))


RULES: Mapping[str, Rule] = {"place": _place, "no place": _no_place, "claimed": _claimed}
