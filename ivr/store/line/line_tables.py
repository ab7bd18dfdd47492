"""The line's tables: the transactions of ``ivr.ports.line.Places``, pairing, reaping, and the line as it stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.config import LineConfig
from ivr.ports import Clock
from ivr.ports.line import AgentState, AgentStatus, Arrival, Leaving, Offer, Place, PlaceState, Release
from ivr.ports.line_store import RETURN_S, SOON_BACK, Phone, Snapshot
from ivr.store.columns import Moment
from ivr.store.database import Database, TableGroup, moment, reads
from ivr.store.lease import LineLease
from ivr.store.line import agreements, arrivals, duty, reaping
from ivr.store.line.notifications import Notifications
from ivr.store.line.pairing import Pairing
from ivr.store.line.turn import Turn, in_order, offer_of, place_of, status_of
from ivr.store.tables import LIVE, agent_skills, agents, places

T = TypeVar("T")

# Made once: building and hashing a statement takes longer than running it.
_PLACES = select(places).where(places.c.state.in_(LIVE)).order_by(*in_order(bindparam("late", type_=Moment)))
_THERE = (agents.c.line != "") | (agents.c.configured != "") | (agents.c.state != "away")
_LEFT = agents.c.reason.in_(SOON_BACK) & (agents.c.since > bindparam("returning", type_=Moment))
_SEATS = select(agents, _THERE.label("there")).where(_THERE | _LEFT).order_by(agents.c.name, agents.c.slot)
_SKILLS = select(agent_skills).order_by(agent_skills.c.skill)


class LineTables(TableGroup):
    """``lease``: of this process, None for one that only looks. Methods raise StoreUnavailable, and IvrError where they
    say so."""

    def __init__(self, database: Database, now: Callable[[], datetime], lease: LineLease | None = None) -> None:
        super().__init__(database, now)
        self._lease = lease
        self.line = lease.line if lease is not None else ""
        self.apply(LineConfig())
        self._notifications = Notifications(database)

    def apply(self, rules: LineConfig) -> None:
        """From the next transaction on."""
        self._rules, self._pairing = rules, Pairing(rules)

    async def _turn(self, work: Callable[[Turn], Awaitable[T]], *, alone: bool = True) -> T:
        async def run(connection: AsyncConnection) -> T:
            turn = await Turn.begin(connection, self._rules, self.line, alone=alone)
            result = await work(turn)
            await turn.end()
            return result

        return await self._database.write(run)

    # -- ports.line.Places --------------------------------------------------------------------------------------------

    async def enter(self, arrival: Arrival) -> Place:
        return await self._turn(lambda turn: arrivals.enter(turn, arrival))

    async def leave(self, place_id: int, how: Leaving) -> None:
        await self._turn(lambda turn: arrivals.leave(turn, place_id, how))

    async def call_back(self, place_id: int, number: str, due_at: datetime | None = None) -> Place:
        return await self._turn(lambda turn: arrivals.call_back(turn, place_id, number, due_at))

    async def ask_call_back(self, arrival: Arrival, number: str, due_at: datetime | None = None) -> Place:
        return await self._turn(lambda turn: arrivals.ask_call_back(turn, arrival, number, due_at))

    async def leave_message(self, arrival: Arrival, recording: str, transcript: str) -> Place:
        return await self._turn(lambda turn: arrivals.leave_message(turn, arrival, recording, transcript))

    async def place_of(self, person: str) -> Place | None:
        return await self._turn(lambda turn: arrivals.place_of_person(turn, person), alone=False)

    async def answered(self, offer: Offer) -> bool:
        return await self._turn(lambda turn: agreements.answered(turn, offer), alone=False)

    async def released(self, offer: Offer, why: Release) -> None:
        await self._turn(lambda turn: agreements.released(turn, offer, why))

    async def dialling(self, offer: Offer) -> bool:
        return await self._turn(lambda turn: agreements.dialling(turn, offer), alone=False)

    async def undialled(self, offer: Offer) -> PlaceState:
        return await self._turn(lambda turn: agreements.undialled(turn, offer))

    async def finished(self, place_id: int, agent: str, disposition: str = "") -> None:
        await self._turn(lambda turn: agreements.finished(turn, place_id, agent, disposition), alone=False)

    async def wrapped_up(self, place_id: int, agent: str, disposition: str) -> None:
        await self._turn(lambda turn: agreements.wrapped_up(turn, place_id, agent, disposition), alone=False)

    async def broken(self, place_id: int, agent: str) -> Place:
        return await self._turn(lambda turn: agreements.broken(turn, place_id, agent))

    async def rejoined(self, place_id: int, agent: str) -> bool:
        return await self._turn(lambda turn: agreements.rejoined(turn, place_id, agent), alone=False)

    async def passed(self, place_id: int, agent: str, *, to: str = "", skill: str = "", named: str = "") -> Place:
        return await self._turn(lambda turn: agreements.passed(turn, place_id, agent, to, skill, named))

    async def sign_in(
        self, agent: str, *, display: str = "", skills: Sequence[str] = (), phone: str = "browser"
    ) -> AgentStatus:
        return await self._turn(lambda turn: duty.sign_in(turn, agent, display, skills, phone))

    async def sign_out(self, agent: str) -> None:
        await self._turn(lambda turn: duty.sign_out(turn, agent))

    async def set_state(self, agent: str, state: AgentState, reason: str = "") -> AgentStatus:
        return await self._turn(lambda turn: duty.set_state(turn, agent, state, reason), alone=False)

    async def set_skills(self, agent: str, skills: Sequence[str]) -> None:
        await self._turn(lambda turn: duty.set_skills(turn, agent, skills))

    async def move(self, place_id: int, *, skill: str = "", priority: int | None = None) -> Place:
        return await self._turn(lambda turn: arrivals.move(turn, place_id, skill, priority))

    # -- what the line itself does ------------------------------------------------------------------------------------

    async def pair(self) -> Offer | None:
        """One place is offered to one agent; None where nobody can be paired."""
        drains = self._lease is not None and self._lease.drains()
        return await self._database.write(lambda connection: self._pairing.pair(connection, self.line, drains=drains))

    async def look_after(self, phones: Collection[Phone]) -> None:
        """Phones of the configuration, as they are to be now."""
        await self._turn(lambda turn: duty.look_after(turn, phones))

    async def reap(self, *, silent: bool | None = None) -> int:
        """Whatever is over; how many places dead processes had. ``silent``: also those that only were not heard of for
        a while; None: where this process itself could have heard them."""

        def wanted() -> bool:
            steady = self._lease is not None and self._lease.steady  # asked when the moment is known
            return steady if silent is None else silent

        async def look(connection: AsyncConnection) -> bool:
            at = await moment(connection)
            late, dead = timedelta(seconds=self._rules.grace_s), timedelta(seconds=reaping.DEAD_S)
            return await reaping.anything(connection, at, at - late, at - dead if wanted() else None)

        async def work(turn: Turn) -> int:
            buried = await reaping.bury(turn, silent=wanted())
            await reaping.expire(turn)
            return buried

        return await self._turn(work) if await self._database.read(look) else 0

    @reads
    async def offer_of(self, connection: AsyncConnection, place_id: int) -> Offer | None:
        """The offer of this place that runs."""
        query = select(places).where(places.c.id == place_id, places.c.state == "offered")
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        seat = (await connection.execute(select(agents).where(agents.c.seat == row.seat))).one_or_none()
        return offer_of(row, seat) if seat is not None else None

    async def follow(self, clock: Clock, heard: Callable[[str, int], None]) -> None:
        """See ``ivr.ports.line_store``."""
        await self._notifications.run(clock, heard, self.line)

    @reads
    async def snapshot(self, connection: AsyncConnection) -> Snapshot:
        at = await moment(connection)
        rows = (await connection.execute(_PLACES, {"late": at - timedelta(seconds=self._rules.bound_s)})).all()
        rows_of_seats = (await connection.execute(_SEATS, {"returning": at - timedelta(seconds=RETURN_S)})).all()
        seats = [seat for seat in rows_of_seats if seat.there]
        skills: dict[str, list[str]] = {}
        for each in await connection.execute(_SKILLS):
            skills.setdefault(each.agent, []).append(each.skill)
        by_seat = {seat.seat: seat for seat in seats}
        return Snapshot(
            at,
            tuple(place_of(row) for row in rows),
            tuple(status_of(seat, skills.get(seat.name, ())) for seat in seats),
            tuple(offer_of(row, by_seat[row.seat]) for row in rows if row.state == "offered" and row.seat in by_seat),
            {(seat.name, seat.slot): seat.line for seat in seats if not seat.console},
            max((seat.since for seat in rows_of_seats if not seat.there), default=None),
        )
