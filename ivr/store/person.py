"""A person in the store's tables: which rows are theirs, shown and deleted.

A call is theirs that is known to be (by a number on file, or a secret), or that came from their number and is not
known to be somebody else's. A claim alone makes no call anybody's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, and_, false, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.events import CALLER_ID
from ivr.identity import Identity, IdentityLevel
from ivr.ports.data_subject import KeptRows
from ivr.store.account_tables import audit_log
from ivr.store.database import Database, TableGroup
from ivr.store.retention import LONG_S, Retention
from ivr.store.spool_folder import Write
from ivr.store.tables import (
    HELD,
    announced,
    audit,
    call_entries,
    callbacks,
    calls,
    handoff_contexts,
    idempotency,
    live_dialogs,
    place_events,
    places,
    recordings,
    resume_points,
    verification_tries,
)
from ivr.store.verification import hashed, number_tried

FORGET = "forget"  # in a call's details: whose it is, by ids, who is to be forgotten once it is over
TOGETHER = 200  # calls that one statement is about
LAST_DIGITS = 4  # of a number, in any notation

NOBODYS: Mapping[str, str] = {
    "accounts": "people of the house, not callers",
    "sessions": "people of the house",
    "used_log_ins": "people of the house",
    "first_links": "people of the house",
    "login_failures": "people of the house",
    "api_tokens": "programs",
    "audit_head": "where the audit log ends",
    "agents": "people of the house",
    "agent_skills": "people of the house",
    "agent_events": "people of the house",
    "desk_settings": "what counts now",
    "flow_versions": "flows; a number that a canary names is configuration, until the canary is withdrawn",
    "flow_publications": "flows; likewise",
    "flow_drafts": "flows that people of the house are writing",
    "flow_draft_files": "flows, likewise",
    "line_processes": "processes",
    "registrations": "which process registers a trunk",
    "schema_floors": "which programs may run on the schema",
}
"""Tables in which nothing is a caller's, and why."""

STAYS: Mapping[str, str] = {
    "audit": "who changed what, when: evidence, without anybody's words; [retention] audit deletes it",
    "audit_log": "who did what on which call: a chain that can't lose a link in its middle; [retention] audit likewise",
}
"""What stays of a person who is forgotten, and why."""


@dataclass(frozen=True, slots=True)
class Person:
    """``numbers``: theirs, as tables write them; ``tried``: as a wrong PIN's; ``caller_ids``: as the company knows
    them; ``calls``: ids of those that are over; ``live``: of those that go on. ``others``: calls from their number that
    are known to be somebody else's."""

    numbers: frozenset[str] = frozenset()
    tried: str = ""
    caller_ids: frozenset[str] = frozenset()
    calls: tuple[str, ...] = ()
    live: frozenset[str] = field(default_factory=frozenset)
    others: int = 0

    def wrote(self, write: Write, same: Callable[[str], bool]) -> bool:
        """Whether a write that waits in a spool is about them. ``same``: whether a number is theirs."""
        values = write.values
        if values.get("call_id") in self.calls:
            return True
        if str(values.get("member") or "") in self.caller_ids:
            return True
        row = values.get("row") or values
        return any(same(str(row.get(name) or "")) for name in ("caller", "number"))


@dataclass(frozen=True, slots=True)
class Marked:
    """A call that is over and was to be forgotten for whom the company knows by ``ids``; ``whose`` it turned out to be,
    "" where that is not known."""

    call_id: str
    ids: frozenset[str]
    whose: str

    @property
    def theirs(self) -> bool:
        return not self.whose or not self.ids or self.whose in self.ids


