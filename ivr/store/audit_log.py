"""The audit log: rows that nobody changes, each with the hash of the one before, in whatever process they are written.

Whoever appends holds the row of ``audit_head`` until their transaction ends, so that a change and its row stand or fall
together and the chain has one order. Take other locks before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import StoreUnavailable
from ivr.origin import source
from ivr.ports import AuditEvent, AuditFound, AuditRow, AuditSearch
from ivr.store.account_tables import audit_head, audit_log
from ivr.store.audit_chain import FIRST, Link, written
from ivr.store.database import TableGroup, fit, reads, writes

LONG_S = 600.0  # of who verifies; nobody waits for it
AT_ONCE = 1000
EXPIRED = "audit.expired"
ANEW = "it is not the row that was noted: the log was written anew"


@dataclass(frozen=True, slots=True)
class Verified:
    """``broken``: the first row that is wrong, and how; None where the log is whole. ``last`` and ``hash``: where it
    ends; written down elsewhere, they show later that nothing before was made anew. ``expired``: rows up to that one
    are gone, as a row says."""

    rows: int
    last: int
    hash: str
    broken: int | None = None
    why: str = ""
    expired: int = 0


async def append(
    connection: AsyncConnection, event: AuditEvent, at: datetime, *, expired: int | None = None
) -> tuple[int, str]:
    """In the caller's transaction, whose last lock it takes; number and hash of the row."""
    last, previous = await _end(connection, hold=True)
    link = Link(
        last + 1,
        at,
        fit(event.actor, 100),
        fit(source(), 100),
        fit(event.action, 60),
        fit(event.target, 200),
        written(event.before),
        written(event.after),
        fit(event.result, 200),
        expired,
        previous,
    )
    values = {name: getattr(link, name) for name in Link.__slots__}
    await connection.execute(insert(audit_log).values({**values, "hash": link.hash}))
    await connection.execute(update(audit_head).values(last=link.id, hash=link.hash))
    return link.id, link.hash


async def found(connection: AsyncConnection, asked: AuditSearch) -> AuditFound:
    """See ``ivr.ports.AuditLog.find``."""
    matching = _matching(asked)
    count = (await connection.execute(select(func.count()).select_from(audit_log).where(matching))).scalar_one()
    newest = select(audit_log).where(matching).order_by(audit_log.c.id.desc())
    rows = await connection.execute(newest.limit(asked.limit).offset(asked.offset))
    return AuditFound([_row(row) for row in rows], count)


async def _end(connection: AsyncConnection, *, hold: bool = False) -> tuple[int, str]:
    """Raises StoreUnavailable where somebody took it away."""
    head = select(audit_head.c.last, audit_head.c.hash)
    row = (await connection.execute(head.with_for_update() if hold else head)).one_or_none()
    if row is None:
        raise StoreUnavailable("the audit log has lost its end", remedy="restore a backup; see ivr audit verify")
    return row.last, row.hash


class AuditLogTable(TableGroup):
    """Implements ``ivr.ports.AuditLog``. Methods raise StoreUnavailable."""

    @writes
    async def note(self, connection: AsyncConnection, event: AuditEvent) -> None:
        await append(connection, event, self._now())

    @reads
    async def find(self, connection: AsyncConnection, asked: AuditSearch) -> AuditFound:
        return await found(connection, asked)

    async def verify(self, last: int = 0, hash_: str = "") -> Verified:
        """Every row. ``last`` and ``hash_``: where it ended once, and must have passed."""

        async def work(connection: AsyncConnection) -> Verified:
            if connection.dialect.name == "postgresql":  # one look, whatever is appended or expires meanwhile
                await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            return await _verified(connection, last, hash_)

        return await self._database.read(work, timeout_s=LONG_S)

    async def expire(self, before: datetime, by: str) -> int:
        """Delete what is older than ``before``, which is itself a row; how many. What goes on begins where that row
        says."""

        async def work(connection: AsyncConnection) -> int:
            await _end(connection, hold=True)  # nobody appends, or expires, meanwhile
            kept = select(func.min(audit_log.c.id)).where(audit_log.c.at >= before)
            first = (await connection.execute(kept)).scalar_one()
            newest = (await connection.execute(select(func.max(audit_log.c.id)))).scalar_one()
            through = first - 1 if first is not None else newest
            old = audit_log.c.id <= (through or 0)
            count = (await connection.execute(select(func.count()).select_from(audit_log).where(old))).scalar_one()
            if not count:
                return 0
            end = (await connection.execute(select(audit_log.c.hash).where(audit_log.c.id == through))).scalar_one()
            told = {"rows": count, "through": through, "hash": end}
            await append(connection, AuditEvent(by, EXPIRED, after=told), self._now(), expired=through)
            await connection.execute(delete(audit_log).where(old))
            return int(count)

        return await self._database.write(work, timeout_s=LONG_S)


