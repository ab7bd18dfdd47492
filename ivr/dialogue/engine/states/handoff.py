"""The handoff verb: entering says the prompt and connects a human, for whom the call waits without listening.

Connected, the call is the human's; else it takes ``on.closed`` or ``on.failed``, as it does when the human drops it.
"""

from __future__ import annotations

from ivr.dialogue.engine import human
from ivr.dialogue.engine.contract import HandoffDone
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.next import STAY, Broken, HandoffNeed, Next, Take
from ivr.dialogue.engine.states.verb import Arrival, Verb


def enter(call: Conversation) -> Next:
    call.arrive()
    handoff, need = call.state.handoff, call.need
    assert handoff is not None
    priority = handoff.priority if handoff.priority is not None else need.priority
    call.need = HandoffNeed(
        call.filled_text(handoff.reason) or need.reason or "asked",
        call.filled_text(handoff.skill) or need.skill or human.DEFAULT_SKILL,
        human.DEFAULT_PRIORITY if priority is None else priority,
    )
    return human.connect(call)


def arrived(call: Conversation, arrival: Arrival) -> Next:
    if not isinstance(arrival, HandoffDone):
        return STAY
    if human.connected(call, arrival.outcome):
        return STAY
    on = call.state.on
    outcome = arrival.outcome if arrival.outcome in on else "failed" if "failed" in on else "closed"
    edge = on.get(outcome)
    if edge is None:
        raise Broken(f"{call.here} has no edge for {outcome}")
    return Take(f"on.{outcome}", edge)


VERB = Verb(enter, arrived)
