"""The wait verb: in the line for a live agent, told where one stands, and listened to all the while.

Entering says the prompt and takes a place. ``told`` is said when the driver says where the caller stands; choices leave
the line, the place kept, or change what is heard (``place``, ``quiet``, ``music``). Silence means nothing here, and who
asks for a human hears where they stand. Nobody is left alone: it takes ``on.closed``, ``on.failed`` or ``on.dropped``.
"""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue.engine.contract import AgentComing, HandoffDone, Music, PlaceTold, Words
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Arrival, Handlers, Verb, go_on
from ivr.dialogue.engine.next import STAY, Ask, Gather, Mode, Next, Wait
from ivr.dialogue.engine.reasons import HandoffNeed
from ivr.dialogue.engine.states import handoff, question
from ivr.dialogue.flows.state import Wait as InFlow
from ivr.dialogue.understanding.grammar import Reading
from ivr.record import Decided

POSITION, MINUTES, ASKED, AGAIN = FACTS = ("wait.position", "wait.minutes", "wait.asked", "wait.again")
"""What is known of a caller's place while they are told of it: 1 is next, less than so many minutes."""

KEYS_AFTER = 2  # times that a caller was not understood, in a row; noise is not answered before, nor after


def enter(call: Conversation) -> Next:
    call.arrive()
    call.progress()
    call.reasons = call.reasons.adding(HandoffNeed(call.filled_text(_spec(call).reason)))
    listening = gather(call)
    if call.keys_led:
        call.say(menu(call, listening))
    return Wait(handoff.wait(call), listening)


def gather(call: Conversation) -> Gather:
    """As a question's; but time doesn't count, and only what was recognised stops a prompt."""
    found = question.question(call)
    found.mode, found.timeout_s, found.hotword = Mode.WAIT, None, True
    return found


def _spec(call: Conversation) -> InFlow:
    spec = call.state.line
    assert spec is not None
    return spec


# -- what the line says ------------------------------------------------------------------------------------------


def arrived(call: Conversation, arrival: Arrival) -> Next:
    match arrival:
        case PlaceTold():
            return _told(call, arrival)
        case AgentComing():
            call.gather = None
        case HandoffDone(outcome=outcome):
            if not handoff.connected(call, outcome):
                return handoff.onward(call, outcome)
            call.gather = None
    return STAY


def _told(call: Conversation, place: PlaceTold) -> Next:
    waiting = handoff.in_line(call)
    if waiting is None:
        return STAY
    known = (place.position or None, place.minutes or None, place.asked or None, place.again or None)
    call.facts.update(zip(FACTS, known, strict=True))
    listening = call.gather.base if call.gather is not None else gather(call)
    if call.gather is not None and call.gather.mode != Mode.WAIT and not place.asked:
        return STAY  # a side question is being asked
    words = call.own("again", _spec(call).again) if place.again else ()
    words += call.own("told", _spec(call).told, waiting.told + 1)
    if not words and place.asked:
        words = call.system("place_unknown")
    if words:
        call.say(words)
        call.waiting = replace(waiting, told=waiting.told + 1)
        listening.prompt = words  # for "repeat"
        call.outbox.record(
            Decided("place", place.position, {"minutes": place.minutes, "asked": place.asked, "again": place.again})
        )
    return Ask(listening) if call.gather is None else STAY


# -- what the caller says ----------------------------------------------------------------------------------------


def stay(call: Conversation, target: str) -> Next:
    """A choice that doesn't leave the line: "place", "quiet" or "music"."""
    waiting = handoff.in_line(call)
    if waiting is None or call.gather is None:
        return STAY
    if target == "place":
        return handoff.ask_place(call, waiting)
    call.failures = 0
    call.outbox.put(Music(waiting.token, target == "music"))
    return Ask(call.gather.base)


def menu(call: Conversation, gather: Gather) -> tuple[Words, ...]:
    """The keys; the one for a human is no use to who waits for one."""
    return tuple(question.keys(call, gather))


def _nomatch(call: Conversation, gather: Gather, reading: Reading | None = None) -> Next:
    gather.keypad.forget()
    call.failures += 1
    if call.failures == KEYS_AFTER:
        call.say(call.system("offer_keys"))
        call.say(menu(call, gather))
    return Ask(gather)


def _anew(call: Conversation, gather_: Gather) -> Next:
    """In the language just chosen."""
    call.gather = gather(call)
    waiting = handoff.in_line(call)
    return Ask(call.gather) if waiting is None else handoff.ask_place(call, waiting)


HANDLERS = Handlers(question.filled, question.picked, noinput=go_on, nomatch=_nomatch, anew=_anew, menu=menu)
VERB = Verb(enter, arrived, {Mode.WAIT: HANDLERS})
