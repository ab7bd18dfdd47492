"""Live dialogs: what another process needs to go on with a call, kept while it is in progress; claimed once its own
process is dead.

A row belongs to the process named in it. Whoever claims it writes its own name there, in one statement; what the one
before still writes changes nothing any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import SealBroken
from ivr.ports.takeover import Orphan
from ivr.sealing import Keys, opened, sealed
from ivr.store.database import Database, TableGroup, fit, insert_new, moment, reads, writes
from ivr.store.deaths import Deaths
from ivr.store.lease import SILENT_S, LineLease
from ivr.store.spool_folder import Write
from ivr.store.tables import call_entries, calls, line_processes, live_dialogs, places
from ivr.store.writer import Rule, Writer

STALE = timedelta(minutes=2)  # whoever heard nothing for so long has hung up
LATE_ENTRIES = 1000  # numbers left free for what the dead one had written and nobody has read yet
STRAY_LOOKS = 10  # of so many one is for calls of lines that somebody else has struck out
MOST_AT_ONCE = 50  # calls that one process takes over in one look

UNSEALED = Keys(section="takeover")

_OF = live_dialogs.c
_GONE = delete(live_dialogs).where(_OF.call_id.in_(bindparam("these", expanding=True)), _OF.line == bindparam("mine"))
_TAKEN = select(_OF.call_id).where(_OF.taken_from == bindparam("mine"))
log = structlog.get_logger(__name__)


class LiveDialogLog(TableGroup):
    """Implements ``ivr.ports.LiveDialogs`` and ``ivr.ports.Orphans``. ``lease``: of this process, None for one that
    serves no calls; ``node``: the service that it is of; ``keys``: of all lines, which seal what is confidential in a
    snapshot, as belonging to its call. Without any it is not kept."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        writer: Writer,
        lease: LineLease | None,
        deaths: Deaths,
        node: str,
        keys: Keys = UNSEALED,
    ) -> None:
        super().__init__(database, now)
        self._keys = keys
        self._deaths = deaths
        self._looks = 0
        self._writer = writer
        self._lease = lease
        self._line = lease.line if lease is not None else ""
        self._node = fit(node, 100)

    def keep(self, call_id: str, sip_call_id: str, snapshot: Mapping[str, Any]) -> Awaitable[None]:
        values = {
            "call_id": call_id,
            "line": self._line,
            "sip_call_id": fit(sip_call_id, 255),
            "snapshot": sealed(snapshot, self._keys, call_id.encode()),
        }
        return self._writer.write(Write("dialog", values))

    def forget(self, call_id: str) -> Awaitable[None]:
        return self._writer.write(Write("no dialog", {"call_id": call_id, "line": self._line}))

    async def claim(self, room: int, *, beside: Collection[str] = ()) -> Sequence[Orphan]:
        """``beside``: lines that are certainly dead, beside those that the lease knows of."""
        if self._lease is None or room <= 0:
            return ()
        await self._deaths.look(asyncio.get_running_loop().time())
        dead, self._looks = {*self._lease.dead, *beside}, self._looks + 1
        if not dead and self._looks % STRAY_LOOKS:
            return ()
        return await self._claim(room, dead) if await self._any(dead) else ()

    @reads
    async def _any(self, connection: AsyncConnection, dead: Collection[str]) -> bool:
        """Most looks find nothing, and cost no transaction that writes."""
        return (
            await connection.execute(select(_OF.call_id).where(await self._orphaned(connection, dead)).limit(1))
        ).first() is not None

    @writes
    async def _claim(self, connection: AsyncConnection, room: int, dead: Collection[str]) -> Sequence[Orphan]:
        orphaned = await self._orphaned(connection, dead)
        count = (await connection.execute(select(func.count()).select_from(live_dialogs).where(orphaned))).scalar_one()
        if not count:
            return ()
        share = await self._share(connection, count, room, dead)
        wanted = select(_OF.call_id).where(orphaned).order_by(_OF.call_id).limit(min(share, room, MOST_AT_ONCE))
        ids = list((await connection.execute(wanted.with_for_update(skip_locked=True))).scalars())
        return await self._taken(connection, ids)

    async def inherit(self, gone: Collection[str]) -> Sequence[Orphan]:
        """As this process is started again: the calls of lines that are certainly ``gone``, where no other one lives.
        Those that cannot be had now are looked for later."""
        return await self._inherit({*gone}) if self._lease is not None else ()

    @writes
    async def _inherit(self, connection: AsyncConnection, gone: Collection[str]) -> Sequence[Orphan]:
        beats, silent = line_processes.c, await moment(connection) - timedelta(seconds=SILENT_S)
        others = select(beats.id).where(beats.beat_at >= silent, beats.id.not_in(list(gone)), beats.id != self._line)
        if (await connection.execute(others.limit(1))).first() is not None:
            return ()
        wanted = select(_OF.call_id).where(await self._orphaned(connection, gone)).with_for_update(skip_locked=True)
        return await self._taken(connection, list((await connection.execute(wanted)).scalars()))

    async def claim_dialog(self, sip_call_id: str) -> Orphan | None:
        if self._lease is None or not await self._is_orphan(sip_call_id, self._lease.dead):
            return None
        return await self._claim_dialog(sip_call_id, self._lease.dead)

    @reads
    async def _is_orphan(self, connection: AsyncConnection, sip_call_id: str, dead: Collection[str]) -> bool:
        """Most are nobody's, and who asks waits for an answer: not for others' turns to write."""
        return (await connection.execute(await self._of_dialog(connection, sip_call_id, dead))).first() is not None

    async def _of_dialog(self, connection: AsyncConnection, sip_call_id: str, dead: Collection[str]) -> Select[Any]:
        wanted = select(_OF.call_id).where(_OF.sip_call_id == fit(sip_call_id, 255))
        return wanted.where(await self._orphaned(connection, dead))

    @writes
    async def _claim_dialog(
        self, connection: AsyncConnection, sip_call_id: str, dead: Collection[str]
    ) -> Orphan | None:
        wanted = await self._of_dialog(connection, sip_call_id, dead)
        ids = list((await connection.execute(wanted.with_for_update(skip_locked=True))).scalars())
        found = await self._taken(connection, ids)
        return found[0] if found else None

    async def _orphaned(self, connection: AsyncConnection, dead: Collection[str]) -> ColumnElement[bool]:
        """Of a line that is dead or not there any more, and fresh enough to be worth it, by the database's clock."""
        beats, late = line_processes.c, await moment(connection) - STALE
        there = select(beats.id).where(beats.id.not_in(list(dead)))
        beaten = select(beats.id).where(beats.id == _OF.line, beats.beat_at >= late).exists()
        return (_OF.line != self._line) & _OF.line.not_in(there) & ((_OF.at >= late) | beaten)

    async def _share(self, connection: AsyncConnection, count: int, room: int, dead: Collection[str]) -> int:
        """How many of ``count`` are for this line: as its room is to that of all, and one at least."""
        beats, silent = line_processes.c, await moment(connection) - timedelta(seconds=SILENT_S)
        others = select(func.coalesce(func.sum(beats.room), 0)).where(
            beats.id != self._line, beats.beat_at >= silent, beats.id.not_in(list(dead))
        )
        theirs = int((await connection.execute(others)).scalar_one())
        return max(1, -(-count * room // (room + theirs)))

    async def _taken(self, connection: AsyncConnection, ids: Sequence[str]) -> Sequence[Orphan]:
        if not ids:
            return ()
        taken = update(live_dialogs).where(_OF.call_id.in_(ids), _OF.line != self._line)
        rows = (
            await connection.execute(taken.values(line=self._line, taken_from=_OF.line).returning(live_dialogs))
        ).all()
        ids = [row.call_id for row in rows]
        them = calls.c.call_id.in_(ids) & calls.c.canonical.is_(null())
        known = {row.call_id: row for row in await connection.execute(select(calls).where(them))}
        counts = select(call_entries.c.call_id, func.max(call_entries.c.number)).where(call_entries.c.call_id.in_(ids))
        entries = await _by_key(connection, counts.group_by(call_entries.c.call_id))
        beaten = await _by_key(connection, select(line_processes.c.id, line_processes.c.beat_at))
        now = await moment(connection)
        mine = {"line": self._line, "node": self._node, "ended_at": None, "outcome": ""}
        await connection.execute(update(calls).where(them).values(mine))
        theirs = places.c.call_id.in_(ids) & (places.c.line != "") & (places.c.channel != "message")
        await connection.execute(update(places).where(theirs).values(line=self._line))
        return [
            _orphan(
                *(row, self._opened(row), known.get(row.call_id), entries.get(row.call_id)),
                (now - beaten.get(row.taken_from, row.at)).total_seconds(),
            )
            for row in rows
        ]

    def _opened(self, row: Row[Any]) -> Mapping[str, Any]:
        """Its snapshot, without what this line's keys don't open."""

        def broken(error: SealBroken) -> None:
            log.warning("takeover.keys_unreadable", call_id=row.call_id, error=str(error))

        snapshot: Mapping[str, Any] = opened(row.snapshot, self._keys, row.call_id.encode(), broken)
        return snapshot

    @reads
    async def lost(self, connection: AsyncConnection) -> Collection[str]:
        return set((await connection.execute(_TAKEN, {"mine": self._line})).scalars())

    @writes
    async def sweep(self, connection: AsyncConnection) -> int:
        """Forget calls that nobody took over while that was worth it; how many."""
        at = await moment(connection)
        alive = select(line_processes.c.id).where(line_processes.c.beat_at >= at - STALE)
        old = _OF.line.not_in(alive) & (_OF.at < at - STALE)
        return (await connection.execute(delete(live_dialogs).where(old))).rowcount


async def _by_key(connection: AsyncConnection, pairs: Select[Any]) -> dict[str, Any]:
    return {row[0]: row[1] for row in await connection.execute(pairs)}


def _orphan(
    row: Row[Any], snapshot: Mapping[str, Any], call: Row[Any] | None, entries: int | None, silent_s: float
) -> Orphan:
    """``call`` None: its beginning was not written, or it has ended after all."""
    return Orphan(
        row.call_id,
        snapshot,
        node=(call.node or "") if call is not None else "",
        line=row.taken_from,
        silent_s=max(0.0, silent_s),
        caller=call.caller if call is not None else "",
        called=call.called if call is not None else "",
        started_at=call.started_at if call is not None else row.at,
        entries=0 if entries is None else entries + 1 + LATE_ENTRIES,
    )


# -- how it is written -----------------------------------------------------------------------------------------


async def _dialog(connection: AsyncConnection, kept: Sequence[Mapping[str, Any]]) -> None:
    at = await moment(connection)
    latest = {values["call_id"]: {**values, "at": at} for values in kept}
    insert = insert_new(connection, live_dialogs)
    newer = {name: insert.excluded[name] for name in ("snapshot", "at")}
    mine = live_dialogs.c.line == insert.excluded.line
    upsert = insert.on_conflict_do_update(index_elements=[_OF.call_id], set_=newer, where=mine)
    await connection.execute(upsert, list(latest.values()))


async def _no_dialog(connection: AsyncConnection, gone: Sequence[Mapping[str, Any]]) -> None:
    by_line: dict[str, list[str]] = {}
    for values in gone:
        by_line.setdefault(values["line"], []).append(values["call_id"])
    for line, these in by_line.items():
        await connection.execute(_GONE, {"mine": line, "these": these})


RULES: Mapping[str, Rule] = {"dialog": _dialog, "no dialog": _no_dialog}
