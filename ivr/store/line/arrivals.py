"""Arrivals: who comes to the line, comes back to an old place, asks to be called back, or is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select

from ivr.errors import IvrError
from ivr.ports.line import Arrival, Leaving, Place
from ivr.store.database import fit
from ivr.store.line.agreements import free, superseded
from ivr.store.line.call_back_allowance import Promise, allow
from ivr.store.line.turn import Turn, place_of
from ivr.store.tables import LIVE, line_processes, places

OVER = ("abandoned", "expired")
NOTHING: Mapping[str, Any] = {}
DOUBTFUL_S = 2.5  # without a beat: a call that comes in is rather believed than one of that process
_LENGTHS = {
    column.name: length
    for column in places.c
    if column.name in Arrival.__slots__ and (length := getattr(column.type, "length", None))
}


async def enter(turn: Turn, arrival: Arrival) -> Place:
    """See ``ivr.ports.line.Places``."""
    mine = await turn.find(_of(turn, arrival.person, f"call:{arrival.call_id}"), places.c.channel == arrival.channel)
    held = await _held(turn, mine, arrival)
    free_ones = [row for row in mine if row not in held]
    others = [row for row in held if row.state != "talking" and row.skill == arrival.skill]
    if free_ones and not (others and free_ones[0].skill != arrival.skill):
        oldest, *rest = free_ones
        for row in rest:  # one person waits once: what they asked for besides comes up in the same conversation
            await free(turn, row)
            await turn.put(row, "done", "merged", detail={"into": oldest.id})
        await free(turn, oldest)
        return place_of(await turn.put(oldest, "waiting", "again", **_taken(turn, oldest, arrival)), again=True)
    if others:
        person, since = f"call:{arrival.call_id}", others[0].entered_at
        return place_of(await _made(turn, arrival, "entered", person=person, entered_at=since))
    return place_of(await _made(turn, arrival, "entered"))


async def leave(turn: Turn, place_id: int, how: Leaving) -> None:
    """Only of a place that this process has, or nobody: it may be somebody else's call by now."""
    row = await turn.place(place_id)
    if row is None or row.line not in ("", turn.line):
        return
    promised = row.state in ("callback", "dialling", "away") or bool(row.callback_number)
    if row.state not in LIVE or (promised and how != "done"):
        return
    await free(turn, row)
    if how != "done" and await superseded(turn, row):
        return
    await turn.put(row, how, "left" if how != "abandoned" else "abandoned", line="", detail={"how": how})


async def call_back(turn: Turn, place_id: int, number: str, due_at: datetime | None) -> Place:
    """Also of a place that was given up by mistake: what was promised is kept. Raises IvrError, TooManyCallBacks."""
    row = await turn.known(place_id)
    if row.state not in ("waiting", "offered", "away", "callback", *OVER):
        raise IvrError(f"place {place_id} is {row.state}: nobody is called back for it")
    if _promised(turn, row, number, due_at):
        return place_of(row)
    promise = await allow(turn, number, due_at, by=row.number)
    await free(turn, row)
    if row.state in OVER:
        for other in await turn.find(_waits(row.person), places.c.skill == row.skill, places.c.channel == row.channel):
            row = other
    return place_of(await turn.put(row, "callback", "callback", **promise.values, detail=promise.told))


async def ask_call_back(turn: Turn, arrival: Arrival, number: str, due_at: datetime | None) -> Place:
    """On the place that the person has, unless a call of theirs is on the line with it. Raises TooManyCallBacks."""
    found = await turn.find(
        _waits(arrival.person), places.c.skill == arrival.skill, places.c.channel == arrival.channel
    )
    row = found[0] if found else None
    if row is not None and (row.state == "dialling" or _promised(turn, row, number, due_at)):
        return place_of(row, again=True)
    promise = await allow(turn, number, due_at, by=None if arrival.named else arrival.number)
    if row is None:
        return await _called_back(turn, arrival, promise)
    if await _held(turn, found, arrival):
        return await _called_back(turn, arrival, promise, person=f"call:{arrival.call_id}")
    await free(turn, row)
    return place_of(await turn.put(row, "callback", "callback", **promise.values, detail=promise.told), again=True)


async def leave_message(turn: Turn, arrival: Arrival, recording: str, transcript: str) -> Place:
    """In its caller's turn: as old as the place that they wait at with this call."""
    told: dict[str, Any] = {"recording": fit(recording, 300), "transcript": fit(transcript, 20_000)}
    theirs = await turn.find(places.c.call_id == arrival.call_id, places.c.channel == "voice", places.c.state.in_(LIVE))
    if theirs:
        told["entered_at"] = min(row.entered_at for row in theirs)
    return place_of(await _made(turn, arrival, "message", channel="message", line="", **told))


