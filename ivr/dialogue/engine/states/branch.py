"""The branch verb (``when``): says the prompt, waits for nothing, takes ``when.N`` of the first case that holds."""

from __future__ import annotations

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.next import Broken, Next, Take
from ivr.dialogue.engine.states.verb import Verb


def enter(call: Conversation) -> Next:
    call.arrive()
    for index, case in enumerate(call.state.when):
        if call.holds(case.condition):
            return Take(f"when.{index}", case)
    raise Broken(f"no case of {call.here} holds")


VERB = Verb(enter)
