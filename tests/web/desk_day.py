"""A desk in the middle of its day, for the board's tests: a line in memory, and the rows of what happened before."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from ivr.desk.routing import Rules
from ivr.errors import IvrError
from ivr.ports import AgentState, AgentStatus, Arrival, Line, LineView, Place, Supervision
from ivr.ports.history import CallRow, DayRows, EventRow, PlaceRow
from ivr.ports.line import Announced


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def caller(
    number: int,
    name: str,
    skill: str,
    seconds: float,
    *,
    priority: int = 3,
    reason: str = "asked",
    said: str = "",
    **more: object,
) -> Place:
    arrival = Arrival(f"member:{number}", f"c{number}", skill, priority, reason, said, name, f"503555{number:04}")
    place = Place(number, arrival, ago(seconds), "waiting", "here")
    return replace(place, **more)  # type: ignore[arg-type]


def callers() -> tuple[Place, ...]:
    """Nobody of them has waited so long that they go before everybody."""
    return (
        caller(
            101,
            "Rosa Diaz",
            "retention",
            45,
            priority=9,
            reason="thinking of cancelling",
            said="I'm thinking of cancelling",
        ),
        caller(102, "", "general", 312),
        caller(103, "Henry Park", "discs", 95, state="offered", agent="bo"),
        caller(104, "Ida Wells", "general", 500, state="callback", callback_number="5035550104", attempts=1),
        caller(105, "Joe Marsh", "general", 260, state="talking", agent="ann"),
    )


def agents() -> tuple[AgentStatus, ...]:
    return (
        AgentStatus("ann", "busy", ago(130), ("general", "retention"), display="Ann Lee"),
        AgentStatus("bo", "offered", ago(6), ("general", "discs"), display="Bo Chen"),
        AgentStatus("cy", "away", ago(900), ("general",), "lunch", display="Cy Adams"),
        AgentStatus("front", "idle", ago(40), ("general",), phone="sip:front@192.0.2.7"),
    )


class DayLine:
    """``ivr.ports.Line`` as far as a board needs it, in memory. ``touch``: the view is another."""

    def __init__(self, touch: Callable[[], None]) -> None:
        self.touch = touch
        self.places = {place.id: place for place in callers()}
        self.agents = {agent.name: agent for agent in agents()}
        self.fresh = True

    def as_line(self) -> Line:
        return cast(Line, self)

    def view(self) -> LineView:
        now = datetime.now(UTC)
        order = sorted(self.places.values(), key=lambda place: Rules().order(place, now))
        return LineView(tuple(order), tuple(self.agents.values()), self.fresh)

    async def move(self, place_id: int, *, skill: str = "", priority: int | None = None) -> Place:
        place = self.places[place_id]
        arrival = replace(place.arrival, skill=skill or place.arrival.skill)
        self.places[place_id] = replace(
            place, arrival=arrival if priority is None else replace(arrival, priority=priority)
        )
        self.touch()
        return self.places[place_id]

    async def set_skills(self, agent: str, skills: Sequence[str]) -> None:
        self.agents[agent] = replace(self.agents[agent], skills=tuple(skills))
        self.touch()

    async def set_state(self, agent: str, state: AgentState, reason: str = "") -> AgentStatus:
        self.agents[agent] = replace(self.agents[agent], state=state, reason=reason, since=datetime.now(UTC))
        self.touch()
        return self.agents[agent]


class Heard:
    """A conversation that a supervisor joins."""

    def __init__(self) -> None:
        self.how: list[tuple[str, Supervision]] = []

    async def supervise(self, supervisor: str, how: Supervision) -> None:
        if how == "barge" and not self.how:
            raise IvrError("listen first")
        self.how.append((supervisor, how))


class BusyDays:
    """``ivr.ports.history.DayLog``: the same busy day, whichever is asked for."""

    async def rows(self, since: datetime, until: datetime) -> DayRows:
        dice = random.Random(7)
        places: list[PlaceRow] = []
        events: list[EventRow] = []
        announced: list[Announced] = []
        calls: list[CallRow] = []
        for number in range(1, 241):
            hour = min(max(dice.gauss(10.5, 1.2) if number % 2 else dice.gauss(15, 1.4), 8), 19.9)
            entered = since + timedelta(hours=hour)
            waited, patience = dice.expovariate(1 / 90), dice.expovariate(1 / 480) + 20
            gave_up, urgent, agent = patience < waited, number % 7 == 0, ("ann", "bo", "cy")[number % 3]
            state = "abandoned" if gave_up else "done"
            places.append(PlaceRow(number, f"member:{number}", "general", 9 if urgent else 3, "voice", entered, state))
            events.append(EventRow(number, entered, "entered", state="waiting"))
            minutes = max(1, round(waited / 60 + dice.uniform(-0.2, 2)))
            kept = waited <= 60 * minutes
            announced.append(Announced(number, entered, 1, 60.0 * minutes, "first", minutes, 0, 60.0, waited, kept))
            at = entered + timedelta(seconds=min(waited, patience))
            if gave_up:
                events.append(EventRow(number, at, "abandoned", state="abandoned", was="waiting"))
                continue
            calls.append(CallRow(entered, waited + 1.5))
            told = ("saved" if number % 3 else "left") if urgent and number % 2 else ""
            events.append(EventRow(number, at, "answered", agent, "talking", "offered"))
            over = at + timedelta(seconds=dice.lognormvariate(5.5, 0.6))
            events.append(EventRow(number, over, "finished", agent, "done", "talking", told))
        zero_outs = {"main.ask": 41, "main.which_title": 12, "verify.ask_pin": 7, "discs.report": 3}
        announced.sort(key=lambda each: each.at)
        return DayRows(places, events, announced, calls, zero_outs, {"ann": 9, "bo": 1})

    async def handle_times(self, limit: int) -> Sequence[float]:
        return ()
