"""The verbs of the flow language, in the order of the model, and the side questions that may come up in any state."""

from __future__ import annotations

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Handlers, Verb
from ivr.dialogue.engine.next import Gather, Mode
from ivr.dialogue.engine.states import (
    action,
    did_you_mean,
    flow_control,
    handoff,
    intent_question,
    language_choice,
    question,
    resume,
    risk_question,
    wait,
)

VERBS: dict[str, Verb] = {
    "question": question.VERB,
    "action": action.VERB,
    "http": action.VERB,
    "branch": flow_control.BRANCH,
    "call": flow_control.CALL,
    "return": flow_control.RETURN,
    "handoff": handoff.VERB,
    "wait": wait.VERB,
    "end": flow_control.END,
    "resume": resume.VERB,
    "say": flow_control.SAY,
}
SIDE: dict[str, Handlers] = {
    Mode.CHOOSE: did_you_mean.HANDLERS,
    Mode.GOODBYE: flow_control.GOODBYE,
    Mode.RISK: risk_question.HANDLERS,
    Mode.MEANT: intent_question.HANDLERS,
    Mode.LANGUAGE: language_choice.HANDLERS,
    Mode.STRANDED: handoff.STRANDED,
}


def verb(call: Conversation) -> Verb:
    """That of the state the call is in."""
    return VERBS[call.state.kinds[0]]


def handlers(call: Conversation, gather: Gather) -> Handlers:
    return SIDE.get(gather.mode) or verb(call).gathers[gather.mode]
