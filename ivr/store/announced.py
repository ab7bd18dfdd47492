"""Announcements in the database: what callers were told of their wait, and how true it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports.line import Announced
from ivr.store.database import TableGroup, insert_new, reads, writes
from ivr.store.tables import announced


class AnnouncementTable(TableGroup):
    """Implements ``ivr.ports.AnnouncementLog``."""

    @writes
    async def keep(self, connection: AsyncConnection, made: Sequence[Announced]) -> None:
        if not made:
            return
        new = insert_new(connection, announced)
        true = {name: new.excluded[name] for name in ("true_wait_s", "kept")}
        # The first truth stays: several processes of a line may see it.
        untold = announced.c.true_wait_s.is_(None)
        keys = (announced.c.place_id, announced.c.at)
        await connection.execute(
            new.on_conflict_do_update(index_elements=keys, set_=true, where=untold), [asdict(each) for each in made]
        )

    @reads
    async def truths(self, connection: AsyncConnection, limit: int) -> Sequence[Announced]:
        known = select(announced).where(announced.c.true_wait_s.is_not(None))
        rows = await _found(connection, known.order_by(announced.c.at.desc()).limit(limit))
        return rows[::-1]

    @reads
    async def told(self, connection: AsyncConnection, place_ids: Sequence[int]) -> Sequence[Announced]:
        return await _found(
            connection, select(announced).where(announced.c.place_id.in_(place_ids)).order_by(announced.c.at)
        )


async def _found(connection: AsyncConnection, query: Select[Any]) -> list[Announced]:
    return [Announced(**row._mapping) for row in await connection.execute(query)]
