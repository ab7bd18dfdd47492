"""Skills that callers may be handed over with, whatever is said: of risks, transitions, hand-overs and waits."""

from __future__ import annotations

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.state import Wait


def skills_wanted(library: FlowLibrary) -> frozenset[str]:
    """Those that the flows name; what is only known in a call ("{…}") is not among them."""
    wanted = {library.universals.agitation.skill, *(risk.skill for risk in library.universals.risks.values())}
    for flow in library.flows.values():
        for state in flow.states.values():
            wanted |= {transition.edge.skill for transition in state.transitions()}
            if state.handoff is not None:
                wanted.add(state.handoff.skill)
            if isinstance(state.wait, Wait):
                wanted.add(state.wait.skill)
    return frozenset(skill for skill in wanted if skill and "{" not in skill)
