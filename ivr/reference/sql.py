"""The films company on a database: members and titles, what is changed for them, and the example data put there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports import ActionCall
from ivr.reference import seed_data
from ivr.reference.backend import (
    QUEUE_SCOPE,
    UNDO,
    Change,
    MemberProfile,
    Note,
    Order,
    QueueEdit,
    Title,
    digits_of,
    no_such_member,
)
from ivr.reference.seed_data import SeedMember, hash_of
from ivr.reference.tables import (
    disc_reports,
    discs,
    holds,
    member_phones,
    member_pins,
    members,
    note_changes,
    notes,
    queue_entries,
    titles,
)
from ivr.store.database import TableGroup, fit, reads, writes
from ivr.store.ledger import Json, Stamp, once, record
from ivr.store.tables import audit

FEWEST_DIGITS = 7
# Made once: building and hashing a statement takes longer than running it.
_BY_PHONE = (
    select(members.c.number)
    .join(member_phones, member_phones.c.member_id == members.c.id)
    .where(member_phones.c.number == bindparam("wanted"))
    .order_by(members.c.number)
)
_TITLE = select(titles.c.id, titles.c.name, titles.c.year, titles.c.director, titles.c.spoken)


@dataclass(frozen=True, slots=True)
class SqlRecords:
    """Implements ``ivr.reference.backend.MemberRecords``: in one transaction, with the member's row locked."""

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
        before = await self.arrange(order)
        await self._record({"queue": list(before)}, {"queue": list(order)})

    async def arrange(self, order: Order) -> Order:
        """Put the queue in ``order``, untold in the trail; what it was."""
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
        return tuple(added)

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

    async def add_note(self, text: str, kind: str, by: str = "") -> None:
        by = fit(by or self.stamp.actor, 100)
        note = {"kind": fit(kind, 40), "text": fit(text, 4000), "by": by, "created_at": self.stamp.at}
        await self.connection.execute(insert(notes).values(note | {"member_id": self.member_id}))
        # The words stay out of the trail: a member who has notes deleted must find them gone everywhere.
        await self._record(None, {"kind": kind})

    async def correct_note(self, place: int, text: str) -> bool:
        mine = select(notes).where(notes.c.member_id == self.member_id).order_by(notes.c.created_at, notes.c.id)
        kept = (await self.connection.execute(mine)).all()
        if not kept or place > len(kept):
            return False
        note = kept[place - 1 if place > 0 else -1]
        if note.text == text:
            return True
        before = {"before": note.text, "by": self.stamp.actor, "call_id": self.stamp.call_id, "at": self.stamp.at}
        await self.connection.execute(insert(note_changes).values(before | {"note_id": note.id}))
        await self.connection.execute(update(notes).where(notes.c.id == note.id).values(text=fit(text, 4000)))
        await self._record({"note": note.id}, {"note": note.id, "corrected": True})
        return True

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

    async def numbers_by_phone(self, phone: str) -> Sequence[str]:
        wanted = digits_of(phone)
        if len(wanted) < FEWEST_DIGITS:
            return ()
        return [number for (number,) in await self._database.rows(_BY_PHONE, wanted=wanted)]

    @reads
    async def pin_hash(self, connection: AsyncConnection, number: str) -> str | None:
        kept = select(member_pins.c.hash).join(members, members.c.id == member_pins.c.member_id)
        return (await connection.execute(kept.where(members.c.number == number))).scalar_one_or_none()

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
        changes = note_changes.alias()
        latest = select(func.max(changes.c.id)).where(changes.c.note_id == notes.c.id).correlate(notes)
        rows = await connection.execute(
            select(notes.c.kind, notes.c.text, notes.c.by, notes.c.created_at, note_changes.c.by, note_changes.c.at)
            .join(members, members.c.id == notes.c.member_id)
            .outerjoin(note_changes, note_changes.c.id == latest.scalar_subquery())
            .where(members.c.number == member)
            .order_by(notes.c.created_at, notes.c.id)
        )
        return [Note(kind, text, by, at, changed or "", when) for kind, text, by, at, changed, when in rows]

    @writes
    async def change(self, connection: AsyncConnection, member: str, call: ActionCall, change: Change) -> Json:
        stamp = Stamp(call.key, call.name, call.call_id, self._now(), call.actor)

        async def effect() -> Json:
            row = await connection.execute(select(members.c.id).where(members.c.number == member).with_for_update())
            member_id = row.scalar_one_or_none()
            if member_id is None:
                raise no_such_member()
            return await change(SqlRecords(connection, member, member_id, stamp))

        return await once(connection, stamp, effect)


async def seed(connection: AsyncConnection, now: datetime) -> Mapping[str, int]:
    """Add the titles and members that are missing; leave the others, and what members did since, alone.

    How many rows were added, by what they are; 0 and 0 the second time."""
    added_titles = await _seed_titles(connection)
    rows = await connection.execute(select(titles.c.name, titles.c.year, titles.c.id))
    known = {(name, year): title for name, year, title in rows}
    there = set((await connection.execute(select(members.c.number))).scalars())
    fresh = [member for member in seed_data.members() if member.number not in there]
    for member in fresh:
        await _seed_member(connection, member, known, now)
    await _seed_pins(connection)
    return {"titles": added_titles, "members": len(fresh)}


async def _seed_pins(connection: AsyncConnection) -> None:
    """PINs of the example members who have none: a database may be older than PINs are."""
    pins = {member.number: member.pin for member in seed_data.members()}
    without = select(members.c.id, members.c.number).where(
        members.c.number.in_(pins), members.c.id.not_in(select(member_pins.c.member_id))
    )
    rows = [{"member_id": row.id, "hash": hash_of(pins[row.number])} for row in await connection.execute(without)]
    if rows:
        await connection.execute(insert(member_pins), rows)


async def _seed_titles(connection: AsyncConnection) -> int:
    there = {tuple(row) for row in await connection.execute(select(titles.c.name, titles.c.year))}
    fresh = [
        {"name": title.name, "year": title.year, "director": title.director, "spoken": list(title.spoken)}
        for title in seed_data.catalogue()
        if (title.name, title.year) not in there
    ]
    if fresh:
        await connection.execute(insert(titles), fresh)
    return len(fresh)


async def _seed_member(
    connection: AsyncConnection, member: SeedMember, known: Mapping[tuple[str, int], int], now: datetime
) -> None:
    added = await connection.execute(insert(members).values(member.identity).returning(members.c.id))
    mine = {"member_id": added.scalar_one()}
    if member.phones:
        await connection.execute(insert(member_phones), [mine | {"number": phone} for phone in member.phones])
    await connection.execute(
        insert(queue_entries),
        [
            mine | {"position": place, "title_id": known[entry], "added_at": now}
            for place, entry in enumerate(member.queue, start=1)
        ],
    )
    disc = None
    for copy in member.copies:
        this = mine | {"title_id": known[copy.title]}
        shipped = {"state": copy.state, "shipped_at": now - timedelta(days=copy.shipped_days_ago)}
        replaces = {"replaces_id": disc if copy.replaces else None}
        disc = (
            await connection.execute(insert(discs).values(this | shipped | replaces).returning(discs.c.id))
        ).scalar_one()
        if copy.reported_days_ago is not None:
            at = now - timedelta(days=copy.reported_days_ago)
            reported = {"disc_id": disc, "kind": copy.state, "at": at, "call_id": ""}
            await connection.execute(insert(disc_reports).values(this | reported))
    if member.notes:
        kept = ("kind", "text", "by", "created_at")
        rows = [mine | {name: getattr(note, name) for name in kept} for note in member.notes]
        await connection.execute(insert(notes), rows)
