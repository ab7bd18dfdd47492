"""Who registers a trunk's account, of the lines on one database: a lease that goes by the same beats as their calls.

Two lines that register one account would both be rung for every call. So a line asks before each REGISTER, and writes
down first which contacts the registrar will know: whoever takes the account over replaces these in the same request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import inf
from typing import Any

from sqlalchemy import Row, false, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports import Held, RegistrationStatus
from ivr.store.database import Database, TableGroup, fit, insert_new, moment, reads, writes
from ivr.store.lease import LineLease
from ivr.store.process_tables import line_processes, registrations

LOOK_S = 0.5
_OF = registrations.c


class RegistrationLeaseTable(TableGroup):
    """Implements ``ivr.ports.RegistrationLeases``. On SQLite there is one line, whose all accounts are.

    ``lease``: of this process; None for one that only looks."""

    def __init__(self, database: Database, now: Callable[[], datetime], lease: LineLease | None, node: str) -> None:
        super().__init__(database, now)
        self._lease = lease
        self._line = lease.line if lease is not None else ""
        self._node = fit(node, 100)
        self.look_s = inf if database.sqlite else LOOK_S

    async def hold(
        self, account: str, status: RegistrationStatus, *, contacts: Sequence[str] | None = None, offered: bool = False
    ) -> Held:
        if self._database.sqlite:
            return Held(True, contacts=contacts or ())
        account = fit(account, 300)
        row, heirs, there = await self._look(account)
        told: dict[str, Any] = {
            "node": self._node,
            "offered": offered,
            "state": fit(status.state, 20),
            "detail": fit(status.detail, 200),
            "expires_at": status.expires_at,
        }
        if contacts is not None:
            told["contacts"] = [*contacts]
        if row is not None and row.line == self._line:
            mine = all(row._mapping[name] == value for name, value in told.items()) or await self._tell(account, told)
        elif offered or (row is not None and not self._is_free(row, there)):
            mine = False
        else:
            mine = await self._take(account, row, told)
        known = tuple(row.contacts) if row is not None else ()
        theirs = _status(status.trunk, row) if row is not None and row.line else None
        return Held(mine, theirs, known if contacts is None or not mine else contacts, heirs)

    def _is_free(self, row: Row[Any], there: bool) -> bool:
        """Nobody's, given up, or of a line that is dead."""
        dead = self._lease.dead if self._lease is not None else ()
        return not row.line or row.offered or not there or row.line in dead

    @reads
    async def _look(self, connection: AsyncConnection, account: str) -> tuple[Row[Any] | None, bool, bool]:
        """The account's row, whether another line would take it, whether the one that has it is there."""
        lines, dead = line_processes.c, [*self._lease.dead] if self._lease is not None else []
        heir = select(lines.id).where(lines.id != self._line, lines.id.not_in(dead), lines.drains == false()).exists()
        there = select(lines.id).where(lines.id == _OF.line).exists()
        row = (
            await connection.execute(select(registrations, there.label("there")).where(_OF.account == account))
        ).first()
        heirs = bool((await connection.execute(select(heir))).scalar_one())
        return row, heirs, row is not None and bool(row.there)

    @writes
    async def _tell(self, connection: AsyncConnection, account: str, told: dict[str, Any]) -> bool:
        """Whether it was still this line's."""
        mine = (_OF.account == account) & (_OF.line == self._line)
        return bool((await connection.execute(update(registrations).where(mine).values(told))).rowcount)

    @writes
    async def _take(
        self, connection: AsyncConnection, account: str, row: Row[Any] | None, told: dict[str, Any]
    ) -> bool:
        """Whether nobody else did meanwhile. What the registrar knows of the one before stays written down."""
        at = await moment(connection)
        ours = {"line": self._line, "since": at, **told}
        if row is None:
            made = insert_new(connection, registrations, _OF.account).values(
                {"account": account, "contacts": []} | ours
            )
            return bool((await connection.execute(made)).rowcount)
        seen = (_OF.account == account) & (_OF.line == row.line) & (_OF.since == row.since)
        return bool((await connection.execute(update(registrations).where(seen).values(ours))).rowcount)

    @writes
    async def _release(self, connection: AsyncConnection, account: str) -> None:
        mine = (_OF.account == account) & (_OF.line == self._line)
        await connection.execute(update(registrations).where(mine).values(line="", offered=False))

    async def release(self, account: str) -> None:
        if not self._database.sqlite:
            await self._release(fit(account, 300))

    @reads
    async def all(self, connection: AsyncConnection) -> Mapping[str, RegistrationStatus]:
        """How the registration of each account stands that somebody keeps."""
        kept = select(registrations).where(_OF.line != "").order_by(_OF.account)
        return {row.account: _status("", row) for row in await connection.execute(kept)}


def _status(trunk: str, row: Row[Any]) -> RegistrationStatus:
    return RegistrationStatus(trunk, row.state, row.detail, row.expires_at, row.node)
