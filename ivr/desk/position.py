"""Position in the line (PIQ): how many are ahead whom an agent of the caller's skill could take. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from ivr.desk.routing import Rules, is_due
from ivr.ports.line import MESSAGE, AgentStatus, LineView, Place

Kind = tuple[str, frozenset[str], bool, str]
"""Places that the same agents could take: skill, those that are good enough, whether it is a message, who is known."""


def staffed(view: LineView, place: Place, rules: Rules, now: datetime) -> tuple[AgentStatus, ...]:
    """Who is on duty and could take this caller."""
    return tuple(rules.takers(place, view.agents, now))


def queued(view: LineView, rules: Rules, now: datetime) -> Mapping[int, int]:
    """By place: how many reachable people are before it whom one of its agents could take: they wait, are being
    offered, or their call back is due. While nobody is there for a place, those who wait for the same skill count."""
    takers: dict[Kind, frozenset[str]] = {}  # names of agents
    before: Counter[Kind] = Counter()
    found: dict[int, int] = {}
    for place in sorted(view.places, key=lambda each: rules.order(each, now)):
        told = place.arrival
        kind = (told.skill, rules.good_enough(place, now), told.channel == MESSAGE, told.named)
        if kind not in takers:
            takers[kind] = frozenset(agent.name for agent in rules.takers(place, view.agents, now))
        mine = takers[kind]
        found[place.id] = sum(
            count
            for other, count in before.items()
            if (not mine.isdisjoint(takers[other]) if mine else other[0] == told.skill)
        )
        before[kind] += is_due(place, now) or place.state == "offered"
    return found


def ahead(view: LineView, place: Place, rules: Rules, now: datetime) -> int:
    """The same of one place."""
    return queued(view, rules, now).get(place.id, 0)


def sayable(true: int, told: int | None) -> int:
    """Never rising: the true position where it is not above what was told before, else 0 (nothing is said of it)."""
    return true if told is None or true <= told else 0
