"""The films company in this process: the example data as plain objects, for simulated calls and fast scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache

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
from ivr.reference.pins import hashed
from ivr.reference.seed_data import SeedMember
from ivr.store.ledger import Json, Stamp
from ivr.store.memory import AuditLine, MemoryLedger


@dataclass(frozen=True, slots=True)
class _Example:
    """The example data, by what is asked for."""

    members: dict[str, SeedMember]
    titles: dict[int, Title]
    ids: dict[tuple[str, int], int]
    by_name: tuple[Title, ...]


@cache
def _example() -> _Example:
    titles = seed_data.catalogue()
    return _Example(
        {member.number: member for member in seed_data.members()},
        {title.id: title for title in titles},
        {(title.name, title.year): title.id for title in titles},
        tuple(sorted(titles, key=lambda title: (title.name, title.year))),
    )


@cache
def _hash_of(pin: str) -> str:
    """Which costs next to nothing to try: example PINs are no secret, and scripts try them all day."""
    return hashed(pin, cost=2)


@dataclass(slots=True)
class _Disc:
    title: int
    state: str
    shipped_at: datetime


@dataclass(slots=True)
class _Member:
    who: SeedMember
    queue: Order
    discs: list[_Disc]
    damaged: int
    notes: list[Note]
    queue_version: int = 0
    hold_until: date | None = None

    def out(self) -> list[_Disc]:
        return sorted((disc for disc in self.discs if disc.state == "out"), key=lambda disc: disc.shipped_at)


class MemoryFilms:
    """Implements ``ivr.reference.backend.Backend``: the example data as it is at ``now()``, and what is done to it."""

    def __init__(self, now: Callable[[], datetime], ledger: MemoryLedger) -> None:
        self._now = now
        self._begun = now()
        self._ledger = ledger
        self._members: dict[str, _Member] = {}

    def _find(self, number: str) -> _Member | None:
        """A member is seeded when first asked for, as they were at the beginning."""
        if number not in self._members and (who := _example().members.get(number)) is not None:
            ids = _example().ids
            discs = [
                _Disc(ids[copy.title], copy.state, self._begun - timedelta(days=copy.shipped_days_ago))
                for copy in who.copies
            ]
            damaged = sum(copy.state == "damaged" for copy in who.copies)
            queue = tuple(ids[entry] for entry in who.queue)
            self._members[number] = _Member(who, queue, discs, damaged, list(who.notes))
        return self._members.get(number)

    async def profile(self, number: str) -> MemberProfile | None:
        member = self._find(number)
        if member is None:
            return None
        titles, who = _example().titles, member.who
        return MemberProfile(
            **who.identity,
            queue_version=member.queue_version,
            queue=tuple(titles[entry] for entry in member.queue),
            discs=tuple(titles[disc.title] for disc in member.out()),
            damaged_reports=member.damaged,
            notes=len(member.notes),
            hold_until=member.hold_until,
        )

    async def numbers_by_phone(self, phone: str) -> Sequence[str]:
        wanted = digits_of(phone)
        return sorted(member.number for member in _example().members.values() if wanted in member.phones)

    async def pin_hash(self, number: str) -> str | None:
        who = _example().members.get(number)
        return None if who is None else _hash_of(who.pin)

    async def titles(self) -> Sequence[Title]:
        return _example().by_name

    async def title(self, title_id: int) -> Title | None:
        return _example().titles.get(title_id)

    async def count(self) -> int:
        return len(_example().members)

    async def notes(self, member: str) -> Sequence[Note]:
        known = self._find(member)
        return sorted(known.notes, key=lambda note: note.created_at) if known else ()

    async def change(self, member: str, call: ActionCall, change: Change) -> Json:
        stamp = Stamp(call.key, call.name, call.call_id, self._now(), call.actor)

        async def effect() -> Json:
            kept = self._find(member)
            if kept is None:
                raise no_such_member()
            return await change(_Records(kept, stamp, self._ledger.trail))

        return await self._ledger.once(stamp, effect)


@dataclass(frozen=True, slots=True)
class _Records:
    """Implements ``ivr.reference.backend.MemberRecords``."""

    member: _Member
    stamp: Stamp
    trail: list[AuditLine]

    async def queue(self) -> Order:
        return self.member.queue

    async def put_queue(self, order: Order) -> None:
        self._record({"queue": self.member.queue}, {"queue": order})
        self.member.queue = order
        self.member.queue_version += 1

    async def last_edit(self) -> QueueEdit | None:
        for number, line in reversed(list(enumerate(self.trail))):
            done = line.stamp
            mine = done.call_id == self.stamp.call_id and line.caller_id == self.member.who.number
            if mine and not line.undone and done.action.startswith(QUEUE_SCOPE) and done.action != UNDO:
                assert line.before is not None
                assert line.after is not None
                return QueueEdit(number, line.before["queue"], line.after["queue"])
        return None

    async def mark_undone(self, edit: QueueEdit) -> None:
        self.trail[edit.line].undone = True

    async def replace_disc(self, title_id: int, kind: str) -> bool:
        for disc in self.member.out():
            if disc.title == title_id:
                disc.state = kind
                self.member.discs.append(_Disc(title_id, "out", self.stamp.at))
                self.member.damaged += kind == "damaged"
                self._record({"state": "out"}, {"state": kind, "title": title_id})
                return True
        return False

    async def damaged_reports(self) -> int:
        return self.member.damaged

    async def add_note(self, text: str, kind: str, by: str = "") -> None:
        self.member.notes.append(Note(kind, text, by or self.stamp.actor, self.stamp.at))
        self._record(None, {"kind": kind})

    async def correct_note(self, place: int, text: str) -> bool:
        notes = self.member.notes
        notes.sort(key=lambda note: note.created_at)
        if not notes or place > len(notes):
            return False
        at = place - 1 if place > 0 else len(notes) - 1
        if notes[at].text != text:
            notes[at] = replace(notes[at], text=text, changed_by=self.stamp.actor, changed_at=self.stamp.at)
            self._record({"note": at + 1}, {"note": at + 1, "corrected": True})
        return True

    async def delete_notes(self) -> int:
        gone = len(self.member.notes)
        if gone:
            self.member.notes.clear()
            self._record({"notes": gone}, {"notes": 0})
        return gone

    async def hold(self, until: date) -> None:
        before = self.member.hold_until
        self.member.hold_until = until
        self._record({"until": before.isoformat()} if before else None, {"until": until.isoformat()})

    def _record(self, before: Json | None, after: Json) -> None:
        self.trail.append(AuditLine(self.stamp, self.member.who.number, before, after))
