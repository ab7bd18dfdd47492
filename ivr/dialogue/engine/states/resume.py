"""The resume verb: entering looks for a dropped call by this caller, listening to universals, and offers it.

A yes goes where that call was, with everything it knew in doubt; a no, or nothing found, takes ``on.none``, else
``goto``. The prompt is the offer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ivr.dialogue.engine import listener
from ivr.dialogue.engine.contract import LoadResume, ResumeLoaded
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Gather, Mode, Waiting
from ivr.dialogue.engine.next import STAY, Ask, Broken, Goto, Next, Take, Wait
from ivr.dialogue.engine.snapshot import restore, speak_as
from ivr.dialogue.engine.states.verb import MEANWHILE, Arrival, Verb, yes_or_no
from ivr.events import CALLER_ID
from ivr.record import Decided


@dataclass(frozen=True, slots=True)
class Loading(Waiting):
    """A snapshot of a dropped call is being looked for."""

    what: ClassVar[str] = "snapshot"


def enter(call: Conversation) -> Next:
    call.count_visit()
    caller_id = call.facts.get(CALLER_ID)
    if not caller_id:
        return _not_resumed(call)
    token = call.outbox.token()
    call.outbox.put(LoadResume(token, str(caller_id)))
    return Wait(Loading(token), listener.meanwhile(call))


def arrived(call: Conversation, arrival: Arrival) -> Next:
    if not isinstance(arrival, ResumeLoaded):
        return STAY
    call.let_go()
    return offer(call, arrival.snapshot) if arrival.snapshot else _not_resumed(call)


def offer(call: Conversation, snapshot: Mapping[str, object]) -> Ask:
    call.progress()
    speak_as(call, snapshot)
    call.say(call.own("", call.state.prompt) or call.system("resume_offer"))
    gather = listener.yes_no(call, Mode.RESUME)
    gather.snapshot = snapshot
    return Ask(gather)


def _decided(call: Conversation, gather: Gather, yes: bool) -> Next:
    call.outbox.record(Decided("resume", yes))
    if not yes:
        return _not_resumed(call)
    call.kept = None
    target = restore(call, gather.snapshot)
    if target is None:
        return _not_resumed(call)
    call.say(call.system("resumed"))
    return Goto(target)


def _not_resumed(call: Conversation) -> Take:
    on = call.state.on
    edge = on.get("none") or call.state.goto
    if edge is None:
        raise Broken(f"{call.here} has no edge for none")
    return Take("on.none" if "none" in on else "goto", edge)


def _anew(call: Conversation, gather: Gather) -> Next:
    return offer(call, gather.snapshot)


VERB = Verb(enter, arrived, {Mode.RESUME: yes_or_no(_decided, _anew), Mode.RUNNING: MEANWHILE})
