"""Position in the line (PIQ): how many are ahead whom an agent of the caller's skill could take. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from ivr.desk.routing import Rules, is_due
from ivr.ports.line import AgentStatus, LineView, Place


def staffed(view: LineView, place: Place, rules: Rules, now: datetime) -> tuple[AgentStatus, ...]:
    """Who is on duty and could take this caller."""
    return tuple(rules.takers(place, view.agents, now))


def queued(view: LineView, rules: Rules, now: datetime) -> Mapping[int, int]:
    """By place: how many reachable people are before it whom one of its agents could take: they wait, are being
    offered, or their call back is due. While nobody is there for a place, those who wait for the same skill count."""
    takers: dict[frozenset[str], frozenset[str]] = {}  # names of agents, by the skills that are good enough
    before: Counter[tuple[str, frozenset[str]]] = Counter()
    found: dict[int, int] = {}
    for place in sorted(view.places, key=lambda each: rules.order(each, now)):
        skill, enough = place.arrival.skill, rules.good_enough(place, now)
        if enough not in takers:
            takers[enough] = frozenset(agent.name for agent in rules.takers(place, view.agents, now))
        mine = takers[enough]
        found[place.id] = sum(
            count
            for (other, good), count in before.items()
            if (not mine.isdisjoint(takers[good]) if mine else other == skill)
        )
        before[skill, enough] += is_due(place, now) or place.state == "offered"
    return found


def ahead(view: LineView, place: Place, rules: Rules, now: datetime) -> int:
    """The same of one place."""
    return queued(view, rules, now).get(place.id, 0)


def sayable(true: int, told: int | None) -> int:
    """Never rising: the true position where it is not above what was told before, else 0 (nothing is said of it)."""
    return true if told is None or true <= told else 0