class PersonTables(TableGroup):
    """Methods raise StoreUnavailable. ``retention`` deletes, in its small steps."""

    def __init__(self, database: Database, now: Callable[[], datetime], retention: Retention) -> None:
        super().__init__(database, now)
        self._retention = retention

    # -- whose they are ------------------------------------------------------------------------------------------------

    async def find(
        self, number: str, same: Callable[[str], bool], caller_ids: Collection[str], calls_known: Collection[str] = ()
    ) -> Person:
        """``number`` "" for somebody whose number is not asked about; ``calls_known``: theirs besides."""

        async def work(connection: AsyncConnection) -> Person:
            numbers = await _notations(connection, number, same) if number else set()
            tried = hashed(number_tried(number)) if number else ""
            person = Person(frozenset(numbers), tried, frozenset(caller_ids), tuple(calls_known))
            return await _with_calls(connection, person)

        return await self._database.read(work, timeout_s=LONG_S)

    async def over(self, since: datetime | None) -> Sequence[Marked]:
        """Calls that were to be forgotten once they ended, and ended ``since``, or whenever."""

        async def work(connection: AsyncConnection) -> Sequence[Marked]:
            asked = calls.c.ended_at.is_not(None) & calls.c.details[FORGET].as_string().is_not(None)
            if since is not None:
                asked &= calls.c.ended_at >= since
            rows = await connection.execute(select(calls.c.call_id, calls.c.details).where(asked))
            return [Marked(row.call_id, frozenset(row.details[FORGET]), _whose(row.details)) for row in rows]

        return await self._database.read(work, timeout_s=LONG_S)

    # -- shown --------------------------------------------------------------------------------------------------

    async def rows(self, person: Person) -> Sequence[KeptRows]:
        """What is kept of them, by table, but for calls in progress and what belongs to these."""

        async def work(connection: AsyncConnection) -> Sequence[KeptRows]:
            found: dict[str, dict[tuple[Any, ...], Mapping[str, Any]]] = {}
            for part in _parts(person):
                for table, is_theirs in (await _theirs(connection, part)).items():
                    key = [column.name for column in table.primary_key.columns]
                    listed = found.setdefault(table.name, {})
                    for row in await connection.execute(select(table).where(is_theirs).order_by(*table.primary_key)):
                        listed[tuple(row._mapping[name] for name in key)] = _plain(row._mapping)
            return [KeptRows(name, list(rows.values()), STAYS.get(name, "")) for name, rows in found.items()]

        return await self._database.read(work, timeout_s=LONG_S)

    # -- deleted ------------------------------------------------------------------------------------------------

    async def erase(self, person: Person) -> Mapping[str, int]:
        """Delete what ``rows`` shows, but for what stays and for recordings, which go with their files; how many rows,
        by table. Calls go last: a second run finds by them what a first one left."""
        counts: Counter[str] = Counter()
        for part in _parts(person):
            theirs = await self._database.read(partial(_theirs, part=part), timeout_s=LONG_S)
            for table, is_theirs in theirs.items():
                if table.name not in STAYS and table is not recordings:
                    counts[table.name] += await self._retention.erase(table, is_theirs)
        return dict(counts)


async def _notations(connection: AsyncConnection, number: str, same: Callable[[str], bool]) -> set[str]:
    """As which the tables have this number."""
    digits = "".join(each for each in number if each.isdigit())
    ending = f"%{digits[-LAST_DIGITS:]}" if digits else number
    found = {number}
    for column in (calls.c.caller, callbacks.c.number, places.c.number, places.c.callback_number):
        written = await connection.execute(select(column).where(column.like(ending)).distinct())
        found.update(each for each in written.scalars() if same(each))
    return found


async def _with_calls(connection: AsyncConnection, person: Person) -> Person:
    ids = person.caller_ids
    known = calls.c.details["facts"][CALLER_ID].as_string()
    waited = select(places.c.call_id).where(places.c.person.in_([f"member:{each}" for each in ids]))
    asked = [calls.c.caller.in_(person.numbers), known.in_(ids), calls.c.call_id.in_(waited)]
    asked.append(calls.c.call_id.in_(person.calls))
    columns = calls.c.call_id, calls.c.caller, calls.c.ended_at, calls.c.details
    mine, live, others = set(person.calls), set[str](), 0
    sure = set((await connection.execute(waited)).scalars()) | mine
    for row in await connection.execute(select(*columns).where(or_(*asked))):
        whose = _whose(row.details)
        if not (row.call_id in sure or whose in ids or (row.caller in person.numbers and not (whose and ids))):
            others += row.caller in person.numbers
        elif row.ended_at is None:
            live.add(row.call_id)
        else:
            mine.add(row.call_id)
    return replace(person, calls=tuple(sorted(mine - live)), live=frozenset(live), others=others)


