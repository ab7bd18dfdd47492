"""Choice of language: the caller asks for one, at any time; what was being asked is asked again in it.

Heard with doubt it is offered first, in that language: a yes, or asking again, is a choice; a no goes on as before.
"""

from __future__ import annotations

from ivr.dialogue.engine.conversation import CHOSEN, Conversation
from ivr.dialogue.engine.gather import say_again, yes_no_gather, yes_or_no
from ivr.dialogue.engine.next import Anew, Ask, Gather, Mode, Next, NoMatch, to_human
from ivr.dialogue.engine.reasons import HandoffNeed
from ivr.dialogue.spoken.language import same_language
from ivr.record import Decided


def choose(call: Conversation, language: str, gather: Gather, *, sure: bool) -> Next:
    """What the line can't speak, a human may."""
    if not call.speaks(language):
        return to_human(HandoffNeed(f"asked for {language}"))
    insists = gather.mode == Mode.LANGUAGE and gather.language == language
    if not sure and not insists:
        return _offer(call, language, gather)
    call.facts[CHOSEN] = True
    if call.speak(language, call.words.persona):
        call.say(call.system("language_chosen"))
        return Anew(gather)
    return say_again(call, gather.base if gather.mode == Mode.LANGUAGE else gather)


def _offer(call: Conversation, language: str, gather: Gather) -> Next:
    """In that language: recognisers of another are seldom sure of such a word, and keys are plain in any."""
    if same_language(language, call.language):
        return NoMatch(gather)
    call.say(call.system_in(language, "confirm_language"))
    offer = yes_no_gather(call, Mode.LANGUAGE, gather.base)
    offer.language = language
    return Ask(offer)


def _decided(call: Conversation, gather: Gather, yes: bool) -> Next:
    call.outbox.record(Decided("language", yes))
    return choose(call, gather.language, gather, sure=True) if yes else say_again(call, gather.base)


HANDLERS = yes_or_no(_decided)
