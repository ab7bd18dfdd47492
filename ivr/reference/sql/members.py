"""Members in the database: who they are, what they keep in their queue, what is at their home."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.reference.records import MemberProfile, Title, digits_of
from ivr.reference.tables import disc_reports, discs, holds, member_phones, members, notes, queue_entries, titles
from ivr.store.database import Database


def _title(row: Any) -> Title:
    return Title(row.id, row.name, row.year, row.director, tuple(row.spoken))


_TITLE_COLUMNS = (titles.c.id, titles.c.name, titles.c.year, titles.c.director, titles.c.spoken)


async def _profile(connection: AsyncConnection, number: str) -> MemberProfile | None:
    member = (await connection.execute(select(members).where(members.c.number == number))).one_or_none()
    if member is None:
        return None
    queue = await connection.execute(
        select(*_TITLE_COLUMNS)
        .join(queue_entries, queue_entries.c.title_id == titles.c.id)
        .where(queue_entries.c.member_id == member.id)
        .order_by(queue_entries.c.position)
    )
    at_home = await connection.execute(
        select(*_TITLE_COLUMNS)
        .join(discs, discs.c.title_id == titles.c.id)
        .where(discs.c.member_id == member.id, discs.c.state == "out")
        .order_by(discs.c.shipped_at, discs.c.id)
    )
    counts = (
        await connection.execute(
            select(
                select(func.count())
                .select_from(disc_reports)
                .where(disc_reports.c.member_id == member.id, disc_reports.c.kind == "damaged")
                .scalar_subquery(),
                select(func.count()).select_from(notes).where(notes.c.member_id == member.id).scalar_subquery(),
                select(holds.c.until).where(holds.c.member_id == member.id).scalar_subquery(),
            )
        )
    ).one()
    return MemberProfile(
        number=member.number,
        name=member.name,
        first_name=member.first_name,
        plan=member.plan,
        since=member.since,
        language=member.language,
        credit_cents=member.credit_cents,
        queue_version=member.queue_version,
        queue=tuple(_title(row) for row in queue),
        discs=tuple(_title(row) for row in at_home),
        damaged_reports=counts[0],
        notes=counts[1],
        hold_until=counts[2],
    )


class SqlMembership:
    """Implements ``ivr.reference.backend.Membership``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def profile(self, number: str) -> MemberProfile | None:
        return await self._database.read(lambda connection: _profile(connection, number))

    async def numbers_by_phone(self, phone: str) -> Sequence[str]:
        wanted = digits_of(phone)
        if len(wanted) < 7:
            return ()

        async def work(connection: AsyncConnection) -> Sequence[str]:
            rows = await connection.execute(
                select(members.c.number)
                .join(member_phones, member_phones.c.member_id == members.c.id)
                .where(member_phones.c.number == wanted)
                .order_by(members.c.number)
            )
            return rows.scalars().all()

        return await self._database.read(work)

    async def titles(self) -> Sequence[Title]:
        async def work(connection: AsyncConnection) -> Sequence[Title]:
            rows = await connection.execute(select(*_TITLE_COLUMNS).order_by(titles.c.name, titles.c.year))
            return [_title(row) for row in rows]

        return await self._database.read(work)

    async def title(self, title_id: int) -> Title | None:
        async def work(connection: AsyncConnection) -> Title | None:
            row = (await connection.execute(select(*_TITLE_COLUMNS).where(titles.c.id == title_id))).one_or_none()
            return None if row is None else _title(row)

        return await self._database.read(work)

    async def count(self) -> int:
        async def work(connection: AsyncConnection) -> int:
            return int((await connection.execute(select(func.count()).select_from(members))).scalar_one())

        return await self._database.read(work)