def _whose(details: Mapping[str, Any]) -> str:
    """Who is known to have called; "" for a claim, and for nobody."""
    facts = details.get("facts") or {}
    likely = Identity.of(facts).level >= IdentityLevel.LIKELY
    return str(facts.get(CALLER_ID) or "") if likely else ""


def _parts(person: Person) -> Iterator[Person]:
    """The same, a few calls at a time; the first has what is theirs besides calls."""
    yield replace(person, calls=person.calls[:TOGETHER])
    for start in range(TOGETHER, len(person.calls), TOGETHER):
        yield Person(calls=person.calls[start : start + TOGETHER], live=person.live)


async def _theirs(connection: AsyncConnection, part: Person) -> Mapping[Table, ColumnElement[bool]]:
    """Which rows, in the order in which they can be deleted."""
    ids, numbers = list(part.caller_ids), list(part.numbers)

    def of_calls(call_id: Column[str]) -> ColumnElement[bool]:
        return call_id.in_(part.calls)

    def of_person(member: Column[str], *number: Column[str]) -> ColumnElement[bool]:
        """By id; by number where nobody else is named."""
        by_number = or_(false(), *(each.in_(numbers) for each in number))
        return member.in_(ids) | (by_number & (member.in_(["", *ids]) if ids else by_number))

    def over(call_id: Column[str]) -> ColumnElement[bool]:
        return call_id.not_in(part.live)

    persons = [*(f"member:{each}" for each in ids), *(f"tel:{each}" for each in numbers)]
    held = places.c.state.in_(HELD) | ((places.c.state == "waiting") & (places.c.line != ""))
    whose = or_(
        of_person(places.c.member, places.c.number, places.c.callback_number),
        places.c.person.in_(persons),
        of_calls(places.c.call_id),
    )
    stood = and_(whose, ~held, over(places.c.call_id))
    their_places = list((await connection.execute(select(places.c.id).where(stood))).scalars())
    keys = (idempotency.c.key.startswith(f"{call}/", autoescape=True) for call in part.calls)
    points = resume_points.c
    return {
        place_events: place_events.c.place.in_(their_places),
        announced: announced.c.place_id.in_(their_places),
        places: places.c.id.in_(their_places),
        callbacks: and_(
            of_person(callbacks.c.member, callbacks.c.number) | of_calls(callbacks.c.call_id), over(callbacks.c.call_id)
        ),
        resume_points: and_(
            points.member.in_(ids) | of_calls(points.call_id), points.call_id.is_(None) | over(points.call_id)
        ),
        verification_tries: or_(
            verification_tries.c.claimed.in_([hashed(each) for each in ids]),
            verification_tries.c.caller == part.tried if part.tried else false(),
        ),
        recordings: and_(recordings.c.caller_id.in_(ids) | of_calls(recordings.c.call_id), over(recordings.c.call_id)),
        audit_log: audit_log.c.target.in_(part.calls),
        audit: audit.c.member.in_(ids) | of_calls(audit.c.call_id),
        idempotency: or_(false(), *keys),
        handoff_contexts: of_calls(handoff_contexts.c.call_id),
        live_dialogs: of_calls(live_dialogs.c.call_id),
        call_entries: of_calls(call_entries.c.call_id),
        calls: of_calls(calls.c.call_id),
    }


def _plain(row: Mapping[Any, Any]) -> Mapping[str, Any]:
    """Ready for JSON."""
    plain: Mapping[str, Any] = json.loads(json.dumps(dict(row), default=_text))
    return plain


def _text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