async def _verified(connection: AsyncConnection, noted: int, noted_hash: str) -> Verified:
    last, end = await _end(connection)
    at, previous = await _beginning(connection)
    expired, rows = at, 0
    if 0 < noted < expired:  # whoever wrote the log anew may have said so of all that was before
        return Verified(0, last, end, noted, f"it was noted, and all up to row {expired} expired since", expired)
    if noted and noted == expired and noted_hash != previous:
        return Verified(0, last, end, noted, ANEW, expired)
    while True:
        batch = (
            await connection.execute(
                select(audit_log).where(audit_log.c.id > at).order_by(audit_log.c.id).limit(AT_ONCE)
            )
        ).all()
        for row in batch:
            if why := _wrong(row, at + 1, previous):
                return Verified(rows, last, end, at + 1 if row.id > at + 1 else row.id, why)
            if row.id == noted and row.hash != noted_hash:
                return Verified(rows, last, end, row.id, ANEW)
            rows, at, previous = rows + 1, row.id, row.hash
        if len(batch) < AT_ONCE:
            break
    if (at, previous) != (last, end):
        return Verified(rows, last, end, at + 1, f"it is missing: the log went on until row {last}")
    if noted > at:
        return Verified(rows, last, end, at + 1, f"it is missing: row {noted} was noted once")
    return Verified(rows, last, end, expired=expired)


async def _beginning(connection: AsyncConnection) -> tuple[int, str]:
    """Number and hash of the row before the first: of the last that expired, where any did."""
    kept = audit_log.c
    first = (await connection.execute(select(func.min(kept.id)))).scalar_one() or 1
    expiry = select(kept.after).where(kept.expired == first - 1).order_by(kept.id.desc()).limit(1)
    told = (await connection.execute(expiry)).scalar_one_or_none()
    if first == 1 or told is None:
        return 0, FIRST
    try:
        return first - 1, str(json.loads(told)["hash"])
    except (ValueError, TypeError, KeyError):  # somebody changed it
        return first - 1, ""


def _wrong(row: Row[Any], number: int, previous: str) -> str:
    """What is wrong with ``row``, which should be ``number``; "" for nothing."""
    if row.id != number:
        return f"it is missing: after it comes row {row.id}"
    if row.previous != previous:
        return "it does not follow the row before"
    if Link(**{name: getattr(row, name) for name in Link.__slots__}).hash != row.hash:
        return "its content is not what was hashed"
    return ""


def _matching(asked: AuditSearch) -> ColumnElement[bool]:
    kept = audit_log.c
    conditions: list[ColumnElement[bool]] = [true()]
    if asked.who:
        conditions.append(
            or_(kept.actor.icontains(asked.who, autoescape=True), kept.source.icontains(asked.who, autoescape=True))
        )
    if asked.what:
        conditions.append(kept.action.istartswith(asked.what, autoescape=True))
    if asked.on:
        conditions.append(kept.target.icontains(asked.on, autoescape=True))
    if asked.since is not None:
        conditions.append(kept.at >= asked.since)
    if asked.until is not None:
        conditions.append(kept.at < asked.until)
    return and_(*conditions)


def _row(row: Row[Any]) -> AuditRow:
    before, after = (json.loads(told) if told is not None else None for told in (row.before, row.after))
    event = AuditEvent(row.actor, row.action, row.target, before, after, row.result)
    return AuditRow(row.id, row.at, row.source, event, row.hash)
