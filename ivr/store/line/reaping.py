"""Reaping: what dead processes held, offers that nobody answered, and whatever else is over by itself; by anybody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Row, Select, bindparam, exists, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.ports.line_store import LINE_LOST, RESTED
from ivr.store.columns import Moment
from ivr.store.line.agreements import free, give_back, not_reached, relieve, superseded, unlike
from ivr.store.line.turn import Turn
from ivr.store.tables import HELD, LIVE, agents, line_processes, places

DEAD_S = 5.0  # without a beat

WITH_A_LINE = ("waiting", "offered", "dialling", "talking")

At = datetime | BindParameter[datetime]


async def bury(turn: Turn, *, silent: bool) -> int:
    """What processes had that are not there any more goes back to where it was, each at its old place; how many.

    ``silent``: those too that have not beaten for DEAD_S, by the database's clock."""
    alive = _alive(turn.before(DEAD_S) if silent else None)
    gone = await turn.find(*_buried(alive))
    for row in gone:
        await free(turn, row)
        if row.channel == "message":
            await turn.put(row, "waiting", "lost", line="")
        elif row.callback_number and row.state != "talking":
            await turn.put(row, "callback", "lost", line="")
        elif not await superseded(turn, row) and not await _dialled_again(turn, row):
            await turn.put(row, "away", "lost", line="", person=await unlike(turn, row, row.skill))
    orphans = select(agents).where(*_orphaned(alive))
    for orphan in (await turn.connection.execute(orphans)).all():
        offered = await turn.find(places.c.seat == orphan.seat, places.c.state == "offered")
        if (seat := await turn.seat(orphan.seat)) is None:
            continue
        phone = {"line": "", "console": seat.console and not seat.configured}
        await turn.connection.execute(update(agents).where(agents.c.seat == seat.seat).values(phone))
        if seat.state == "offered" and seat.console:
            for row in offered:
                await give_back(turn, row, "lost")
        if seat.state not in ("offered", "busy", "away") or (seat.state == "away" and seat.configured and seat.console):
            await turn.sit(seat, "away", LINE_LOST)
    return len(gone)


async def expire(turn: Turn) -> None:
    """Leases that are over, places of who did not come back, wrap-ups and rests; and no seat is taken by nobody."""
    for row in await turn.find(*_unanswered("offered", turn.at)):
        await give_back(turn, row, "no_answer")
    for row in await turn.find(*_unanswered("dialling", turn.at)):
        await not_reached(turn, row)
    for row in await turn.find(*_expired(turn.before(turn.rules.grace_s))):
        await turn.put(row, "expired", "expired")
    rested = select(agents).where(*_rested(turn.at)).with_for_update()
    for seat in (await turn.connection.execute(rested)).all():
        if seat.state == "away" and not seat.console:
            await turn.sit(seat, "away", RESTED)  # who looks after it knows whether it is on duty
        else:
            await relieve(turn, seat)
    empty = select(agents).where(*_empty()).with_for_update(skip_locked=True)
    for seat in (await turn.connection.execute(empty)).all():
        await relieve(turn, seat, wraps_up=True)


async def _dialled_again(turn: Turn, row: Row[Any]) -> bool:
    """Who was cut off in a conversation called again before anybody noticed, and was taken for somebody else at the
    same number: while they wait, they wait at their old place; otherwise they are served, or will be."""
    twins = await turn.find(
        places.c.person == row.person, places.c.skill == row.skill, places.c.channel == row.channel,
        places.c.state.in_(LIVE), places.c.id != row.id,
    )  # fmt: skip
    if not twins:
        return False
    again = twins[0]
    if again.state == "waiting":
        await turn.put(again, "done", "merged", line="", detail={"into": row.id})
        await turn.put(row, "waiting", "again", line=again.line, call_id=again.call_id, context=again.context)
    else:
        await turn.put(row, "done", "merged", line="", detail={"into": again.id})
    return True


# -- what is over --------------------------------------------------------------------------------------------------


async def anything(connection: AsyncConnection, at: datetime, late: datetime, silent: datetime | None) -> bool:
    """Whether there is anything to bury or to let expire: hardly ever, and finding that out costs one statement.

    ``late``: who went away before is expired; ``silent``: lines that have not beaten since are dead, too."""
    known = {"now": at, "late": late} | ({} if silent is None else {"silent": silent})
    return (await connection.execute(_ANYTHING[silent is not None], known)).first() is not None


def _alive(silent: At | None) -> Select[Any]:
    alive = select(line_processes.c.id)
    return alive if silent is None else alive.where(line_processes.c.beat_at >= silent)


def _buried(alive: Select[Any]) -> Sequence[ColumnElement[bool]]:
    return places.c.state.in_(WITH_A_LINE), places.c.line != "", places.c.line.not_in(alive)


def _orphaned(alive: Select[Any]) -> Sequence[ColumnElement[bool]]:
    return agents.c.line != "", agents.c.line.not_in(alive)


def _unanswered(state: str, now: At) -> Sequence[ColumnElement[bool]]:
    return places.c.state == state, _over(places.c.until, now)


def _expired(late: At) -> Sequence[ColumnElement[bool]]:
    return places.c.state == "away", places.c.changed_at < late


def _rested(now: At) -> Sequence[ColumnElement[bool]]:
    return agents.c.state.in_(("wrap_up", "away")), _over(agents.c.until, now)


def _empty() -> Sequence[ColumnElement[bool]]:
    held = select(places.c.seat).where(places.c.state.in_(HELD), places.c.seat.is_not(None))
    return agents.c.state.in_(("offered", "busy")), agents.c.seat.not_in(held)


def _over(until: ColumnElement[Any], now: At) -> ColumnElement[bool]:
    return until.is_not(None) & (until < now)


def _any_of(silent: bool) -> Select[Any]:
    now, late = bindparam("now", type_=Moment), bindparam("late", type_=Moment)
    alive = _alive(bindparam("silent", type_=Moment) if silent else None)
    found = (
        _buried(alive), _orphaned(alive), _unanswered("offered", now), _unanswered("dialling", now), _expired(late),
        _rested(now), _empty(),
    )  # fmt: skip
    return select(literal(1)).where(or_(*(exists().where(*each) for each in found)))


_ANYTHING = {silent: _any_of(silent) for silent in (False, True)}