async def place_of_person(turn: Turn, person: str) -> Place | None:
    found = await turn.find(_of(turn, person), places.c.channel != "message")
    return place_of(found[0]) if found else None


async def move(turn: Turn, place_id: int, skill: str, priority: int | None) -> Place:
    """Raises IvrError."""
    row = await turn.known(place_id)
    if row.state not in LIVE:
        raise IvrError(f"place {place_id} is {row.state}: there is nobody to move")
    to = {"skill": fit(skill, 40) or row.skill, "priority": row.priority if priority is None else _priority(priority)}
    twin = (_waits(row.person), places.c.skill == to["skill"], places.c.channel == row.channel, places.c.id != row.id)
    if row.channel != "message" and await turn.find(*twin):
        raise IvrError(f"they wait for {to['skill']} already")
    keep = {"agent": row.agent, "seat": row.seat, "until": row.until}
    told = {"from": [row.skill, row.priority], "to": [*to.values()]}
    return place_of(await turn.put(row, row.state, "moved", **keep, **to, detail=told))


# -- what that is made of ----------------------------------------------------------------------------------------------


def _of(turn: Turn, *people: str) -> ColumnElement[bool]:
    """Live places, and those of who hung up a while ago: it may have been a call that dropped."""
    dropped = (places.c.state == "abandoned") & (places.c.changed_at >= turn.before(turn.rules.grace_s))
    return places.c.person.in_(people) & (places.c.state.in_(LIVE) | dropped)


def _waits(person: str) -> ColumnElement[bool]:
    return (places.c.person == person) & places.c.state.in_([state for state in LIVE if state != "talking"])


async def _held(turn: Turn, rows: Sequence[Row[Any]], arrival: Arrival) -> Sequence[Row[Any]]:
    """Those with which another call of theirs is on the line, as far as anybody knows."""
    beats = select(line_processes.c.id).where(line_processes.c.beat_at >= turn.before(DOUBTFUL_S))
    beating = set((await turn.connection.execute(beats)).scalars())
    there = [r for r in rows if r.state == "talking" or (r.state in ("waiting", "offered") and not r.callback_number)]
    return [row for row in there if row.call_id != arrival.call_id and row.line in beating]


def _priority(priority: int) -> int:
    return min(max(priority, 0), 10)


def _known(arrival: Arrival) -> dict[str, Any]:
    values = {name: getattr(arrival, name) for name in Arrival.__slots__}
    return {name: fit(value, _LENGTHS[name]) if name in _LENGTHS else value for name, value in values.items()}


def _taken(turn: Turn, row: Row[Any], arrival: Arrival) -> Mapping[str, Any]:
    """What this call knows wins over what the one before knew; the call back that was promised is gone."""
    known = {name: value for name, value in _known(arrival).items() if value and name not in ("person", "channel")}
    return {
        **known,
        "priority": max(row.priority, _priority(arrival.priority)),
        "line": turn.line,
        "callback_number": "",
        "due_at": None if row.callback_number else row.due_at,  # for an agent by name, it is waited since then
        "attempts": 0,
        "first": row.first or row.state == "talking",  # their agent's line broke
        "detail": {"call": arrival.call_id},
    }


def _promised(turn: Turn, row: Row[Any], number: str, due_at: datetime | None) -> bool:
    """This very call back is promised already."""
    if row.state != "callback" or row.callback_number != fit(number, 40):
        return False
    return bool(row.due_at <= turn.at if due_at is None else row.due_at == due_at)


async def _called_back(turn: Turn, arrival: Arrival, promise: Promise, **values: Any) -> Place:
    values = {"state": "callback", **values, **promise.values}
    return place_of(await _made(turn, arrival, "callback", told=promise.told, **values))


async def _made(turn: Turn, arrival: Arrival, kind: str, told: Mapping[str, Any] = NOTHING, **values: Any) -> Row[Any]:
    row = {
        **_known(arrival),
        "priority": _priority(arrival.priority),
        "entered_at": turn.at,
        "changed_at": turn.at,
        "state": "waiting",
        "line": turn.line,
        **values,
    }
    row["waits_since"] = max(row["entered_at"], row.get("due_at") or row["entered_at"])
    made: Row[Any] = (await turn.connection.execute(insert(places).values(row).returning(places))).one()
    turn.tell(made.id, kind, state=made.state, skill=made.skill, priority=made.priority, call=made.call_id, **told)
    return made
