"""Routing by skill: which of the configured destinations take a call, in the order to try them."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.config import Agent
from ivr.ports import Destination

GENERAL = "general"


def route(agents: Sequence[Agent], skill: str, *, within_hours: bool) -> tuple[Destination, ...]:
    """Those with the skill, then the generalists; anybody at all before nobody. Configured order within each.

    Outside hours only who is on call."""
    present = [agent for agent in agents if within_hours or agent.on_call]
    skilled = [agent for agent in present if skill in agent.skills]
    general = [agent for agent in present if GENERAL in agent.skills and agent not in skilled]
    chosen = skilled + general or present
    return tuple(Destination(agent.name, agent.target, agent.mode, agent.ring_timeout_s) for agent in chosen)
