"""Offers of places to agents: made, taken, given back; conversations that end, or break."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select, update

from ivr.errors import IvrError
from ivr.ports.line import Offer, Place, PlaceState, Release
from ivr.ports.line_store import LOST, SIGNED_OUT
from ivr.store.database import fit
from ivr.store.line.turn import Turn, place_of
from ivr.store.tables import HELD, LIVE, agents, places

DIAL_S = 120.0  # nobody is being dialled for longer, whatever became of who did it


# -- what becomes of an offer ------------------------------------------------------------------------------------------


async def _offered(turn: Turn, offer: Offer, *states: str) -> Row[Any] | None:
    """The place while this very offer of it runs."""
    row = await turn.place(offer.place.id)
    same = row is not None and row.offers == offer.place.offers and row.agent == offer.agent
    return row if row is not None and same and row.state in states else None


async def answered(turn: Turn, offer: Offer) -> bool:
    row = await _offered(turn, offer, "offered", "dialling")
    seat = await turn.seat(row.seat) if row is not None else None
    if row is None or seat is None:
        return False
    await turn.put(row, "talking", "answered", until=None, first=False, call_id=offer.place.arrival.call_id)
    if seat.state != "busy":
        await turn.sit(seat, "busy")
    return True


async def released(turn: Turn, offer: Offer, why: Release) -> None:
    row = await _offered(turn, offer, "offered", "dialling")
    if row is not None:
        await give_back(turn, row, why)


async def give_back(turn: Turn, row: Row[Any], why: str) -> None:
    """The place is where it was, and its agent is not offered the next one at once."""
    seat = await turn.seat(row.seat)
    await _waits_again(turn, row, "released", why)
    if seat is None:
        return
    if why == "withdrawn":
        await relieve(turn, seat, idle_at=seat.idle_at)
    else:
        await unreachable(turn, seat, why)


async def _waits_again(turn: Turn, row: Row[Any], kind: str, why: str, **changes: Any) -> Row[Any]:
    state = "callback" if row.callback_number else "waiting"
    if row.callback_number or row.channel == "message":
        changes["line"] = ""
    return await turn.put(row, state, kind, **changes, detail={"why": why})


async def unreachable(turn: Turn, seat: Row[Any], why: str) -> None:
    """Away, and where there is no console to come back with, for a while: with every call that the phone would take."""
    if seat.console:
        await turn.sit(seat, "away", seat.going or why)
        return
    until = turn.after(turn.rules.rest_s)
    same = (agents.c.name == seat.name) & ((agents.c.seat == seat.seat) | (agents.c.state == "idle"))
    for each in await turn.connection.execute(select(agents).where(same).order_by(agents.c.slot).with_for_update()):
        await turn.sit(each, "away", why, until)


async def relieve(turn: Turn, seat: Row[Any], *, wraps_up: bool = False, **changes: Any) -> None:
    """The seat has no caller any more."""
    if seat.going:
        await turn.sit(seat, "away", seat.going)
    elif seat.console and not seat.line:
        await turn.sit(seat, "away", SIGNED_OUT)
    elif seat.console and wraps_up:
        ends = turn.rules.wrap_up_s
        await turn.sit(seat, "wrap_up", until=turn.after(ends) if ends else None)
    else:
        await turn.sit(seat, "idle", **changes)


async def free(turn: Turn, row: Row[Any]) -> None:
    """The agent of this place has it no more: an offer is withdrawn, a conversation over. The place is changed next."""
    seat = await turn.seat(row.seat) if row.state in HELD else None
    if seat is None:
        return
    if row.state == "talking":
        await relieve(turn, seat, wraps_up=True)
    else:
        turn.tell(row.id, "withdrawn", seat.name)
        await relieve(turn, seat, idle_at=seat.idle_at)


async def dialling(turn: Turn, offer: Offer) -> bool:
    row = await _offered(turn, offer, "offered")
    seat = await turn.seat(row.seat) if row is not None else None
    if row is None or seat is None or not row.callback_number:
        return False
    call_id = fit(offer.place.arrival.call_id, 100)
    await turn.put(row, "dialling", "dialling", until=turn.after(DIAL_S), call_id=call_id)
    await turn.sit(seat, "busy")
    return True


async def undialled(turn: Turn, offer: Offer) -> PlaceState:
    row = await _offered(turn, offer, "dialling")
    if row is None:
        now = await turn.place(offer.place.id)
        state: PlaceState = now.state if now is not None else "done"
        return state
    return await not_reached(turn, row)


async def not_reached(turn: Turn, row: Row[Any]) -> PlaceState:
    """Tried again later, as often as configured."""
    if (seat := await turn.seat(row.seat)) is not None:
        await relieve(turn, seat)
    attempts, minutes = row.attempts + 1, turn.rules.attempts_min
    if attempts >= len(minutes):
        await turn.put(row, "given_up", "given_up", attempts=attempts, line="")
        return "given_up"
    due_at = turn.after(60 * minutes[attempts - 1])
    await turn.put(row, "callback", "unreached", attempts=attempts, due_at=due_at, line="")
    return "callback"


# -- conversations -----------------------------------------------------------------------------------------------------


async def finished(turn: Turn, place_id: int, agent: str, disposition: str) -> None:
    row = await turn.place(place_id)
    if row is None or row.state != "talking" or row.agent != agent:
        return
    await free(turn, row)
    kept = {"agent": row.agent, "seat": row.seat}
    await turn.put(row, "done", "finished", line="", **kept, detail={"disposition": disposition[:100]})


async def wrapped_up(turn: Turn, place_id: int, agent: str, disposition: str) -> None:
    if (row := await turn.place(place_id)) is not None:
        turn.tell(row.id, "wrapped_up", agent, disposition=disposition[:100])


async def broken(turn: Turn, place_id: int, agent: str) -> Place:
    """Raises IvrError for a place that there isn't."""
    row = await turn.known(place_id)
    if row.state != "talking" or row.agent != agent:
        return place_of(row)
    if (seat := await turn.seat(row.seat)) is not None:
        await unreachable(turn, seat, LOST)
    changes = {"first": True, "callback_number": "", "person": await unlike(turn, row, row.skill)}
    return place_of(await turn.put(row, "waiting", "broken", **changes), again=True)


