"""Position in the line (PIQ): how many are ahead whom an agent of the caller's skill could take. Pure."""

from __future__ import annotations

from datetime import datetime

from ivr.desk.routing import Rules, is_due
from ivr.ports.line import AgentStatus, LineView, Place


def staffed(view: LineView, place: Place, rules: Rules, now: datetime) -> tuple[AgentStatus, ...]:
    """Who is on duty and could take this caller."""
    return tuple(a for a in view.agents if a.state != "away" and rules.could_take(a.skills, place, now))


def ahead(view: LineView, place: Place, rules: Rules, now: datetime) -> int:
    """Reachable people before ``place`` whom one of its agents could take: they wait, are being offered, or their call
    back is due. While nobody is on duty all of them count whom anybody with a word in common could take: the same
    skill."""
    agents = staffed(view, place, rules, now)
    mine = rules.order(place, now)
    count = 0
    for other in view.places:
        if other.id == place.id or not (is_due(other, now) or other.state == "offered"):
            continue
        if rules.order(other, now) >= mine:
            continue
        if agents:
            count += any(rules.could_take(agent.skills, other, now) for agent in agents)
        else:
            count += other.arrival.skill == place.arrival.skill
    return count


def sayable(true: int, told: int | None) -> int:
    """Never rising: the true position where it is not above what was told before, else 0 (nothing is said of it)."""
    return true if told is None or true <= told else 0
