"""The films company in this process: the example data as plain objects, for simulated calls and fast scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache

from ivr.errors import ActionError
from ivr.reference import seed_data
from ivr.reference.backend import QUEUE_SCOPE, UNDO, Edit
from ivr.reference.records import DiscReport, MemberProfile, Note, QueueEdit, Title, digits_of
from ivr.reference.seed_data import SeedMember
from ivr.store.ledger import Stamp
from ivr.store.memory import MemoryLedger


@dataclass(slots=True)
class _Disc:
    title: int
    state: str
    shipped_at: datetime


@dataclass(slots=True)
class _Member:
    who: SeedMember
    queue: tuple[int, ...]
    discs: list[_Disc]
    damaged: int
    notes: list[Note]
    queue_version: int = 0
    hold_until: date | None = None


@dataclass(slots=True)
class _Shelves:
    """What the parts below share. A member is seeded when first asked for, as they were at ``begun``."""

    now: Callable[[], datetime]
    begun: datetime
    ledger: MemoryLedger
    members: dict[str, _Member] = field(default_factory=dict)
    notes_written: int = 1000  # beyond the example data's own

    def find(self, number: str) -> _Member | None:
        if number not in self.members and number in _example().members:
            self.members[number] = _seeded(_example().members[number], self.begun)
        return self.members.get(number)

    def member(self, number: str) -> _Member:
        if (found := self.find(number)) is None:
            raise ActionError("no such member", remedy="identify the caller first")
        return found

    def stamp(self, key: str, action: str, call_id: str, actor: str) -> Stamp:
        return Stamp(key, action, call_id, actor, self.now())


class MemoryFilms:
    """Implements ``ivr.reference.backend.Backend``: the example data as it is at ``now()``, and what is done to it."""

    def __init__(self, now: Callable[[], datetime], ledger: MemoryLedger) -> None:
        shelves = _Shelves(now, now(), ledger)
        self.membership = _Membership(shelves)
        self.queues = _Queues(shelves)
        self.services = _Services(shelves)


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


def _seeded(member: SeedMember, now: datetime) -> _Member:
    ids = _example().ids
    discs = [_Disc(ids[c.title], c.state, now - timedelta(days=c.shipped_days_ago)) for c in member.copies]
    damaged = sum(copy.state == "damaged" for copy in member.copies)
    return _Member(member, tuple(ids[entry] for entry in member.queue), discs, damaged, list(member.notes))


class _Membership:
    def __init__(self, shelves: _Shelves) -> None:
        self._shelves = shelves

    async def profile(self, number: str) -> MemberProfile | None:
        member = self._shelves.find(number)
        if member is None:
            return None
        titles, who = _example().titles, member.who
        out = sorted((disc for disc in member.discs if disc.state == "out"), key=lambda disc: disc.shipped_at)
        return MemberProfile(
            number=who.number,
            name=who.name,
            first_name=who.first_name,
            plan=who.plan,
            since=who.since,
            language=who.language,
            credit_cents=who.credit_cents,
            queue_version=member.queue_version,
            queue=tuple(titles[entry] for entry in member.queue),
            discs=tuple(titles[disc.title] for disc in out),
            damaged_reports=member.damaged,
            notes=len(member.notes),
            hold_until=member.hold_until,
        )

    async def numbers_by_phone(self, phone: str) -> Sequence[str]:
        wanted = digits_of(phone)
        return sorted(member.number for member in _example().members.values() if wanted in member.phones)

    async def titles(self) -> Sequence[Title]:
        return _example().by_name

    async def title(self, title_id: int) -> Title | None:
        return _example().titles.get(title_id)

    async def count(self) -> int:
        return len(_example().members)


class _Queues:
    def __init__(self, shelves: _Shelves) -> None:
        self._shelves = shelves

    async def rearrange(
        self, member: str, edit: Edit, *, key: str, action: str, call_id: str, actor: str = "caller"
    ) -> QueueEdit:
        stamp = self._shelves.stamp(key, action, call_id, actor)

        def effect() -> QueueEdit:
            before = self._shelves.member(member).queue
            outcome, changed = edit(before)
            after = tuple(changed)
            if after != before:
                self._replace(stamp, member, after)
            return QueueEdit(outcome, before, after)

        return _told(*self._shelves.ledger.once(stamp, effect))

    async def undo(self, member: str, *, key: str, call_id: str, actor: str = "caller") -> QueueEdit:
        stamp = self._shelves.stamp(key, UNDO, call_id, actor)

        def effect() -> QueueEdit:
            current = self._shelves.member(member).queue
            for line in reversed(self._shelves.ledger.trail):
                done = line.stamp
                if done.call_id != call_id or line.caller_id != member or line.undone or done.action == UNDO:
                    continue
                if not done.action.startswith(QUEUE_SCOPE) or line.before is None or line.after is None:
                    continue
                if line.after["queue"] != current:
                    return QueueEdit("changed_since", current, current)
                line.undone = True
                self._replace(stamp, member, line.before["queue"])
                return QueueEdit("ok", current, line.before["queue"])
            return QueueEdit("nothing_to_undo", current, current)

        return _told(*self._shelves.ledger.once(stamp, effect))

    def _replace(self, stamp: Stamp, number: str, after: tuple[int, ...]) -> None:
        if len(set(after)) != len(after):
            raise ValueError("a title would stand twice in the queue")
        member = self._shelves.member(number)
        self._shelves.ledger.record(stamp, number, {"queue": member.queue}, {"queue": after})
        member.queue = after
        member.queue_version += 1


def _told(edit: QueueEdit, repeated: bool) -> QueueEdit:
    return QueueEdit(edit.outcome, edit.before, edit.after, repeated)


class _Services:
    def __init__(self, shelves: _Shelves) -> None:
        self._shelves = shelves

    async def report_disc(
        self, member: str, title_id: int, kind: str, *, key: str, call_id: str, actor: str = "caller"
    ) -> DiscReport:
        stamp = self._shelves.stamp(key, "disc.report", call_id, actor)

        def effect() -> DiscReport:
            who = self._shelves.member(member)
            out = [disc for disc in who.discs if disc.title == title_id and disc.state == "out"]
            if not out:
                return DiscReport("not_out", who.damaged)
            min(out, key=lambda disc: disc.shipped_at).state = kind
            who.discs.append(_Disc(title_id, "out", stamp.at))
            who.damaged += kind == "damaged"
            self._shelves.ledger.record(stamp, member, {"state": "out"}, {"state": kind, "title": title_id})
            return DiscReport("ok", who.damaged)

        report, repeated = self._shelves.ledger.once(stamp, effect)
        return DiscReport(report.outcome, report.damaged_reports, repeated)

    async def notes(self, member: str) -> Sequence[Note]:
        known = self._shelves.find(member)
        return sorted(known.notes, key=lambda note: (note.created_at, note.id)) if known else ()

    async def add_note(
        self, member: str, text: str, *, kind: str, key: str, call_id: str, actor: str = "caller"
    ) -> None:
        stamp = self._shelves.stamp(key, "notes.add", call_id, actor)

        def effect() -> None:
            self._shelves.notes_written += 1
            note = Note(self._shelves.notes_written, kind, text, actor, stamp.at)
            self._shelves.member(member).notes.append(note)
            self._shelves.ledger.record(stamp, member, None, {"kind": kind})

        self._shelves.ledger.once(stamp, effect)

    async def delete_notes(self, member: str, *, key: str, call_id: str, actor: str = "caller") -> int:
        stamp = self._shelves.stamp(key, "notes.delete_all", call_id, actor)

        def effect() -> int:
            notes = self._shelves.member(member).notes
            count = len(notes)
            notes.clear()
            if count:
                self._shelves.ledger.record(stamp, member, {"notes": count}, {"notes": 0})
            return count

        return self._shelves.ledger.once(stamp, effect)[0]

    async def hold_deliveries(self, member: str, until: date, *, key: str, call_id: str, actor: str = "caller") -> None:
        stamp = self._shelves.stamp(key, "hold.deliveries", call_id, actor)

        def effect() -> None:
            who = self._shelves.member(member)
            before = {"until": who.hold_until.isoformat()} if who.hold_until else None
            who.hold_until = until
            self._shelves.ledger.record(stamp, member, before, {"until": until.isoformat()})

        self._shelves.ledger.once(stamp, effect)