async def rejoined(turn: Turn, place_id: int, agent: str) -> bool:
    """Since when they have talked stays as it was."""
    row = await turn.place(place_id)
    seat = await turn.seat(row.seat) if row is not None else None
    if row is None or seat is None or row.state != "talking" or row.agent != agent:
        return False
    await turn.connection.execute(update(places).where(places.c.id == row.id).values(until=None, tie=""))
    turn.tell(row.id, "rejoined", agent, state=row.state, was=row.state)
    if seat.state != "busy":
        await turn.sit(seat, "busy", since=row.changed_at)
    return True


async def passed(turn: Turn, place_id: int, agent: str, to: str, skill: str, named: str) -> Place:
    """Who is rather taken by ``named`` waits for them from now on. Raises IvrError for a place that there isn't, and
    for an agent who has somebody else."""
    row = await turn.known(place_id)
    if row.state != "talking" or row.agent != agent:
        return place_of(row)
    taker = await _free_seat(turn, to) if to else None
    if (seat := await turn.seat(row.seat)) is not None:
        await relieve(turn, seat, wraps_up=True)
    if taker is not None:
        await turn.sit(taker, "busy")
        given = {"agent": taker.name, "seat": taker.seat, "detail": {"from": agent}}
        return place_of(await turn.put(row, "talking", "passed", **given))
    skill = fit(skill, 40) or row.skill
    changes = {"skill": skill, "named": fit(named, 100), "callback_number": "", "due_at": turn.at if named else None}
    changes["person"] = await unlike(turn, row, skill)
    detail = {"skill": skill, "named": named}
    return place_of(await turn.put(row, "waiting", "passed", detail=detail, **changes), again=True)


async def _free_seat(turn: Turn, agent: str) -> Row[Any]:
    free_ones = (agents.c.name == agent) & agents.c.state.not_in(("offered", "busy"))
    query = select(agents).where(free_ones).order_by(agents.c.slot).limit(1)
    if (found := (await turn.connection.execute(query)).one_or_none()) is None:
        raise IvrError(f"{agent} has somebody else, or is not on duty here")
    return found


async def superseded(turn: Turn, row: Row[Any]) -> bool:
    """The call with this place is gone, and the same person's other call was given a place as old beside it: that one
    is theirs now, or was and they are served, and this one is over."""
    as_old = (places.c.entered_at == row.entered_at) & (places.c.skill == row.skill) & (places.c.channel == row.channel)
    theirs = places.c.person.like("call:%") & (places.c.number == row.number) & (places.c.member == row.member)
    others = await turn.find(as_old, theirs, places.c.id != row.id, places.c.state.in_((*LIVE, "done")))
    if not others:
        return False
    await turn.put(row, "done", "merged", line="", detail={"into": others[0].id})
    await turn.connection.execute(update(places).where(places.c.id == others[0].id).values(person=row.person))
    return True


async def unlike(turn: Turn, row: Row[Any], skill: str) -> str:
    """Who this is, waiting again for ``skill``: another name where meanwhile the same person waits for it with another
    call."""
    waits = places.c.state.in_([state for state in LIVE if state != "talking"])
    same = (places.c.person == row.person) & (places.c.skill == skill) & (places.c.channel == row.channel)
    return f"call:{row.call_id}" if await turn.find(waits, same, places.c.id != row.id) else str(row.person)
