"""Data subjects: everything that is kept about one person, in tables and files: shown, exported and forgotten.

Whose it is is said in ``ivr.store.person``. A call in progress is left alone: it is marked, and a line deletes it,
with what belongs to it, once it is over.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from ivr.company import OpenCompany
from ivr.errors import ConfigError, StoreUnavailable
from ivr.numbering import NumberingPlan
from ivr.ports import AuditEvent, Clock
from ivr.ports.data_subject import KeptRows
from ivr.recording.archive import Archive
from ivr.store import Store, spool_folder
from ivr.store.person import FORGET, Person
from ivr.store.spool_folder import Write
from ivr.store.tables import recordings

FORGOTTEN, EXPORTED = "person.forgotten", "person.exported"
SPOOL = "spool"  # what waits for the database, as if it were a table
PROMPTS = "prompts"
LOOK_S = 60.0
OVERLAP = timedelta(minutes=10)  # clocks of several machines, and a look that failed
DRAIN_S = 10.0  # how long a running line has to write what waits
WHY = "asked for"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Subject:
    """``number``: E.164, "" where only an id was asked for; ``ids``: as the company has them."""

    number: str
    ids: tuple[str, ...]
    person: Person


@dataclass(frozen=True, slots=True)
class Forgotten:
    """``deleted``: how many rows, files and waiting writes, by table. ``later``: calls that go on, and are deleted once
    they are over; ``held``: writes in a running line's spool; ``elsewhere``: recordings whose files are not on this
    machine. ``traces``: SQLite's log still has the bytes, as somebody reads it."""

    deleted: Mapping[str, int]
    later: int = 0
    held: int = 0
    elsewhere: Sequence[str] = ()
    traces: bool = False

    @property
    def whole(self) -> bool:
        return not (self.held or self.elsewhere or self.traces)


