"""Parts that fail or are late, as the dialogue takes it: keys where they can help, else a human; never silence."""

from __future__ import annotations

from ivr.dialogue.engine import reprompt
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import say_again
from ivr.dialogue.engine.next import STAY, Ask, Gather, Mode, Next, to_human
from ivr.dialogue.engine.reasons import HandoffNeed, Weight
from ivr.dialogue.engine.states import handoff
from ivr.record import Failed


def failed(call: Conversation, part: str, detail: str) -> Next:
    call.outbox.record(Failed(part, detail=detail[:200]))
    if handoff.in_line(call) is not None and part in ("recogniser", "synthesiser") and not call.deaf:
        call.keys_led = call.deaf = True  # who waits goes on waiting, and has the keys
        return STAY if call.gather is None else reprompt.offer_keys(call, call.gather)
    if handoff.rung(call):
        return STAY
    need = HandoffNeed(f"{part} failed", weight=Weight.BROKEN)
    if not call.in_human_flow:
        call.say(call.system("apology"))
        return to_human(need)
    if part == "synthesiser" and call.gather is not None and call.keys_led:
        return STAY  # what would be said now would fail again at once; keys count, and so does silence
    if part in ("recogniser", "synthesiser") and call.gather is not None:
        call.keys_led = call.deaf = True  # the way to the human goes on by keys
        return reprompt.offer_keys(call, call.gather)
    return handoff.connect_directly(call, need)


def recognition_late(call: Conversation, *, given_up: bool) -> Next:
    gather = _asking(call)
    if gather is None or (given_up and call.in_human_flow):
        return STAY
    if not given_up:
        return reprompt.offer_keys(call, gather)
    call.say(call.system("apology"))
    return to_human(HandoffNeed("recogniser too slow", weight=Weight.BROKEN))


def speech_lost(call: Conversation) -> Next:
    gather = _asking(call)
    if gather is None:
        return STAY
    call.say(call.system("say_again"))
    return Ask(gather)


def interrupted(call: Conversation, *, by_noise: bool = False) -> Next:
    """Ask again what was asked; who waits for an answer hears that. ``by_noise``: nothing failed, and nothing is said
    of it."""
    if not by_noise:
        call.outbox.record(Failed("media", "interrupted"))
    gather = call.gather
    if gather is None or call.waiting is not None:
        return STAY
    if not by_noise:
        call.say(call.system("interrupted"))
    return say_again(call, gather)


def _asking(call: Conversation) -> Gather | None:
    """The gather in force, where the caller is asked anything."""
    return None if call.gather is None or call.gather.mode in (Mode.RUNNING, Mode.WAIT) else call.gather
