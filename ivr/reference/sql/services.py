"""Replacement discs, notes kept about members, and holds, in the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import ActionError
from ivr.reference.records import DiscReport, Note
from ivr.reference.tables import disc_reports, discs, holds, members, notes
from ivr.store.database import Database, fit
from ivr.store.ledger import Stamp, once, record


class SqlServices:
    """Implements ``ivr.reference.backend.Services``."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def report_disc(
        self, member: str, title_id: int, kind: str, *, key: str, call_id: str, actor: str = "caller"
    ) -> DiscReport:
        stamp = Stamp(key, "disc.report", call_id, actor, self._now())

        async def work(connection: AsyncConnection) -> DiscReport:
            async def effect() -> dict[str, Any]:
                member_id = await _lock_member(connection, member)
                disc_id = (
                    await connection.execute(
                        select(discs.c.id)
                        .where(discs.c.member_id == member_id, discs.c.title_id == title_id, discs.c.state == "out")
                        .order_by(discs.c.shipped_at, discs.c.id)
                        .limit(1)
                    )
                ).scalar_one_or_none()
                if disc_id is None:
                    return {"outcome": "not_out", "damaged_reports": await _damaged(connection, member_id)}
                await connection.execute(update(discs).where(discs.c.id == disc_id).values(state=kind))
                await connection.execute(
                    insert(discs).values(
                        member_id=member_id, title_id=title_id, state="out", shipped_at=stamp.at, replaces_id=disc_id
                    )
                )
                await connection.execute(
                    insert(disc_reports).values(
                        member_id=member_id, disc_id=disc_id, title_id=title_id, kind=kind, at=stamp.at, call_id=call_id
                    )
                )
                await record(
                    connection,
                    stamp,
                    member,
                    {"disc": disc_id, "state": "out"},
                    {"disc": disc_id, "state": kind, "title": title_id, "replacement": True},
                )
                return {"outcome": "ok", "damaged_reports": await _damaged(connection, member_id)}

            result, repeated = await once(connection, stamp, effect)
            return DiscReport(result["outcome"], result["damaged_reports"], repeated)

        return await self._database.write(work)

    async def notes(self, member: str) -> Sequence[Note]:
        async def work(connection: AsyncConnection) -> Sequence[Note]:
            rows = await connection.execute(
                select(notes.c.id, notes.c.kind, notes.c.text, notes.c.by, notes.c.created_at)
                .join(members, members.c.id == notes.c.member_id)
                .where(members.c.number == member)
                .order_by(notes.c.created_at, notes.c.id)
            )
            return [Note(*row) for row in rows]

        return await self._database.read(work)

    async def add_note(
        self, member: str, text: str, *, kind: str, key: str, call_id: str, actor: str = "caller"
    ) -> None:
        stamp = Stamp(key, "notes.add", call_id, actor, self._now())

        async def work(connection: AsyncConnection) -> None:
            async def effect() -> dict[str, Any]:
                member_id = await _lock_member(connection, member)
                await connection.execute(
                    insert(notes).values(
                        member_id=member_id, kind=fit(kind, 40), text=fit(text, 4000), by=actor, created_at=stamp.at
                    )
                )
                # The words stay out of the trail: a member who has notes deleted must find them gone everywhere.
                await record(connection, stamp, member, None, {"kind": kind})
                return {}

            await once(connection, stamp, effect)

        await self._database.write(work)

    async def delete_notes(self, member: str, *, key: str, call_id: str, actor: str = "caller") -> int:
        stamp = Stamp(key, "notes.delete_all", call_id, actor, self._now())

        async def work(connection: AsyncConnection) -> int:
            async def effect() -> dict[str, Any]:
                member_id = await _lock_member(connection, member)
                gone = await connection.execute(delete(notes).where(notes.c.member_id == member_id))
                if gone.rowcount:
                    await record(connection, stamp, member, {"notes": gone.rowcount}, {"notes": 0})
                return {"count": gone.rowcount}

            result, _ = await once(connection, stamp, effect)
            return int(result["count"])

        return await self._database.write(work)

    async def hold_deliveries(self, member: str, until: date, *, key: str, call_id: str, actor: str = "caller") -> None:
        stamp = Stamp(key, "hold.deliveries", call_id, actor, self._now())

        async def work(connection: AsyncConnection) -> None:
            async def effect() -> dict[str, Any]:
                member_id = await _lock_member(connection, member)
                before = (
                    await connection.execute(select(holds.c.until).where(holds.c.member_id == member_id))
                ).scalar_one_or_none()
                await connection.execute(delete(holds).where(holds.c.member_id == member_id))
                await connection.execute(insert(holds).values(member_id=member_id, until=until, at=stamp.at))
                await record(
                    connection,
                    stamp,
                    member,
                    {"until": before.isoformat()} if before else None,
                    {"until": until.isoformat()},
                )
                return {}

            await once(connection, stamp, effect)

        await self._database.write(work)


async def _lock_member(connection: AsyncConnection, member: str) -> int:
    identity = (
        await connection.execute(select(members.c.id).where(members.c.number == member).with_for_update())
    ).scalar_one_or_none()
    if identity is None:
        raise ActionError("no such member", remedy="identify the caller first")
    return int(identity)


async def _damaged(connection: AsyncConnection, member_id: int) -> int:
    count = await connection.execute(
        select(func.count())
        .select_from(disc_reports)
        .where(disc_reports.c.member_id == member_id, disc_reports.c.kind == "damaged")
    )
    return int(count.scalar_one())
