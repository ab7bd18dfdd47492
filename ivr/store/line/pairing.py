"""Pairing of callers with agents: the first caller in order whom an idle agent can take, and of those agents the one
whose turn it is.

Two statements a pair on PostgreSQL, and nothing of ours between them: one takes the cluster's lock, where there is
anything to do at all, the other finds the two, offers one to the other, writes it down and notifies. The lock is held
for that one statement and the commit. SQLite has no statement that writes to two tables; it finds the two with the same
query, and has one writer anyway. ``ivr.desk.routing`` says the same of whom an agent could take, and in which order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    Row,
    Select,
    Tuple,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from ivr.config import LineConfig
from ivr.ports.line import GENERAL, MESSAGE, Offer
from ivr.store.columns import Moment
from ivr.store.database import clock
from ivr.store.line.turn import BEGIN_ALONE, CHANNEL, Turn, in_order, offer_of
from ivr.store.tables import agent_events, agent_skills, agents, line_processes, place_events, places

_at = bindparam("now", type_=Moment)
_until = bindparam("lease", type_=Moment)
_line = bindparam("process", type_=places.c.line.type)
# Written into the statements: only so one plan, made once, is known to need no more than the index of live places.
_WAITING, _CALLBACK = literal("waiting", literal_execute=True), literal("callback", literal_execute=True)


# What agents are for.
_CALLER, _MESSAGE, _TO_CALL = (literal(each, literal_execute=True) for each in ("caller", "message", "call back"))
_DRAINING = select(line_processes.c.id).where(line_processes.c.drains)
# Whoever drives a call back begins a call: the process of the agent's console, or else this one.
_MAY_DIAL = case(
    (agents.c.console, agents.c.line.not_in(_DRAINING)), else_=bindparam("drains", type_=Boolean) == false()
)


def _there(name: str, state: ColumnElement[bool], may_dial: ColumnElement[bool]) -> CTE:
    """Agents for callers, for messages, and for call backs: a telephone plays nobody's message, a console does, and
    a line that drains dials nobody."""
    callers = select(agents.c.name, _CALLER.label("kind")).where(state)
    heard = select(agents.c.name, _MESSAGE).where(agents.c.console, agents.c.line != "", state)
    return callers.union_all(heard, select(agents.c.name, _TO_CALL).where(state, may_dial)).cte(name)


def _skills(there: CTE) -> Select[Any]:
    """Skills that somebody has, for each kind of place."""
    return select(agent_skills.c.skill, there.c.kind).join_from(
        agent_skills, there, agent_skills.c.agent == there.c.name
    )


_DUTY = _there("duty", agents.c.state != "away", true())
_IDLE = _there("idle", agents.c.state == "idle", _MAY_DIAL)
_ON_DUTY, _FREE = _skills(_DUTY), _skills(_IDLE)


def could(postgres: bool) -> Select[Any]:
    """The moment, with the lock, where somebody waits while an agent is idle; otherwise nothing, and no lock. Whoever
    changes that pairs afterwards."""
    waits = exists().where(or_(places.c.state == _WAITING, places.c.state == _CALLBACK))
    found: Select[Any] = BEGIN_ALONE if postgres else select(clock(postgres))
    return found.where(waits, exists().where(agents.c.state == "idle"))


_COULD = {postgres: could(postgres) for postgres in (False, True)}


class Pairing:
    """The statements of one configuration. ``rules``: bound, relaxation, named agents, leases."""

    def __init__(self, rules: LineConfig) -> None:
        self._rules = rules
        self._before = {"late": rules.bound_s, "patient": rules.named_s} | {
            f"relaxed{n}": each.after_s for n, each in enumerate(rules.relax)
        }
        caller = self._caller().cte("caller")
        seat = self._seat(caller).cte("seat")
        theirs = [column.label(f"seat_{column.key}") for column in seat.c]
        self._found = select(*caller.c, *theirs).join_from(caller, seat, true())
        self._offered = _offered(self._found.cte("found"))

    async def pair(self, connection: AsyncConnection, line: str, *, drains: bool = False) -> Offer | None:
        """None where there is no such pair. A call back is driven by the process of the agent's console, or else by
        this one; by none that drains, which this one does where ``drains`` says so."""
        postgres = connection.dialect.name == "postgresql"
        begun = (await connection.execute(_COULD[postgres])).one_or_none()
        if begun is None:
            return None
        turn = Turn(connection, begun.at, self._rules, line)
        known: dict[str, Any] = {
            "now": turn.at,
            "drains": drains,
            **{name: turn.before(seconds) for name, seconds in self._before.items()},
        }
        if not postgres:
            row = (await connection.execute(self._found, known)).one_or_none()
            offer = await self._offer(turn, row) if row is not None else None
            await turn.end()
            return offer
        known |= {"lease": turn.after(self._rules.offer_s), "process": line}
        row = (await connection.execute(self._offered, known)).one_or_none()
        return offer_of(row, _Seat(row)) if row is not None else None

    async def _offer(self, turn: Turn, row: Row[Any]) -> Offer:
        seat: Any = _Seat(row)
        changes: dict[str, Any] = {"agent": seat.name, "seat": seat.seat, "offers": row.offers + 1}
        changes["until"] = turn.after(self._rules.offer_s)
        if row.state == "callback" or row.channel == "message":
            changes["line"] = seat.line if seat.console else turn.line
        await turn.sit(seat, "offered", until=changes["until"])
        detail = {"slot": seat.slot, "offer": changes["offers"], "priority": row.priority, "skill": row.skill}
        return offer_of(await turn.put(row, "offered", "offered", **changes, detail=detail), seat)

    # -- who, and whom -------------------------------------------------------------------------------------------------

    def _relaxed(self, skill: ColumnElement[Any], entered_at: ColumnElement[Any]) -> Sequence[tuple[Any, str]]:
        """When a place of ``skill`` is also good for another, and for which."""
        return [
            ((skill == each.skill) & (entered_at <= bindparam(f"relaxed{n}", type_=Moment)), each.to)
            for n, each in enumerate(self._rules.relax)
        ]

    def _served(self, caller: ReadOnlyColumnCollection[str, Any]) -> ColumnElement[bool]:
        """Somebody on duty has the skill, or one that it relaxes to."""
        relaxes = [(caller.skill == each.skill) & _for(caller, each.to).in_(_ON_DUTY) for each in self._rules.relax]
        return or_(_for(caller, caller.skill).in_(_ON_DUTY), *relaxes)

    def _caller(self) -> Select[Any]:
        """SKIP LOCKED: a row that somebody is changing by hand never blocks the line. A message until whose console is
        there lets others go before it."""
        caller = places.c
        ready = (caller.state == _WAITING) | ((caller.state == _CALLBACK) & (caller.due_at <= _at))
        # Whom nobody on duty is there for: generalists take them, or else whoever there is.
        general, somebody = _for(caller, literal(GENERAL)), _kind(caller).in_(select(_IDLE.c.kind))
        anybody = general.in_(_FREE) | (general.not_in(_ON_DUTY) & somebody)
        can_be_taken = or_(
            _for(caller, caller.skill).in_(_FREE),
            _for(caller, caller.named).in_(select(_IDLE)),
            ~self._served(caller) & anybody,
            *(when & _for(caller, to).in_(_FREE) for when, to in self._relaxed(caller.skill, caller.entered_at)),
        )
        since = func.coalesce(caller.due_at, caller.entered_at)  # they can be served at all
        patient = and_(
            caller.named.in_(select(_DUTY.c.name)),
            caller.named.not_in(select(_IDLE.c.name)),
            since > bindparam("patient", type_=Moment),
        )
        query = select(places).where(ready, can_be_taken, ~patient)
        query = query.order_by(*in_order(bindparam("late", type_=Moment)))
        return query.limit(1).with_for_update(skip_locked=True)

    def _able(self, caller: ReadOnlyColumnCollection[str, Any]) -> ColumnElement[bool]:
        """Whether an agent may take a place, who can hear it."""
        has = select(agent_skills.c.agent, agent_skills.c.skill)
        generalist = agents.c.name.in_(select(agent_skills.c.agent).where(agent_skills.c.skill == GENERAL))
        return or_(
            agents.c.name == caller.named,
            tuple_(agents.c.name, caller.skill).in_(has),
            ~self._served(caller) & (generalist | _for(caller, literal(GENERAL)).not_in(_ON_DUTY)),
            *(
                when & tuple_(agents.c.name, literal(to)).in_(has)
                for when, to in self._relaxed(caller.skill, caller.entered_at)
            ),
            false(),
        )

    def _seat(self, caller: CTE) -> Select[Any]:
        """Whom they know, who has the very skill, who has been idle longest. Who is going away this very moment is
        locked, and whoever says so wakes the pairing."""
        has = select(agent_skills.c.agent, agent_skills.c.skill)
        very = tuple_(agents.c.name, caller.c.skill).in_(has)
        able = self._able(caller.c) & ((caller.c.channel != MESSAGE) | (agents.c.console & (agents.c.line != "")))
        able &= (_kind(caller.c) != _TO_CALL) | _MAY_DIAL
        order = (agents.c.name != caller.c.named, ~very, agents.c.idle_at, agents.c.seat)
        query = select(agents).join_from(agents, caller, true())
        query = query.where(agents.c.state == "idle", able).order_by(*order).limit(1)
        return query.with_for_update(of=agents, skip_locked=True)


def _for(caller: ReadOnlyColumnCollection[str, Any], what: Any) -> Tuple:
    """A skill, or an agent, for whoever this is: a caller, a message or a call back."""
    return tuple_(what, _kind(caller))


def _kind(caller: ReadOnlyColumnCollection[str, Any]) -> ColumnElement[Any]:
    return case((caller.channel == MESSAGE, _MESSAGE), (caller.state == _CALLBACK, _TO_CALL), else_=_CALLER)


class _Seat:
    """The agent's columns of a row that is mostly the caller's."""

    def __init__(self, row: Row[Any]) -> None:
        self._values: Mapping[Any, Any] = row._mapping

    def __getattr__(self, name: str) -> Any:
        return self._values[f"seat_{name}"]


def _offered(found: CTE) -> Select[Any]:
    """What was found is made an offer: both rows, both events, and the notification, in one statement."""
    row = found.c
    theirs = {"state": "offered", "reason": "", "until": _until, "since": _at}
    sat = update(agents).where(agents.c.seat == row.seat_seat).values(theirs).returning(agents.c.seat).cte("sat")
    driven = case((row.seat_console, row.seat_line), else_=_line)
    ours = {
        "state": "offered",
        "changed_at": _at,
        "tie": "",
        "until": _until,
        "agent": row.seat_name,
        "seat": row.seat_seat,
        "offers": row.offers + 1,
        "line": case(((row.state == "callback") | (row.channel == "message"), driven), else_=row.line),
    }
    seat = [column for column in row if column.key.startswith("seat_")]
    placed = update(places).where(places.c.id == row.id).values(ours)
    made = placed.returning(places, *seat, row.state.label("was")).cte("made")
    detail = func.jsonb_build_object(
        *("state", made.c.state, "was", made.c.was, "slot", made.c.seat_slot),
        *("offer", made.c.offers, "priority", made.c.priority, "skill", made.c.skill),
    )
    told = insert(place_events).from_select(
        ["place", "at", "kind", "agent", "detail"],
        select(made.c.id, _at, literal("offered"), made.c.agent, cast(detail, JSONB)),
    )
    agent_told = insert(agent_events).from_select(
        ["agent", "slot", "at", "state", "reason"],
        select(made.c.agent, made.c.seat_slot, _at, literal("offered"), literal("")),
    )
    what = func.concat("offered ", made.c.id, " ", _line)
    return select(made, func.pg_notify(CHANNEL, what)).add_cte(sat, told.cte("told"), agent_told.cte("agent_told"))
