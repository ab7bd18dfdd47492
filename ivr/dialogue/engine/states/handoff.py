"""The handoff verb, and going to a human from anywhere: by the human flow, or directly when even that is broken.

Entering says the prompt and connects a human, for whom the call waits without listening. Connected, the call is the
human's; else it takes ``on.closed`` or ``on.failed``, as it does when the human drops it. Nobody is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ivr.dialogue.engine.contract import ActionDone, AskPlace, Connect, Disconnect, HandoffDone, Perform
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Arrival, Handlers, Verb, edge_of, go_on, universals_only
from ivr.dialogue.engine.next import (
    STAY,
    Ask,
    Done,
    Gather,
    Goto,
    Mode,
    Next,
    Wait,
    Waiting,
    to_human,
)
from ivr.dialogue.engine.reasons import ASKED, HandoffNeed, Weight
from ivr.dialogue.engine.states import question
from ivr.dialogue.engine.variables import Frame
from ivr.events import CALLBACK_REQUEST, HANDOFF_PRIORITY, HANDOFF_REASON, HANDOFF_SAID, HANDOFF_SKILL
from ivr.record import Decided

DEFAULT_SKILL = "general"
DEFAULT_PRIORITY = 5
MOST_UNATTENDED = 1  # times that we try again by ourselves for somebody who gives no sign
PROMISE_S = 5.0
ASKED_AGAIN_PRIORITY = 7  # who has to ask for a person twice waits behind fewer people


@dataclass(frozen=True, slots=True)
class Connecting(Waiting):
    """A human is being rung, or has the call. ``direct``: as our own last resort, not by a handoff state."""

    what: ClassVar[str] = "human"
    direct: bool = False
    connected: bool = False


@dataclass(frozen=True, slots=True)
class InLine(Connecting):
    """In the line, by the verb ``wait``, and listened to. ``told``: how often they were told where they stand."""

    wanted: Connect | None = None
    told: int = 0

    def given_up(self, *, for_good: bool) -> Disconnect | None:
        return None if self.connected else Disconnect(self.token, "done" if for_good else "away")


def rung(call: Conversation) -> bool:
    """Whether a human is being rung or has the call: nothing else is done then."""
    return isinstance(call.waiting, Connecting)


def in_line(call: Conversation) -> InLine | None:
    """The caller's waiting in the line, as long as no human has the call."""
    waiting = call.waiting
    return waiting if isinstance(waiting, InLine) and not waiting.connected else None


def summon(call: Conversation, need: HandoffNeed) -> Next:
    """Jump to the human flow: no way back. What led here is one more reason beside those there were."""
    if (waiting := in_line(call)) is not None:
        tell(call, need)
        return ask_place(call, sooner(call, waiting))
    if rung(call):
        return STAY
    again = call.in_human_flow
    if again and need.weight is Weight.ASKED:
        call.temper.agitated("asked again", 0.3)
        need = replace(need, priority=ASKED_AGAIN_PRIORITY)
    if not again:
        call.left_at = call.here
        need = need if need.reason else replace(need, reason=ASKED, weight=Weight.ASKED)
    tell(call, need)
    flow = call.library.flows[call.library.universals.human_flow]
    call.outbox.record(Decided("to", "human", {"reason": call.reasons.first.reason, "from": call.here}))
    call.let_go()
    call.kept, call.keyed_ahead, call.requests = None, "", ()
    call.left = call.left if again else tuple(call.stack)
    call.stack[:] = [Frame(flow.flow)]
    call.intent_doubt, call.request_open, call.guess = False, False, None
    return Goto(f"{flow.flow}.{flow.start}")


def tell(call: Conversation, need: HandoffNeed) -> None:
    """One more reason, with what the caller says now, or said when it came up."""
    call.reasons = call.reasons.adding(replace(need, said=need.said or call.said))
    first = call.reasons.first
    call.facts |= {HANDOFF_SKILL: first.skill, HANDOFF_REASON: first.reason, HANDOFF_SAID: first.said}
    if first.priority is not None:
        call.facts[HANDOFF_PRIORITY] = first.priority


def agitated(call: Conversation) -> Goto | None:
    """To somebody who can calm, now that the signs are enough; None where one is on the way already, who is told."""
    risk = call.library.universals.agitation
    need = HandoffNeed(call.temper.reason, risk.skill, risk.priority, Weight.RISK)
    waiting = in_line(call)
    if not call.in_human_flow and waiting is None:
        return to_human(need)
    if (waiting is not None or not rung(call)) and not call.temper.told:
        call.temper.told = True
        tell(call, need)
        if waiting is not None:
            sooner(call, waiting)
    return None


def connect(call: Conversation, of: tuple[str, int] | None = None, *, direct: bool = False) -> Wait:
    """Ring a human of the skill needed, or ``of`` this skill and priority. Nobody listens meanwhile."""
    token = call.outbox.token()
    need = call.reasons.first
    skill, priority = of or (need.skill or DEFAULT_SKILL, _priority(need))
    call.outbox.put(Connect(token, need.reason, skill, priority, need.said, call.reasons.also))
    return Wait(Connecting(token, direct))


