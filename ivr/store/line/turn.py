"""One turn at the line: a transaction, the database's moment, and what it tells afterwards.

SQLite has one writer anyway; on PostgreSQL an advisory lock does the same for the whole cluster, for whatever makes
places wait or pairs them. It is what keeps the order exact: whoever arrived first has committed first, and two
processes never pair at once. What goes on with one offer, conversation or agent does without; rows are locked, a place
before its agent. No signalling and no speech inside: a turn lasts milliseconds. Should the process that has the lock
stand still, the server ends its session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.config import LineConfig
from ivr.errors import IvrError
from ivr.ports.line import LATE, AgentStatus, Arrival, Offer, Place
from ivr.store.database import clock, fit, moment
from ivr.store.tables import agent_events, agents, place_events, places

CHANNEL = "ivr_line"  # LISTEN, NOTIFY
PAUSED = ("away", "talking", "abandoned", "expired")  # nobody waits then
STANDSTILL_MS = 5000
_LOCK = 0x49564C4E

BEGIN_ALONE = select(  # on PostgreSQL; in this order
    func.set_config("idle_in_transaction_session_timeout", str(STANDSTILL_MS), True),
    func.pg_advisory_xact_lock(_LOCK),
    clock(True),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """``line``: this process. What is told is written, and notified to everybody, when the turn ends."""

    connection: AsyncConnection
    at: datetime
    rules: LineConfig
    line: str
    told: list[dict[str, Any]] = field(default_factory=list)
    agents_told: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    async def begin(cls, connection: AsyncConnection, rules: LineConfig, line: str, *, alone: bool) -> Turn:
        """``alone``: with the lock."""
        if alone and connection.dialect.name == "postgresql":
            return cls(connection, (await connection.execute(BEGIN_ALONE)).one().at, rules, line)
        return cls(connection, await moment(connection), rules, line)

    def after(self, seconds: float) -> datetime:
        return self.at + timedelta(seconds=seconds)

    def before(self, seconds: float) -> datetime:
        return self.at - timedelta(seconds=seconds)

    def tell(self, place: int, kind: str, agent: str = "", **detail: Any) -> None:
        self.told.append({"place": place, "at": self.at, "kind": kind, "agent": agent, "detail": detail})

    async def end(self) -> None:
        """Events, and one notification, which PostgreSQL delivers at the commit."""
        written = [
            insert(table).values(rows)
            for table, rows in ((agent_events, self.agents_told), (place_events, self.told))
            if rows
        ]
        if written and self.connection.dialect.name == "postgresql":  # in one statement: whoever is next waits for it
            notified = select(func.pg_notify(CHANNEL, f"changed 0 {self.line}"))
            await self.connection.execute(notified.add_cte(*(each.cte(each.table.name) for each in written)))
            return
        for each in written:
            await self.connection.execute(each)

    # -- places ------------------------------------------------------------------------------------------------------

    async def find(self, *conditions: ColumnElement[bool]) -> Sequence[Row[Any]]:
        """Rows of places, the oldest first, locked."""
        query = select(places).where(*conditions).order_by(places.c.entered_at, places.c.id).with_for_update()
        return (await self.connection.execute(query)).all()

    async def place(self, place_id: int) -> Row[Any] | None:
        found = await self.find(places.c.id == place_id)
        return found[0] if found else None

    async def known(self, place_id: int) -> Row[Any]:
        """Raises IvrError for a place that there isn't."""
        if (row := await self.place(place_id)) is None:
            raise IvrError(f"there is no place {place_id} in the line", remedy="it is over for long; look at the board")
        return row

    async def put(self, row: Row[Any], state: str, kind: str, **values: Any) -> Row[Any]:
        """The place is in ``state`` now, and ``kind`` happened to it; what only an offer has is taken off elsewhere.

        ``detail`` goes to the event."""
        detail = values.pop("detail", {})
        told_agent = values.get("agent") or row.agent
        if state not in ("offered", "dialling", "talking"):
            values = {"agent": "", "seat": None, "until": None, **values}
        changed = {"state": state, "changed_at": self.at, "tie": "", **values}
        changed["waits_since"] = self._waits_since(row, state, changed.get("due_at", row.due_at))
        query = update(places).where(places.c.id == row.id).values(changed).returning(places)
        made: Row[Any] = (await self.connection.execute(query)).one()
        self.tell(row.id, kind, told_agent, state=state, was=row.state, **detail)
        return made

    def _waits_since(self, row: Row[Any], state: str, due_at: datetime | None) -> datetime:
        """So long ago as the place will have waited in all by now; while a call back is not due, by then."""
        stopped = row.changed_at if row.state in PAUSED else self.at
        if row.state == "callback" and row.due_at is not None:
            stopped = max(stopped, row.due_at)
        waited: timedelta = stopped - (row.waits_since or row.entered_at)
        return (max(self.at, due_at) if state == "callback" and due_at is not None else self.at) - waited

    # -- agents ------------------------------------------------------------------------------------------------------

    async def seat(self, seat: str | None) -> Row[Any] | None:
        if seat is None:
            return None
        query = select(agents).where(agents.c.seat == seat).with_for_update()
        return (await self.connection.execute(query)).one_or_none()

    async def sit(self, seat: Any, state: str, reason: str = "", until: datetime | None = None, **values: Any) -> None:
        """The agent is in ``state`` on this seat from now on."""
        values = {"state": state, "reason": fit(reason, 100), "until": until, "since": self.at, **values}
        if state == "idle":
            values = {"idle_at": self.at, "going": "", **values}
        if state == "away":
            values = {"going": "", **values}
        await self.connection.execute(update(agents).where(agents.c.seat == seat.seat).values(values))
        self.agents_told.append(
            {"agent": seat.name, "slot": seat.slot, "at": self.at, "state": state, "reason": fit(reason, 100)}
        )


