"""The resume verb, and the snapshot of a call that drops: where the caller was, and the variables marked ``survive``.

Entering looks for a dropped call by this caller, listening to universals, and offers it: the prompt is the offer. A yes
goes where that call was, with everything it knew in doubt; a no, or nothing found, takes ``on.none``, else ``goto``.
Nobody is offered the call of somebody else: it takes the identity level of that call (``identification.is_theirs``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from ivr.dialogue.engine import identification
from ivr.dialogue.engine.contract import LoadResume, ResumeLoaded
from ivr.dialogue.engine.conversation import CHOSEN, Conversation
from ivr.dialogue.engine.gather import MEANWHILE, Arrival, Verb, edge_of, meanwhile, yes_no_gather, yes_or_no
from ivr.dialogue.engine.next import STAY, Ask, Gather, Goto, Mode, Next, Wait, Waiting
from ivr.dialogue.engine.variables import MOST_ASKED, Asked, Frame
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.events import CALLER_ID
from ivr.record import Decided

_KINDS = ("question", "action", "http", "branch", "call", "say", "resume")


@dataclass(frozen=True, slots=True)
class Loading(Waiting):
    """A snapshot of a dropped call is being looked for."""

    what: ClassVar[str] = "snapshot"


def enter(call: Conversation) -> Next:
    call.count_visit()
    caller_id = call.facts.get(CALLER_ID)
    if not caller_id or not identification.may_resume(call):
        return edge_of(call, "none")
    token = call.outbox.token()
    call.outbox.put(LoadResume(token, str(caller_id)))
    return Wait(Loading(token), meanwhile(call))


def arrived(call: Conversation, arrival: Arrival) -> Next:
    if not isinstance(arrival, ResumeLoaded):
        return STAY
    call.let_go()
    found = arrival.snapshot
    return offer(call, found) if found and identification.is_theirs(call, found) else edge_of(call, "none")


def offer(call: Conversation, snapshot: Mapping[str, object]) -> Ask:
    call.progress()
    speak_as(call, snapshot)
    call.say(call.own("", call.state.prompt) or call.system("resume_offer"))
    gather = yes_no_gather(call, Mode.RESUME)
    gather.snapshot = snapshot
    return Ask(gather)


def _decided(call: Conversation, gather: Gather, yes: bool) -> Next:
    call.outbox.record(Decided("resume", yes))
    if yes:
        call.kept, call.keyed_ahead = None, ""
    target = restore(call, gather.snapshot) if yes else None
    if target is None:
        return edge_of(call, "none")
    call.say(call.system("resumed"))
    return Goto(target)


# -- the snapshot -----------------------------------------------------------------------------------------------


def snapshot(call: Conversation) -> dict[str, object] | None:
    """None when nothing is worth taking up again: nothing surviving was said, or the call is a human's already, or
    nobody knows whose it is."""
    if call.in_human_flow or not identification.may_resume(call):
        return None
    if call.gather is not None and call.gather.base.mode == Mode.RESUME:
        return dict(call.gather.base.snapshot)  # the place that is being offered is no less a place
    stack = [
        {
            "flow": frame.flow,
            "state": goes_on_at(call, frame),
            "asked": [
                {"state": each.state, "chosen": each.chosen, "filled": sorted(each.filled)} for each in frame.asked
            ],
            "variables": {
                name: {"value": value.value, "label": value.label}
                for name, value in frame.variables.items()
                if (spec := call.variable(name, frame.flow)) is not None
                and spec.survive
                and name not in call.shared.secrets[frame.flow]
                and _plain(value.value)
            },
        }
        for frame in call.stack
    ]
    if not any(entry["variables"] for entry in stack):
        return None
    return {
        "version": call.library.version,
        "versions": {frame.flow: call.library.versions.get(frame.flow, "") for frame in call.stack},
        "state": call.here,
        **identification.stamp(call),
        "language": call.language,
        "persona": call.words.persona,
        "declined": sorted(call.declined),
        "stack": stack,
    }


def goes_on_at(call: Conversation, frame: Frame) -> str:
    """Where to enter a flow again without what is secret: at its start, where it had come to know any."""
    flow = call.library.flows[frame.flow]
    lost = frame is call.frame and not flow.secrets.isdisjoint(frame.variables)
    return flow.start if lost else frame.state


def restore(call: Conversation, found: Mapping[str, object]) -> str | None:
    """Put the call back where it was; its state, or None where that is not to be found in these flows any more.

    Everything restored is doubtful: it was said in another call, so actions ask before they change anything."""
    frames: list[Frame] = []
    stack = found.get("stack")
    if not isinstance(stack, list | tuple) or not 1 <= len(stack) <= 20:
        return None
    for entry in stack:
        if (frame := _frame(call, entry)) is None:
            return None
        frames.append(frame)
    for above, below in pairwise(frames):
        if call.library.flows[above.flow].states[above.state].call != below.flow:
            return None
    last = frames[-1]
    state = call.library.flows[last.flow].states[last.state]
    if frames[0].flow == call.library.universals.human_flow or state.kinds[0] not in _KINDS or state.resume:
        return None
    call.stack[:] = frames
    call.intent_doubt = True
    declined = found.get("declined")
    call.declined.update(map(str, declined) if isinstance(declined, list | tuple) else ())
    return f"{last.flow}.{last.state}"


def speak_as(call: Conversation, found: Mapping[str, object]) -> None:
    """Go on in the language of the dropped call, unless the caller has chosen one in this."""
    language, persona = found.get("language"), found.get("persona")
    if isinstance(language, str) and language in call.library.languages and not call.facts.get(CHOSEN):
        known = (language, persona) in call.library.voices
        call.speak(language, str(persona) if known else call.words.persona)


def _frame(call: Conversation, entry: object) -> Frame | None:
    if not isinstance(entry, Mapping):
        return None
    flow, state, variables = entry.get("flow"), entry.get("state"), entry.get("variables")
    if not isinstance(flow, str) or not isinstance(state, str) or not isinstance(variables, Mapping):
        return None
    owner = call.library.flows.get(flow)
    if owner is None or state not in owner.states:
        return None
    frame = Frame(flow, state, asked=list(_asked(entry.get("asked"), owner)))
    for name, stored in variables.items():
        spec = call.variable(name, flow) if isinstance(name, str) else None
        if spec is None or not spec.survive or not isinstance(stored, Mapping):
            continue
        value, label = stored.get("value"), stored.get("label")
        if _plain(value) and isinstance(value, str | int | float) and isinstance(label, str):
            frame.fill(name, SlotValue(value, label), doubt=True)
    return frame


def _asked(kept: object, owner: Flow) -> Iterator[Asked]:
    """What had been asked in a flow, as far as it is asked there still."""
    for each in kept[-MOST_ASKED:] if isinstance(kept, list | tuple) else ():
        if isinstance(each, Mapping) and each.get("state") in owner.states:
            filled = each.get("filled")
            names = {str(name) for name in filled} if isinstance(filled, list | tuple) else set()
            yield Asked(str(each["state"]), str(each.get("chosen", "")), names)


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


OFFER = yes_or_no(_decided, anew=lambda call, gather: offer(call, gather.snapshot))
VERB = Verb(enter, arrived, {Mode.RESUME: OFFER, Mode.RUNNING: MEANWHILE})
