"""The say verb: entering says the prompt, waits for nothing, takes ``goto``."""

from __future__ import annotations

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.next import Broken, Next, Take
from ivr.dialogue.engine.states.verb import Verb


def enter(call: Conversation) -> Next:
    call.arrive()
    if call.state.goto is None:
        raise Broken(f"{call.here} leads nowhere")
    return Take("goto", call.state.goto)


VERB = Verb(enter)