def in_order(late: datetime | ColumnElement[datetime]) -> Sequence[ColumnElement[Any]]:
    """What places are sorted by: ``ivr.desk.routing`` says the same. ``late``: who came before has waited too long."""
    first = case((places.c.entered_at < late, LATE), else_=places.c.priority)
    return first.desc(), places.c.first.desc(), places.c.entered_at, places.c.id


def seat_of(agent: str, slot: int) -> str:
    return agent if slot == 1 else f"{agent}#{slot}"


def place_of(row: Row[Any], *, again: bool = False) -> Place:
    arrival = Arrival(
        person=row.person,
        call_id=row.call_id,
        skill=row.skill,
        priority=row.priority,
        reason=row.reason,
        said=row.said,
        name=row.name,
        number=row.number,
        member=row.member,
        language=row.language,
        named=row.named,
        context=row.context,
        channel=row.channel,
    )
    return Place(
        id=row.id,
        arrival=arrival,
        entered_at=row.entered_at,
        state=row.state,
        line=row.line,
        agent=row.agent,
        offers=row.offers,
        attempts=row.attempts,
        callback_number=row.callback_number,
        due_at=row.due_at,
        again=again,
        first=row.first,
        recording=row.recording,
        transcript=row.transcript,
        waits_since=row.waits_since,
        changed_at=row.changed_at,
    )


def status_of(row: Row[Any], skills: Sequence[str]) -> AgentStatus:
    return AgentStatus(
        name=row.name,
        state=row.state,
        since=row.since,
        skills=tuple(skills),
        reason=row.reason,
        phone=row.phone,
        line=row.line if row.console else "",
        display=row.display,
        slot=row.slot,
        until=row.until,
    )


def offer_of(place: Row[Any], seat: Any) -> Offer:
    return Offer(place_of(place), seat.name, place.until, seat.line if seat.console else "", seat.slot)
