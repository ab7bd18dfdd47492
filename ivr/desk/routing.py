"""Routing of the line: in which order callers are served, whom an agent may take, who is next. Pure; the store's
statements say the same.

Who waited longer than the bound goes first, by arrival; then priority (10 first), whose agent's line broke, arrival,
id. Of the agents who could take a caller it is one who has the very skill, of those who has been idle longest; a caller
who knows an agent gets that one for a while first. Whom nobody on duty is there for, generalists take, and anybody does
before nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ivr.config import LineConfig, Relaxation
from ivr.ports.line import GENERAL, LATE, MESSAGE, AgentStatus, Place


@dataclass(frozen=True, slots=True)
class Rules:
    """``bound_s``: who waited so long goes before any priority; ``named_s``: how long an agent who is known is waited
    for; ``relax``: which other skills become good enough."""

    bound_s: float = 600.0
    named_s: float = 20.0
    relax: tuple[Relaxation, ...] = ()

    @classmethod
    def of(cls, config: LineConfig) -> Rules:
        return cls(config.bound_s, config.named_s, config.relax)

    def order(self, place: Place, now: datetime) -> tuple[int, bool, datetime, int]:
        """What places are sorted by."""
        late = waited_s(place, now) > self.bound_s
        return -LATE if late else -place.arrival.priority, not place.first, place.entered_at, place.id

    def good_enough(self, place: Place, now: datetime) -> frozenset[str]:
        """Its skill, and those that it has relaxed to."""
        wanted, waited = place.arrival.skill, waited_s(place, now)
        return frozenset({wanted, *(r.to for r in self.relax if r.skill == wanted and waited >= r.after_s)})

    def takers(self, place: Place, agents: Iterable[AgentStatus], now: datetime) -> Sequence[AgentStatus]:
        """Who on duty could take this place now, the agent whom they know among them. Empty where nobody is there, or
        nobody until its skill relaxes."""
        there = [agent for agent in agents if agent.state != "away" and plays(agent, place)]
        able = self._skilled(place, there, now)
        return able + [agent for agent in there if agent.name == place.arrival.named and agent not in able]

    def _skilled(self, place: Place, there: list[AgentStatus], now: datetime) -> list[AgentStatus]:
        enough, wanted = self.good_enough(place, now), place.arrival.skill
        if able := [agent for agent in there if not enough.isdisjoint(agent.skills)]:
            return able
        if any(r.skill == wanted and r.to in agent.skills for r in self.relax for agent in there):
            return []
        return [agent for agent in there if GENERAL in agent.skills] or list(there)


def plays(agent: AgentStatus, place: Place) -> bool:
    """A telephone plays nobody's message: a console does, and until one is there others go before it."""
    return place.arrival.channel != MESSAGE or bool(agent.line)


def waited_s(place: Place, now: datetime) -> float:
    """Since they came, as their place in the line counts."""
    return (now - place.entered_at).total_seconds()


def waits_since(place: Place) -> datetime:
    """From when on it is told how long they have waited: without the time in which nobody could have served them."""
    return place.waits_since or place.entered_at


def is_due(place: Place, now: datetime) -> bool:
    """It can be offered: somebody waits, or a call back whose time has come."""
    if place.state == "callback":
        return place.due_at is None or place.due_at <= now
    return place.state == "waiting"
