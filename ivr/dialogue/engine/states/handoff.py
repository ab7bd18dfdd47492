"""The handoff verb, and going to a human from anywhere: by the human flow, or directly when even that is broken.

Entering says the prompt and connects a human, for whom the call waits without listening. Connected, the call is the
human's; else it takes ``on.closed`` or ``on.failed``, as it does when the human drops it. Nobody is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ivr.dialogue.engine.contract import Connect, HandoffDone
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Arrival, Handlers, Verb, edge_of, go_on, universals_only
from ivr.dialogue.engine.next import (
    STAY,
    Ask,
    Goto,
    HandoffNeed,
    Mode,
    Next,
    Wait,
    Waiting,
    to_human,
)
from ivr.dialogue.engine.variables import Frame
from ivr.record import Decided

DEFAULT_SKILL = "general"
DEFAULT_PRIORITY = 5
ASKED_AGAIN_PRIORITY = 7  # who has to ask for a person twice waits behind fewer people


@dataclass(frozen=True, slots=True)
class Connecting(Waiting):
    """A human is being rung, or has the call. ``direct``: as our own last resort, not by a handoff state."""

    what: ClassVar[str] = "human"
    direct: bool = False
    connected: bool = False


def rung(call: Conversation) -> bool:
    """Whether a human is being rung or has the call: nothing else is done then."""
    return isinstance(call.waiting, Connecting)


def summon(call: Conversation, need: HandoffNeed) -> Next:
    """Jump to the human flow: no way back. What led here first is kept when asked again."""
    if rung(call):
        return STAY
    again = call.in_human_flow
    if not (again and call.need.reason and need.reason in ("", "asked")):
        call.need = HandoffNeed(
            need.reason or call.need.reason or "asked",
            need.skill or call.need.skill,
            need.priority if need.priority is not None else call.need.priority,
        )
    if again and need.reason == "asked":
        call.temper.agitated("asked again", 0.3)
        call.need = replace(call.need, priority=max(ASKED_AGAIN_PRIORITY, call.need.priority or 0))
    if not again:
        call.left_at = call.here
    flow = call.library.flows[call.library.universals.human_flow]
    call.outbox.record(Decided("to", "human", {"reason": call.need.reason, "from": call.here}))
    call.let_go()
    call.kept, call.keyed_ahead = None, ""
    call.stack[:] = [Frame(flow.flow)]
    call.intent_doubt = call.request_open = False
    return Goto(f"{flow.flow}.{flow.start}")


def agitated(call: Conversation) -> Goto | None:
    """To somebody who can calm, now that the signs are enough; None where a human is on the way already."""
    if call.in_human_flow or rung(call):
        return None
    risk = call.library.universals.agitation
    return to_human(call.temper.reason, risk.skill, risk.priority)


def connect(call: Conversation, *, direct: bool = False) -> Wait:
    """Ring a human of the skill needed. Nobody listens meanwhile: a Wait with a gather would."""
    token = call.outbox.token()
    priority = DEFAULT_PRIORITY if call.need.priority is None else call.need.priority
    call.outbox.put(Connect(token, call.need.reason, call.need.skill, priority))
    return Wait(Connecting(token, direct))


def connect_directly(call: Conversation, reason: str) -> Wait:
    """The human flow itself is broken: no flow, just a human."""
    call.need = HandoffNeed(call.need.reason or reason, call.need.skill or DEFAULT_SKILL, call.need.priority)
    return connect(call, direct=True)


def connected(call: Conversation, outcome: str) -> bool:
    """Note what came of the Connect under way: whether the call is a human's now."""
    connecting = call.waiting
    assert isinstance(connecting, Connecting)
    call.outbox.record(Decided("handoff", outcome))
    if outcome == "connected":
        call.outcome = "handoff"
        call.waiting = replace(connecting, connected=True)
        return True
    call.let_go()
    return False


def tried_directly(call: Conversation, arrival: Arrival) -> Next:
    return STAY if not isinstance(arrival, HandoffDone) or connected(call, arrival.outcome) else strand(call)


def strand(call: Conversation) -> Ask:
    """Nobody can be reached and no flow knows better: stay with the caller and keep trying."""
    call.steps = 0
    call.say(call.system("nobody_yet"))
    return Ask(universals_only(call, Mode.STRANDED))


# -- the verb ---------------------------------------------------------------------------------------------------


def enter(call: Conversation) -> Next:
    call.arrive()
    handoff, need = call.state.handoff, call.need
    assert handoff is not None
    priority = handoff.priority if handoff.priority is not None else need.priority
    call.need = HandoffNeed(
        call.filled_text(handoff.reason) or need.reason or "asked",
        call.filled_text(handoff.skill) or need.skill or DEFAULT_SKILL,
        DEFAULT_PRIORITY if priority is None else priority,
    )
    return connect(call)


def arrived(call: Conversation, arrival: Arrival) -> Next:
    if not isinstance(arrival, HandoffDone):
        return STAY
    if connected(call, arrival.outcome):
        return STAY
    return edge_of(call, arrival.outcome, "failed", "closed")


STRANDED = Handlers(
    go_on,
    noinput=lambda call, gather: connect_directly(call, "asked"),
    nomatch=go_on,
    anew=lambda call, gather: strand(call),
)
VERB = Verb(enter, arrived)
