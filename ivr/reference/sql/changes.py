"""One member's records in the database while a change is made: one transaction, with the member's row locked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.reference.backend import QUEUE_SCOPE, UNDO, Change, QueueEdit, no_such_member
from ivr.reference.ordering import Order
from ivr.reference.tables import disc_reports, discs, holds, members, notes, queue_entries
from ivr.store.database import fit
from ivr.store.ledger import Json, Stamp, once, record
from ivr.store.tables import audit


async def change_once(connection: AsyncConnection, number: str, stamp: Stamp, change: Change) -> Json:
    async def effect() -> Json:
        row = await connection.execute(select(members.c.id).where(members.c.number == number).with_for_update())
        member_id = row.scalar_one_or_none()
        if member_id is None:
            raise no_such_member()
        return await change(SqlRecords(connection, number, member_id, stamp))

    return await once(connection, stamp, effect)


@dataclass(frozen=True, slots=True)
class SqlRecords:
    """Implements ``ivr.reference.backend.MemberRecords``."""

    connection: AsyncConnection
    number: str
    member_id: int
    stamp: Stamp

    async def queue(self) -> Order:
        kept = queue_entries.c
        rows = await self.connection.execute(
            select(kept.title_id).where(kept.member_id == self.member_id).order_by(kept.position)
        )
        return tuple(rows.scalars())

    async def put_queue(self, order: Order) -> None:
        mine = queue_entries.c.member_id == self.member_id
        rows = await self.connection.execute(select(queue_entries).where(mine).order_by(queue_entries.c.position))
        added = {row.title_id: row.added_at for row in rows}
        # Positions are part of the primary key: taking all out and putting all back never meets a half-moved state.
        await self.connection.execute(delete(queue_entries).where(mine))
        entries = [
            {
                "member_id": self.member_id,
                "position": place,
                "title_id": title,
                "added_at": added.get(title, self.stamp.at),
            }
            for place, title in enumerate(order, start=1)
        ]
        if entries:
            await self.connection.execute(insert(queue_entries), entries)
        newer = update(members).where(members.c.id == self.member_id)
        await self.connection.execute(newer.values(queue_version=members.c.queue_version + 1))
        await self._record({"queue": list(added)}, {"queue": list(order)})

    async def last_edit(self) -> QueueEdit | None:
        mine = (audit.c.call_id == self.stamp.call_id) & (audit.c.member == self.number) & audit.c.undone.is_(False)
        edits = audit.c.action.startswith(QUEUE_SCOPE, autoescape=True) & (audit.c.action != UNDO)
        line = (
            await self.connection.execute(select(audit).where(mine, edits).order_by(audit.c.id.desc()).limit(1))
        ).one_or_none()
        return None if line is None else QueueEdit(line.id, tuple(line.before["queue"]), tuple(line.after["queue"]))

    async def mark_undone(self, edit: QueueEdit) -> None:
        await self.connection.execute(update(audit).where(audit.c.id == edit.line).values(undone=True))

    async def replace_disc(self, title_id: int, kind: str) -> bool:
        found = await self.connection.execute(
            select(discs.c.id)
            .where(discs.c.member_id == self.member_id, discs.c.title_id == title_id, discs.c.state == "out")
            .order_by(discs.c.shipped_at, discs.c.id)
            .limit(1)
        )
        disc_id = found.scalar_one_or_none()
        if disc_id is None:
            return False
        copy = {"member_id": self.member_id, "title_id": title_id}
        shipped = {"state": "out", "shipped_at": self.stamp.at, "replaces_id": disc_id}
        reported = {"disc_id": disc_id, "kind": kind, "at": self.stamp.at, "call_id": self.stamp.call_id}
        await self.connection.execute(update(discs).where(discs.c.id == disc_id).values(state=kind))
        await self.connection.execute(insert(discs).values(copy | shipped))
        await self.connection.execute(insert(disc_reports).values(copy | reported))
        now = {"disc": disc_id, "state": kind, "title": title_id, "replacement": True}
        await self._record({"disc": disc_id, "state": "out"}, now)
        return True

    async def damaged_reports(self) -> int:
        mine = (disc_reports.c.member_id == self.member_id) & (disc_reports.c.kind == "damaged")
        count = await self.connection.execute(select(func.count()).select_from(disc_reports).where(mine))
        return count.scalar_one()

    async def add_note(self, text: str, kind: str) -> None:
        note = {"kind": fit(kind, 40), "text": fit(text, 4000), "by": self.stamp.actor, "created_at": self.stamp.at}
        await self.connection.execute(insert(notes).values(note | {"member_id": self.member_id}))
        # The words stay out of the trail: a member who has notes deleted must find them gone everywhere.
        await self._record(None, {"kind": kind})

    async def delete_notes(self) -> int:
        gone = (await self.connection.execute(delete(notes).where(notes.c.member_id == self.member_id))).rowcount
        if gone:
            await self._record({"notes": gone}, {"notes": 0})
        return gone

    async def hold(self, until: date) -> None:
        mine = holds.c.member_id == self.member_id
        before = (await self.connection.execute(select(holds.c.until).where(mine))).scalar_one_or_none()
        await self.connection.execute(delete(holds).where(mine))
        await self.connection.execute(insert(holds).values(member_id=self.member_id, until=until, at=self.stamp.at))
        await self._record({"until": before.isoformat()} if before else None, {"until": until.isoformat()})

    async def _record(self, before: Json | None, after: Json) -> None:
        await record(self.connection, self.stamp, self.number, before, after)