class DataSubjects:
    """``prompts``: the folder of sentences said to callers. Methods raise StoreUnavailable."""

    def __init__(
        self, store: Store, company: OpenCompany, archive: Archive, plan: NumberingPlan, prompts: Path | None = None
    ) -> None:
        self._store = store
        self._company = company
        self._archive = archive
        self._plan = plan
        self._prompts = prompts

    async def find(self, number: str, caller_id: str = "") -> Subject:
        """By a number in any notation, or by an id of the company's, or both. Raises ConfigError where the number is
        several people's."""
        known = self._plan.number(number) if number else ""
        ids = tuple(await self._company.persons(known)) if known else ()
        if caller_id:
            ids = (caller_id,)
        if len(ids) > 1:
            raise ConfigError(
                f"{known} is on file for several people: {', '.join(ids)}",
                remedy="say who of them, with --caller ID; calls that nobody can tell apart go with whoever is first",
            )
        waiting = self._spooled()
        unwritten = {
            str(write.values["call_id"])
            for write in waiting
            if write.values.get("call_id") and known and Person().wrote(write, lambda text: self._same(text, known))
        }
        person = await self._store.persons.find(known, lambda text: self._same(text, known), ids, unwritten)
        return Subject(known, ids, person)

    def _same(self, text: str, known: str) -> bool:
        return bool(text) and bool(known) and self._plan.number(text) == known

    def _spooled(self) -> list[Write]:
        folder = self._store.spool_folder
        return list(spool_folder.writes_in(folder)) if folder is not None else []

    async def kept(self, subject: Subject) -> Sequence[KeptRows]:
        """All that there is of them, by table; waiting writes as ``spool``."""
        found = [*await self._store.persons.rows(subject.person)]
        for caller_id in subject.ids:
            found += await self._company.kept(caller_id)
        waiting = [
            {"kind": write.kind, **write.values}
            for write in self._spooled()
            if subject.person.wrote(write, lambda text: self._same(text, subject.number))
        ]
        return [*found, KeptRows(SPOOL, waiting)]

    async def forget(self, subject: Subject, by: str) -> Forgotten:
        """Delete it all, but for what is said to stay. Raises OSError for files that can't be deleted."""
        for call_id in subject.person.live:
            await self._store.calls.update(call_id, **{FORGET: list(subject.ids)})
        gone, held = await self._unspooled(subject)
        deleted, elsewhere = await self._erased(subject.person, by)
        deleted[SPOOL] = gone
        for caller_id in subject.ids:
            deleted.update(await self._company.forget(caller_id))
        if self._prompts is not None:
            deleted[PROMPTS] = await asyncio.to_thread(_emptied, self._prompts)
        traces = not await self._store.retention.settle()
        counts = {name: count for name, count in deleted.items() if count}
        done = Forgotten(counts, len(subject.person.live), held, elsewhere, traces)
        await self._told(FORGOTTEN, by, {"deleted": counts, "calls in progress": done.later, "whole": done.whole})
        return done

    async def exported(self, by: str, counts: Mapping[str, int]) -> None:
        """It was given to somebody; to be called before it is."""
        await self._told(EXPORTED, by, {"rows": dict(counts)})

    async def _told(self, action: str, by: str, after: dict[str, Any]) -> None:
        """In the audit log and the log, without who it was."""
        await self._store.audit_log.note(AuditEvent(by, action, after=after))
        log.info(action, by=by, **{name.replace(" ", "_"): value for name, value in after.items()})

    async def _erased(self, person: Person, by: str) -> tuple[dict[str, int], Sequence[str]]:
        theirs = next(kept.rows for kept in await self._store.persons.rows(person) if kept.table == recordings.name)
        elsewhere, count = [], 0
        for row in theirs:
            found = await self._archive.find(str(row["name"]))
            if found is not None and not await self._archive.delete_here(found, by, WHY):
                elsewhere.append(found.name)
            count += found is not None
        deleted = dict(await self._store.persons.erase(person))
        return {**deleted, recordings.name: count - len(elsewhere)}, elsewhere

    async def _unspooled(self, subject: Subject) -> tuple[int, int]:
        folder, clock = self._store.spool_folder, asyncio.get_running_loop()
        if folder is None or not folder.exists():
            return 0, 0

        def theirs(write: Write) -> bool:
            return subject.person.wrote(write, lambda text: self._same(text, subject.number))

        gone, until = 0, clock.time() + DRAIN_S
        while True:
            more, held = await asyncio.to_thread(spool_folder.forget, folder, theirs)
            gone += more
            if not held or clock.time() > until:
                return gone, held
            await asyncio.sleep(0.25)

    # -- once the call is over ----------------------------------------------------------------------------------

    async def follow(self, clock: Clock) -> None:
        """Delete what was to be deleted once it was over; runs until cancelled."""
        since: datetime | None = None
        while True:
            now = clock.now()
            try:
                await self.finish(since)
                since = now - OVERLAP
            except (StoreUnavailable, OSError) as error:
                log.warning("person.unforgotten", error=str(error))
            await clock.sleep(LOOK_S)

    async def finish(self, since: datetime | None = None) -> int:
        """Calls that ended ``since``, or whenever, and were to be forgotten, with the notes made in them: how many. One
        that turned out to be somebody else's, from the same telephone, stays. Raises OSError."""
        over = await self._store.persons.over(since)
        for each in over:
            if not each.theirs:
                await self._store.calls.update(each.call_id, **{FORGET: None})
        theirs = [each for each in over if each.theirs]
        if theirs:
            noted: Counter[str] = Counter()
            for caller_id in sorted({each.whose for each in theirs} - {""}):
                noted.update(await self._company.forget(caller_id))
            gone, elsewhere = await self._erased(Person(calls=tuple(each.call_id for each in theirs)), "line")
            deleted = {**noted, **gone}
            await self._store.retention.settle()
            counts = {name: count for name, count in deleted.items() if count}
            await self._told(FORGOTTEN, "line", {"deleted": counts, "whole": not elsewhere})
        return len(theirs)


def _emptied(folder: Path) -> int:
    """Sentences with anybody's names in them are rendered anew when they are next said."""
    clips = [path for path in folder.rglob("*.*") if path.is_file()]
    for path in clips:
        path.unlink(missing_ok=True)
    return len(clips)
