"""The verbs of the flow language, in the order of the model, and the side questions that may come up in any state."""

from __future__ import annotations

from ivr.dialogue.engine import human
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Gather, Mode
from ivr.dialogue.engine.states import (
    action,
    branch,
    did_you_mean,
    end,
    handoff,
    language_choice,
    question,
    resume,
    say,
    subflow,
)
from ivr.dialogue.engine.states.verb import Handlers, Verb

VERBS: dict[str, Verb] = {
    "question": question.VERB,
    "action": action.VERB,
    "http": action.VERB,
    "branch": branch.VERB,
    "call": subflow.CALL,
    "return": subflow.RETURN,
    "handoff": handoff.VERB,
    "end": end.VERB,
    "resume": resume.VERB,
    "say": say.VERB,
}
SIDE: dict[str, Handlers] = {
    Mode.CHOOSE: did_you_mean.HANDLERS,
    Mode.GOODBYE: end.GOODBYE,
    Mode.LANGUAGE: language_choice.HANDLERS,
    Mode.STRANDED: human.STRANDED,
}


def verb(call: Conversation) -> Verb:
    """That of the state the call is in."""
    return VERBS[call.state.kinds[0]]


def handlers(call: Conversation, gather: Gather) -> Handlers:
    return SIDE.get(gather.mode) or verb(call).gathers[gather.mode]
