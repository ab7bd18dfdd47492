"""Pairing in memory, by the desk's own rules: what the store's statement is held to, and what simulated days run on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from ivr.desk.routing import Rules, is_due
from ivr.ports import AgentStatus, Place


def next_pair(
    rules: Rules, places: Iterable[Place], agents: Sequence[AgentStatus], now: datetime
) -> tuple[Place, AgentStatus] | None:
    """The first caller in order whom an idle agent could take, and which of those agents; each agent's ``since`` is
    whose turn it is."""
    if not any(agent.state == "idle" for agent in agents):
        return None
    idle = {agent.name for agent in agents if agent.state == "idle"}
    absent = {agent.name for agent in agents if agent.state != "away"} - idle  # on duty, and not idle
    for place in sorted((p for p in places if is_due(p, now)), key=lambda p: rules.order(p, now)):
        named, skill = place.arrival.named, place.arrival.skill
        servable_s = (now - (place.due_at or place.entered_at)).total_seconds()  # since it is due, or since they came
        if named in absent and servable_s < rules.named_s:
            continue
        if able := [agent for agent in rules.takers(place, agents, now) if agent.state == "idle"]:
            return place, min(able, key=lambda a: (a.name != named, skill not in a.skills, a.since, a.name, a.slot))
    return None
