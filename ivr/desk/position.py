"""Position in the line (PIQ): how many are ahead whom an agent of the caller's skill could take. Pure."""

from __future__ import annotations

from datetime import datetime

from ivr.desk.routing import Rules, is_due
from ivr.ports.line import AgentStatus, LineView, Place


def staffed(view: LineView, place: Place, rules: Rules, now: datetime) -> tuple[AgentStatus, ...]:
    """Who is on duty and could take this caller."""
    return tuple(rules.takers(place, view.agents, now))


def ahead(view: LineView, place: Place, rules: Rules, now: datetime) -> int:
    """Reachable people before ``place`` whom one of its agents could take: they wait, are being offered, or their call
    back is due. While nobody is there for it, those who wait for the same skill count."""
    agents = {agent.name for agent in staffed(view, place, rules, now)}
    mine = rules.order(place, now)
    taken: dict[frozenset[str], bool] = {}  # by what is good enough: whether one of ``agents`` takes such callers
    count = 0
    for other in view.places:
        if other.id == place.id or not (is_due(other, now) or other.state == "offered"):
            continue
        if rules.order(other, now) >= mine:
            continue
        enough = rules.good_enough(other, now)
        if enough not in taken:
            takers = rules.takers(other, view.agents, now)
            taken[enough] = (
                any(agent.name in agents for agent in takers) if agents else other.arrival.skill == place.arrival.skill
            )
        count += taken[enough]
    return count


def sayable(true: int, told: int | None) -> int:
    """Never rising: the true position where it is not above what was told before, else 0 (nothing is said of it)."""
    return true if told is None or true <= told else 0
