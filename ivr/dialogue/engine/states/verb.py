"""A verb: one kind of state as functions; and the handlers of what the caller does while it is listened to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ivr.dialogue.engine.contract import ActionDone, ActionSlow, HandoffDone, ResumeLoaded, Words
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import meanwhile
from ivr.dialogue.engine.next import STAY, Anew, Ask, Gather, Next, NoMatch
from ivr.dialogue.understanding.grammar import Reading

Arrival = ActionDone | ActionSlow | HandoffDone | ResumeLoaded
"""What comes from outside with the token of ``Conversation.waiting``."""


def go_on(call: Conversation, gather: Gather, reading: Reading | None = None) -> Next:
    """Nothing was to be answered: go on listening."""
    return Ask(gather)


def _beneath(call: Conversation, gather: Gather) -> Next:
    return Ask(gather) if gather.beneath is None else Anew(gather.beneath)


@dataclass(frozen=True, slots=True)
class Handlers:
    """What becomes of what the caller does under a gather (VoiceXML: filled, noinput, nomatch).

    ``filled`` takes what was said, ``picked`` the key of a choice by its index; universals never come here.
    ``noinput`` and ``nomatch``: instead of the re-prompts that end with a human. ``anew`` asks again in a language just
    chosen; a side question asks what is beneath it. ``menu`` names the keys. ``asks``: a question of the flow's own:
    the state's noinput and nomatch prompts are said, and two close readings are both offered.
    """

    filled: Callable[[Conversation, Gather, Reading], Next]
    picked: Callable[[Conversation, Gather, int], Next] = lambda call, gather, index: NoMatch(gather)
    noinput: Callable[[Conversation, Gather], Next] | None = None
    nomatch: Callable[[Conversation, Gather], Next] | None = None
    anew: Callable[[Conversation, Gather], Next] = _beneath
    menu: Callable[[Conversation, Gather], tuple[Words, ...]] = lambda call, gather: call.system("human_option")
    asks: bool = False


def yes_no_menu(call: Conversation, gather: Gather) -> tuple[Words, ...]:
    return (*call.system("confirm_keys"), *call.system("human_option"))


def yes_or_no(
    decided: Callable[[Conversation, Gather, bool], Next], anew: Callable[[Conversation, Gather], Next] = _beneath
) -> Handlers:
    """Handlers of an offer: a yes must be sure, a no need not."""

    def filled(call: Conversation, gather: Gather, reading: Reading) -> Next:
        intent = reading.meaning.intent
        if intent not in ("yes", "no") or (intent == "yes" and not reading.sure):
            return NoMatch(gather)
        return decided(call, gather, intent == "yes")

    def picked(call: Conversation, gather: Gather, index: int) -> Next:
        return decided(call, gather, index == 0)

    return Handlers(filled, picked, anew=anew, menu=yes_no_menu)


MEANWHILE = Handlers(go_on, nomatch=go_on, anew=lambda call, gather: Ask(meanwhile(call)))  # only universals


@dataclass(frozen=True, slots=True)
class Verb:
    """``enter``: the call comes to the state. ``arrived``: the answer to what it waited for. ``gathers``: the handlers
    of every mode that the verb listens in."""

    enter: Callable[[Conversation], Next]
    arrived: Callable[[Conversation, Arrival], Next] = lambda call, arrival: STAY
    gathers: Mapping[str, Handlers] = field(default_factory=dict)
