"""Verification tries: wrong secrets counted across calls, by whom they were tried for and by the number that called.

A lock grows with every further try and goes by itself; while it lasts nothing is checked, so nothing is learnt and
nothing is added. Whoever meets it goes to a person: nobody is ever locked out from people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.numbering import digits_of
from ivr.store.database import TableGroup, writes
from ivr.store.tables import verification_tries

WINDOW = timedelta(hours=24)  # older tries count no more
FIRST_LOCK = timedelta(minutes=15)
FOR_ONE_CALLER = 3  # wrong tries for one member, whoever makes them
FROM_ONE_NUMBER = 6  # wrong tries by one calling number, whomever they are for
WITHHELD = 30  # the same for all who withhold their number, who can't be told apart


def locked(tries: Sequence[datetime], allowed: int, now: datetime) -> bool:
    """Whether these tries, all of them wrong, lock what comes at ``now``: FIRST_LOCK after the last one allowed, twice
    as long after each further one, at most WINDOW."""
    recent = [at for at in tries if at > now - WINDOW]
    if len(recent) < allowed:
        return False
    lock = min(WINDOW, FIRST_LOCK * (1 << min(len(recent) - allowed, 16)))
    return now < max(recent) + lock


@dataclass(frozen=True, slots=True)
class _Try:
    claimed: str
    caller: str
    at: datetime


def _locked(tries: Sequence[_Try], claimed: str, caller: str, now: datetime) -> bool:
    return locked([t.at for t in tries if t.claimed == claimed], FOR_ONE_CALLER, now) or locked(
        [t.at for t in tries if t.caller == caller], FROM_ONE_NUMBER if caller else WITHHELD, now
    )


def hashed(text: str) -> str:
    """Whom something was for, where it is counted and nobody's to read: what wrong people keyed, say."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def number_tried(caller: str) -> str:
    """One number however it is written; "" stands for all that are withheld."""
    return digits_of(caller)[-10:] or caller


class VerificationLog(TableGroup):
    """Implements ``ivr.ports.VerificationTries`` in the database."""

    @writes
    async def begin(self, connection: AsyncConnection, claimed: str, caller: str) -> int | None:
        now, table = self._now(), verification_tries
        whom, by = hashed(claimed), hashed(number) if (number := number_tried(caller)) else ""
        if connection.dialect.name == "postgresql":
            # Tries at the same moment wait for each other, in one order; SQLite's writers do so anyway.
            for key in sorted({f"verify {whom}", f"verify by {by}"}):
                await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
        await connection.execute(delete(table).where(table.c.at < now - WINDOW))
        rows = await connection.execute(select(table).where((table.c.claimed == whom) | (table.c.caller == by)))
        if _locked([_Try(row.claimed, row.caller, row.at) for row in rows], whom, by, now):
            return None
        made = insert(table).values(claimed=whom, caller=by, at=now).returning(table.c.id)
        return int((await connection.execute(made)).scalar_one())

    @writes
    async def passed(self, connection: AsyncConnection, identity: int) -> None:
        table = verification_tries
        row = (await connection.execute(select(table).where(table.c.id == identity))).one_or_none()
        if row is not None:
            same = (table.c.claimed == row.claimed) & (table.c.caller == row.caller)
            await connection.execute(delete(table).where(same if row.caller else table.c.id == identity))


class MemoryVerificationLog:
    """The same in this process, for simulated calls."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._tries: dict[int, _Try] = {}
        self._count = 0

    async def begin(self, claimed: str, caller: str) -> int | None:
        this = _Try(claimed, number_tried(caller), self._now())
        if _locked(tuple(self._tries.values()), this.claimed, this.caller, this.at):
            return None
        self._count += 1
        self._tries[self._count] = this
        return self._count

    async def passed(self, identity: int) -> None:
        this = self._tries.pop(identity, None)
        if this is not None and this.caller:
            same = (this.claimed, this.caller)
            self._tries = {key: t for key, t in self._tries.items() if (t.claimed, t.caller) != same}
