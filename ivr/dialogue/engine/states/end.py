"""The end verb: entering says the prompt and hangs up with the state's outcome. Also the goodbye that callers say."""

from __future__ import annotations

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import say_again, yes_no_gather
from ivr.dialogue.engine.next import Ask, Done, Gather, Mode, Next
from ivr.dialogue.engine.states.verb import Verb, yes_or_no
from ivr.record import Decided


def enter(call: Conversation) -> Next:
    call.arrive()
    return Done(call.state.end)


def goodbye(call: Conversation) -> Done:
    call.say(call.system("goodbye"), bargein=False)
    return Done("goodbye")


def ask_goodbye(call: Conversation, gather: Gather) -> Ask:
    """A goodbye was heard with doubt."""
    call.say(call.system("confirm_goodbye"))
    return Ask(yes_no_gather(call, Mode.GOODBYE, gather.base))


def _decided(call: Conversation, gather: Gather, yes: bool) -> Next:
    call.outbox.record(Decided("goodbye", yes))
    return goodbye(call) if yes else say_again(call, gather.base)


VERB = Verb(enter)
GOODBYE = yes_or_no(_decided)
