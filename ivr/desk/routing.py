"""Routing of the line: in which order callers are served, whom an agent may take, who is next. Pure; the store's
statements say the same.

Who waited longer than the bound goes first, by arrival; then priority (10 first), whose agent's line broke, arrival,
id. Of the agents who could take a caller it is the one who has been idle longest; a caller who knows an agent gets that
one for a while first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ivr.config import LineConfig, Relaxation
from ivr.ports.line import LATE, AgentStatus, Place


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

    def could_take(self, skills: Iterable[str], place: Place, now: datetime) -> bool:
        """Whether an agent with ``skills`` is good enough for this place, by its skill or one that it relaxed to."""
        wanted = place.arrival.skill
        waited = waited_s(place, now)
        enough = {wanted, *(r.to for r in self.relax if r.skill == wanted and waited >= r.after_s)}
        return not enough.isdisjoint(skills)

    def next_pair(
        self, places: Iterable[Place], agents: Sequence[AgentStatus], now: datetime
    ) -> tuple[Place, AgentStatus] | None:
        """The first caller in order whom an idle agent could take, and which of those agents."""
        idle = sorted((a for a in agents if a.state == "idle"), key=lambda agent: (agent.since, agent.name))
        if not idle:
            return None
        on_duty = {agent.name for agent in agents if agent.state != "away"}
        for place in sorted((p for p in places if is_due(p, now)), key=lambda p: self.order(p, now)):
            named = place.arrival.named
            keeps = named in on_duty and waited_s(place, now) < self.named_s
            for agent in idle:
                if agent.name == named if keeps else self.could_take(agent.skills, place, now):
                    return place, agent
        return None


def waited_s(place: Place, now: datetime) -> float:
    return (now - place.entered_at).total_seconds()


def is_due(place: Place, now: datetime) -> bool:
    """It can be offered: somebody waits, or a call back whose time has come."""
    if place.state == "callback":
        return place.due_at is None or place.due_at <= now
    return place.state == "waiting"
