"""Tie-line tokens: another process may ring the agent to whom a place is offered, once, while the offer's lease runs;
or who has it, at the line where their page came back.

A token is 256 random bits; only its SHA-256 is kept, with the place. Whatever happens to the place makes it void.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports.line import Offer
from ivr.store.database import Database, TableGroup, moment, reads, writes
from ivr.store.lease import LineLease
from ivr.store.line.turn import offer_of
from ivr.store.tables import agents, line_processes, places

log = structlog.get_logger(__name__)

REJOIN_S = 20.0  # an agent who talked is rung again within, or not at all


class TieTokens(TableGroup):
    """Implements ``ivr.ports.tie_line.Ties``. ``lease``: of this process, None for one that only looks."""

    def __init__(self, database: Database, now: Callable[[], datetime], lease: LineLease | None = None) -> None:
        super().__init__(database, now)
        self._lease = lease
        self.line = lease.line if lease is not None else ""

    async def reachable_at(self, sip: str) -> None:
        """The others dial this process at ``sip`` (HOST:PORT) from now on. Raises StoreUnavailable."""
        if self._lease is not None:
            await self._lease.reachable_at(sip)

    def near(self, host: str) -> bool:
        return self._lease is not None and any(_host(sip) == host for sip in self._lease.reached.values())

    def dead(self, line: str) -> bool:
        return self._lease is not None and line in self._lease.dead

    async def uri_of(self, offer: Offer) -> str:
        sip = await self._sip_of(offer.line)
        if not sip:
            log.error("tie.no_address", line=offer.line, agent=offer.agent, remedy="give that line [sip] advertise")
            return ""
        token = secrets.token_urlsafe(32)
        return f"sip:desk-{token}@{sip}" if await self._keep(offer, _digest(token)) else ""

    @reads
    async def _sip_of(self, connection: AsyncConnection, line: str) -> str:
        query = select(line_processes.c.sip).where(line_processes.c.id == line)
        return (await connection.execute(query)).scalar_one_or_none() or ""

    @writes
    async def _keep(self, connection: AsyncConnection, offer: Offer, digest: str) -> bool:
        this = (places.c.id == offer.place.id) & (places.c.agent == offer.agent)
        same = places.c.offers == offer.place.offers
        offered = update(places).where(this, same, places.c.state == "offered").values(tie=digest)
        if (await connection.execute(offered)).rowcount:
            return True
        until = await moment(connection) + timedelta(seconds=REJOIN_S)
        again = update(places).where(this, same, places.c.state == "talking").values(tie=digest, until=until)
        return bool((await connection.execute(again)).rowcount)

    @writes
    async def redeem(self, connection: AsyncConnection, token: str) -> Offer | None:
        stands = places.c.state.in_(("offered", "talking")) & (places.c.until > await moment(connection))
        this = update(places).where(places.c.tie == _digest(token), stands).values(tie="").returning(places)
        if (row := (await connection.execute(this)).one_or_none()) is None:
            return None
        here = select(agents).where(agents.c.seat == row.seat, agents.c.line == self.line, agents.c.console)
        seat = (await connection.execute(here)).one_or_none()
        return offer_of(row, seat) if seat is not None else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _host(sip: str) -> str:
    """Of HOST:PORT; without the brackets of IPv6."""
    return sip.partition(";")[0].rpartition(":")[0].strip("[]")