def wait(call: Conversation, told: int = 0) -> InLine:
    """In the line for a human of the skill needed, with the state's own wishes; the caller is listened to meanwhile."""
    token, need, spec = call.outbox.token(), call.reasons.first, call.state.line
    assert spec is not None
    skill = call.filled_text(spec.skill) or need.skill or DEFAULT_SKILL
    priority = max(_priority(need), spec.priority or 0) if need.priority is not None else spec.priority
    priority = DEFAULT_PRIORITY if priority is None else priority
    said, also = need.said, call.reasons.also
    wanted = Connect(token, need.reason, skill, priority, said, also, True, spec.music, spec.every)
    call.outbox.put(wanted)
    return InLine(token, wanted=wanted, told=told)


def sooner(call: Conversation, waiting: InLine) -> InLine:
    """In the line already, and one more reason came: the place is kept, with the priority that this gives."""
    before = waiting.wanted
    assert before is not None
    need = call.reasons.first
    if (need.reason, len(call.reasons.also)) == (before.reason, len(before.also)):
        return waiting
    now = wait(call)
    call.waiting = now = replace(now, told=waiting.told)
    return now


def ask_place(call: Conversation, waiting: InLine) -> Next:
    call.failures = 0
    call.outbox.put(AskPlace(waiting.token))
    return STAY if call.gather is None else Ask(call.gather.base)


def _priority(need: HandoffNeed) -> int:
    return DEFAULT_PRIORITY if need.priority is None else need.priority


def connect_directly(call: Conversation, need: HandoffNeed) -> Wait:
    """The human flow itself is broken: no flow, just a human."""
    tell(call, need)
    return connect(call, direct=True)


def connected(call: Conversation, outcome: str) -> bool:
    """Note what came of the Connect under way: whether the call is a human's now."""
    connecting = call.waiting
    assert isinstance(connecting, Connecting)
    call.outbox.record(Decided("handoff", outcome))
    if outcome == "connected":
        call.unattended = 0
        call.unreached = False
        call.outcome = "handoff"
        call.waiting = replace(connecting, connected=True)
        return True
    call.unreached = True
    call.waiting = None  # it is over: nothing is left to give up
    call.let_go()
    return False


def slow(call: Conversation) -> Next:
    """Still nobody, and the caller hears nothing."""
    call.say(call.system("still_connecting"))
    return STAY


def tried_directly(call: Conversation, arrival: Arrival) -> Next:
    return STAY if not isinstance(arrival, HandoffDone) or connected(call, arrival.outcome) else strand(call)


def strand(call: Conversation) -> Ask:
    """Nobody can be reached and no flow knows better: stay with the caller and keep trying."""
    call.steps = 0
    call.say(call.system("nobody_yet"))
    return Ask(universals_only(call, Mode.STRANDED))


# -- nobody to be had, and silence --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Promising(Waiting):
    """A call back is being noted, unasked."""

    what: ClassVar[str] = "action"


def unattended(call: Conversation) -> bool:
    """The caller gives no sign any more. Once nobody was to be had either, and nobody again: it has to end."""
    call.unattended += call.unreached
    call.unreached = False
    return call.unattended > MOST_UNATTENDED


def promise(call: Conversation) -> Next:
    """The kind end: we call back where we know the number, and say so."""
    token = call.outbox.token()
    key = f"{call.start.call_id}:unattended"
    skill = call.reasons.first.skill or DEFAULT_SKILL
    call.outbox.put(Perform(token, CALLBACK_REQUEST, {"skill": skill}, key, PROMISE_S))
    return Wait(Promising(token))


def promised(call: Conversation, arrival: Arrival) -> Next:
    if not isinstance(arrival, ActionDone):
        return STAY
    kept = arrival.result.outcome == "ok"
    call.say(call.system("promise" if kept else "no_promise"), bargein=False)
    return Done("callback" if kept else "unattended")


def _silent_strand(call: Conversation, gather: Gather) -> Next:
    return promise(call) if unattended(call) else connect_directly(call, HandoffNeed(ASKED, weight=Weight.ASKED))


# -- the verb ---------------------------------------------------------------------------------------------------


def enter(call: Conversation) -> Next:
    call.arrive()
    return ring(call)


def ring(call: Conversation) -> Wait:
    """As the state wants it, without a word."""
    handoff = call.state.handoff
    assert handoff is not None
    call.reasons = call.reasons.adding(HandoffNeed(call.filled_text(handoff.reason)))
    need = call.reasons.first
    skill = call.filled_text(handoff.skill) or need.skill or DEFAULT_SKILL
    return connect(call, (skill, handoff.priority if handoff.priority is not None else _priority(need)))


def arrived(call: Conversation, arrival: Arrival) -> Next:
    if not isinstance(arrival, HandoffDone):
        return STAY
    return STAY if connected(call, arrival.outcome) else onward(call, arrival.outcome)


def onward(call: Conversation, outcome: str) -> Next:
    """No human has the call any more, or none had it."""
    if outcome == "machine":  # the agent gave the caller back to the dialogue
        return question.back_to_machine(call)
    return edge_of(call, outcome, "failed", "closed")


STRANDED = Handlers(
    go_on,
    noinput=_silent_strand,
    nomatch=go_on,
    anew=lambda call, gather: strand(call),
)
VERB = Verb(enter, arrived)
