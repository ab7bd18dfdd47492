"""Reaping: what dead processes held, offers that nobody answered, and whatever else is over by itself; by anybody."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Row, select, update

from ivr.ports.line_store import LINE_LOST, RESTED
from ivr.store.line.agreements import free, give_back, not_reached, relieve, superseded, unlike
from ivr.store.line.turn import Turn
from ivr.store.tables import HELD, LIVE, agents, line_processes, places

DEAD_S = 5.0  # without a beat

WITH_A_LINE = ("waiting", "offered", "dialling", "talking")


async def bury(turn: Turn, *, silent: bool) -> int:
    """What processes had that are not there any more goes back to where it was, each at its old place; how many.

    ``silent``: those too that have not beaten for DEAD_S, by the database's clock."""
    alive = select(line_processes.c.id)
    if silent:
        alive = alive.where(line_processes.c.beat_at >= turn.before(DEAD_S))
    gone = await turn.find(places.c.state.in_(WITH_A_LINE), places.c.line != "", places.c.line.not_in(alive))
    for row in gone:
        await free(turn, row)
        if row.channel == "message":
            await turn.put(row, "waiting", "lost", line="")
        elif row.callback_number and row.state != "talking":
            await turn.put(row, "callback", "lost", line="")
        elif not await superseded(turn, row) and not await _dialled_again(turn, row):
            await turn.put(row, "away", "lost", line="", person=await unlike(turn, row, row.skill))
    orphans = select(agents).where(agents.c.line != "", agents.c.line.not_in(alive))
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
    over = _over(turn, places.c.until)
    for row in await turn.find(places.c.state == "offered", over):
        await give_back(turn, row, "no_answer")
    for row in await turn.find(places.c.state == "dialling", over):
        await not_reached(turn, row)
    for row in await turn.find(places.c.state == "away", places.c.changed_at < turn.before(turn.rules.grace_s)):
        await turn.put(row, "expired", "expired")
    rested = select(agents).where(agents.c.state.in_(("wrap_up", "away")), _over(turn, agents.c.until))
    rested = rested.with_for_update()
    for seat in (await turn.connection.execute(rested)).all():
        if seat.state == "away" and not seat.console:
            await turn.sit(seat, "away", RESTED)  # who looks after it knows whether it is on duty
        else:
            await relieve(turn, seat)
    held = select(places.c.seat).where(places.c.state.in_(HELD), places.c.seat.is_not(None))
    empty = select(agents).where(agents.c.state.in_(("offered", "busy")), agents.c.seat.not_in(held))
    empty = empty.with_for_update(skip_locked=True)
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


def _over(turn: Turn, until: ColumnElement[object]) -> ColumnElement[bool]:
    return until.is_not(None) & (until < turn.at)
