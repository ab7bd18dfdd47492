"""Identification in a call: what an action makes the caller, whether that suffices for the next, and who may go on with
a dropped call.
"""

from __future__ import annotations

from collections.abc import Mapping

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.next import Next, Take, to_human
from ivr.dialogue.engine.reasons import HandoffNeed
from ivr.dialogue.flows.signature import NOT_VERIFIED
from ivr.dialogue.flows.state import State
from ivr.events import CALLER_ID, ActionResult
from ivr.identity import CALLER_TRUSTED, IDENTITY_FACTS, IdentityLevel, renewed
from ivr.record import Decided

REASON = "identity not verified"
_OURS = frozenset({*IDENTITY_FACTS, CALLER_TRUSTED})  # facts that no back end can write


def suffices(call: Conversation) -> bool:
    """Whether the caller's level is that which the current state needs."""
    return call.identity.level >= call.shared.assurance.needed(call.state)


def refused(call: Conversation) -> Next:
    """It is not done: by the state's own edge to where the caller can be verified, else to a human."""
    state = call.state
    needs = call.shared.assurance.needed(state).word
    action = state.action or "http.call"
    call.outbox.record(Decided("identity", "refused", {"action": action, "needs": needs, "is": call.identity.told}))
    edge = state.transition("outcome", name=NOT_VERIFIED)
    if edge is not None:
        return Take(edge)
    call.say(call.system(NOT_VERIFIED))
    return to_human(HandoffNeed(REASON))


def take_up(call: Conversation, state: State, result: ActionResult) -> None:
    """The facts and word lists that an action brought, and the identity that its outcome gives.

    Of somebody else nothing remains: facts of two people are never mixed."""
    assurance, before = call.shared.assurance, call.identity
    facts = {name: value for name, value in result.facts.items() if name not in _OURS}
    known = call.facts.get(CALLER_ID)
    now = renewed(call.facts, facts.get(CALLER_ID, known), assurance.given(state, result.outcome))
    if known and facts.get(CALLER_ID, known) != known:
        for name in assurance.facts:
            call.facts.pop(name, None)
        call.learn(dict.fromkeys(assurance.vocabularies, ()))
    call.facts.update(facts)
    call.learn(result.vocabularies)
    if now != before:
        call.facts.update(now.facts)
        call.outbox.record(Decided("identity", now.level.word, {"by": now.by}))


def take_up_late(call: Conversation, name: str, result: ActionResult) -> None:
    """As ``take_up``, once the call has gone on: who calls is not changed behind the caller's back."""
    signature = call.library.signatures.get(name)
    known = call.facts.get(CALLER_ID)
    if (signature is not None and signature.gives) or result.facts.get(CALLER_ID, known) != known:
        return
    call.learn(result.vocabularies)
    call.facts.update({name: value for name, value in result.facts.items() if name not in _OURS})


# -- dropped calls ------------------------------------------------------------------------------------------------


def may_resume(call: Conversation) -> bool:
    """Whether the caller is known well enough for a dropped call to be looked for."""
    return not call.shared.assurance.identifies or call.identity.level >= IdentityLevel.LIKELY


def stamp(call: Conversation) -> dict[str, object]:
    """What a snapshot keeps of who called."""
    return {"identity": call.identity.level.word, "caller": call.start.caller}


def is_theirs(call: Conversation, snapshot: Mapping[str, object]) -> bool:
    """Whether a dropped call may be offered: to a caller at its level; or who is likely, and calls from its number."""
    if not call.shared.assurance.identifies:
        return True
    kept, level = IdentityLevel.of_word(snapshot.get("identity")), call.identity.level
    if min(kept, level) < IdentityLevel.LIKELY:
        return False
    same_number = bool(call.start.caller) and snapshot.get("caller") == call.start.caller
    return level >= kept or same_number
