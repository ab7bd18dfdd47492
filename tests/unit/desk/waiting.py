"""Places, agents and views of a line, for the desk's tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ivr.desk.routing import Rules
from ivr.ports import AgentStatus, Arrival, LineView, Place

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def place(
    number: int, skill: str = "general", *, after: float = 0.0, priority: int = 3, named: str = "", **more: Any
) -> Place:
    """Somebody who came ``after`` seconds."""
    arrival = Arrival(f"member:{number}", f"c{number}", skill, priority, named=named)
    made = Place(number, arrival, START + timedelta(seconds=after), "waiting", "here")
    return replace(made, **more)


def agent(name: str, *skills: str, state: Any = "busy", since: float = 0.0, **more: Any) -> AgentStatus:
    made = AgentStatus(name, "busy", START + timedelta(seconds=since), skills or ("general",))
    return replace(made, state=state, **more)


class Watch:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def at(self, seconds: float) -> datetime:
        self.now = START + timedelta(seconds=seconds)
        return self.now


def view(places: Sequence[Place], agents: Sequence[AgentStatus], now: datetime, rules: Rules | None = None) -> LineView:
    order = rules or Rules()
    return LineView(tuple(sorted(places, key=lambda each: order.order(each, now))), tuple(agents))
