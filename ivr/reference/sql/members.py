"""Members in the database: who they are, what they keep in their queue, what is at their home."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports import ActionCall
from ivr.reference.backend import Change
from ivr.reference.records import MemberProfile, Note, Title, digits_of
from ivr.reference.sql.changes import change_once
from ivr.reference.tables import disc_reports, discs, holds, member_phones, members, notes, queue_entries, titles
from ivr.store.database import TableGroup, reads, writes
from ivr.store.ledger import Json, Stamp

FEWEST_DIGITS = 7
_TITLE = select(titles.c.id, titles.c.name, titles.c.year, titles.c.director, titles.c.spoken)


def _title(row: Any) -> Title:
    return Title(row.id, row.name, row.year, row.director, tuple(row.spoken))


class SqlFilms(TableGroup):
    """Implements ``ivr.reference.backend.Backend``."""

    @reads
    async def profile(self, connection: AsyncConnection, number: str) -> MemberProfile | None:
        member = (await connection.execute(select(members).where(members.c.number == number))).one_or_none()
        if member is None:
            return None
        queue = await connection.execute(
            _TITLE.join(queue_entries, queue_entries.c.title_id == titles.c.id)
            .where(queue_entries.c.member_id == member.id)
            .order_by(queue_entries.c.position)
        )
        at_home = await connection.execute(
            _TITLE.join(discs, discs.c.title_id == titles.c.id)
            .where(discs.c.member_id == member.id, discs.c.state == "out")
            .order_by(discs.c.shipped_at, discs.c.id)
        )
        damaged = (disc_reports.c.member_id == member.id) & (disc_reports.c.kind == "damaged")
        counts = await connection.execute(
            select(
                select(func.count()).select_from(disc_reports).where(damaged).scalar_subquery(),
                select(func.count()).select_from(notes).where(notes.c.member_id == member.id).scalar_subquery(),
                select(holds.c.until).where(holds.c.member_id == member.id).scalar_subquery(),
            )
        )
        damaged_reports, note_count, hold_until = counts.one()
        return MemberProfile(
            **{name: given for name, given in member._mapping.items() if name != "id"},
            queue=tuple(_title(row) for row in queue),
            discs=tuple(_title(row) for row in at_home),
            damaged_reports=damaged_reports,
            notes=note_count,
            hold_until=hold_until,
        )

    @reads
    async def numbers_by_phone(self, connection: AsyncConnection, phone: str) -> Sequence[str]:
        wanted = digits_of(phone)
        if len(wanted) < FEWEST_DIGITS:
            return ()
        rows = await connection.execute(
            select(members.c.number)
            .join(member_phones, member_phones.c.member_id == members.c.id)
            .where(member_phones.c.number == wanted)
            .order_by(members.c.number)
        )
        return rows.scalars().all()

    @reads
    async def titles(self, connection: AsyncConnection) -> Sequence[Title]:
        return [_title(row) for row in await connection.execute(_TITLE.order_by(titles.c.name, titles.c.year))]

    @reads
    async def title(self, connection: AsyncConnection, title_id: int) -> Title | None:
        row = (await connection.execute(_TITLE.where(titles.c.id == title_id))).one_or_none()
        return None if row is None else _title(row)

    @reads
    async def count(self, connection: AsyncConnection) -> int:
        return (await connection.execute(select(func.count()).select_from(members))).scalar_one()

    @reads
    async def notes(self, connection: AsyncConnection, member: str) -> Sequence[Note]:
        rows = await connection.execute(
            select(notes.c.kind, notes.c.text, notes.c.by, notes.c.created_at)
            .join(members, members.c.id == notes.c.member_id)
            .where(members.c.number == member)
            .order_by(notes.c.created_at, notes.c.id)
        )
        return [Note(*row) for row in rows]

    @writes
    async def change(self, connection: AsyncConnection, member: str, call: ActionCall, change: Change) -> Json:
        return await change_once(connection, member, Stamp(call.key, call.name, call.call_id, self._now()), change)
