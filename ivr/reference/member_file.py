"""A member's file: every row of the films company that is about one member, and what of it can be forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports.data_subject import KeptRows
from ivr.reference.tables import (
    disc_reports,
    discs,
    goodwill_grants,
    holds,
    member_phones,
    member_pins,
    members,
    note_changes,
    notes,
    queue_entries,
    titles,
)
from ivr.store.database import TableGroup, reads, writes

MEMBERSHIP = "the membership itself, as long as there is one"
SERVICE = "what the membership is judged by, and what it cost"
_STAYS: Mapping[Table, str] = {
    **dict.fromkeys((members, member_phones, member_pins, queue_entries, discs, holds), MEMBERSHIP),
    **dict.fromkeys((disc_reports, goodwill_grants), SERVICE),
}
_HIDDEN = "(not shown)"


class MemberFile(TableGroup):
    """The notes, and what they said before, are the line's own and go; the membership stays."""

    @reads
    async def kept(self, connection: AsyncConnection, number: str) -> Sequence[KeptRows]:
        member = (await connection.execute(select(members).where(members.c.number == number))).one_or_none()
        if member is None:
            return []
        found = [KeptRows("members", [_plain(member._mapping)], MEMBERSHIP)]
        named = {row.id: row.name for row in await connection.execute(select(titles.c.id, titles.c.name))}
        for table in (notes, note_changes, *_STAYS):
            if table is members:
                continue
            theirs = (
                table.c.member_id == member.id
                if table is not note_changes
                else note_changes.c.note_id.in_(select(notes.c.id).where(notes.c.member_id == member.id))
            )
            rows = await connection.execute(select(table).where(theirs).order_by(*table.primary_key))
            shown = [_plain(row._mapping, named) for row in rows]
            found.append(KeptRows(table.name, shown, _STAYS.get(table, "")))
        return found

    @writes
    async def forget(self, connection: AsyncConnection, number: str) -> Mapping[str, int]:
        mine = select(notes.c.id).join(members, members.c.id == notes.c.member_id).where(members.c.number == number)
        ids = list((await connection.execute(mine)).scalars())
        changed = await connection.execute(delete(note_changes).where(note_changes.c.note_id.in_(ids)))
        gone = await connection.execute(delete(notes).where(notes.c.id.in_(ids)))
        return {"notes": gone.rowcount, "note_changes": changed.rowcount}


def _plain(row: Mapping[Any, Any], named: Mapping[int, str] | None = None) -> Mapping[str, Any]:
    """Ready for JSON; titles by name, and no PIN."""
    plain = {str(key): value.isoformat() if hasattr(value, "isoformat") else value for key, value in row.items()}
    if "hash" in plain:
        plain["hash"] = _HIDDEN
    if named and "title_id" in plain:
        plain["title"] = named.get(plain["title_id"], "")
    return plain
