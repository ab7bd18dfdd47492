"""The continuation of a call whose process died: everything that its dialogue knew, and how another goes on from there.

It is the same call with the same caller, so nothing is in doubt and nobody is asked whether they want to go on, unlike
a call that dropped (``states/resume.py``). What is secret is not kept: a flow that had asked for it
begins again, and so does the call where a secret fact was known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.next import Goto, Mode, Next, Wait, to_human
from ivr.dialogue.engine.reasons import HandoffNeed, Reasons, Weight
from ivr.dialogue.engine.states import handoff, resume, wait
from ivr.dialogue.engine.states.action import Performing
from ivr.dialogue.engine.variables import Asked, Frame
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.events import Term
from ivr.record import Entered, Utterance

MOST_TERMS = 500  # of a word list that an action brought: a longer one is everybody's
MOST_SAID = 100  # lines of the transcript
LOST = HandoffNeed("something on our side broke", weight=Weight.BROKEN)


def kept(call: Conversation) -> dict[str, Any]:
    """As JSON. Whoever goes on with it says by ``connected`` whether a human has the call again."""
    waiting, gather = call.waiting, call.gather
    connecting = waiting if isinstance(waiting, handoff.Connecting) else None
    again = isinstance(waiting, Performing)  # done under the same key, it is done once
    secret = call.library.secret_facts
    return {
        "version": call.library.version,
        "versions": {frame.flow: call.library.versions.get(frame.flow, "") for frame in (*call.stack, *call.left)},
        "entry": call.start.entry,
        "language": call.language,
        "persona": call.words.persona,
        "stack": [_kept_frame(call, frame) for frame in call.stack],
        "left": [_kept_frame(call, frame) for frame in call.left],
        "left_at": call.left_at,
        "waits": waiting.what if waiting is not None else "",
        "direct": connecting is not None and connecting.direct,
        "connected": False,
        "told": connecting.told if isinstance(connecting, handoff.InLine) else None,
        "mode": gather.mode if gather is not None else "",
        "offered": dict(gather.base.snapshot) if gather is not None else {},
        "facts": {n: value for n, value in call.facts.items() if n not in secret and _plain(value)},
        "lost": sorted(name for name in secret if call.facts.get(name) not in (None, "")),
        "vocabularies": _kept_terms(call),
        "visits": dict(call.visits),
        "transcript": [
            {**each.to_json(), "intent": each.intent} for each in islice(reversed(call.transcript), MOST_SAID)
        ][::-1],
        "tried": list(call.tried.values()),
        "performed": call.performed - again,
        "resolved": call.resolved,
        "request_open": call.request_open,
        "intent_doubt": call.intent_doubt,
        "declined": sorted(call.declined),
        "upset": [call.temper.level, list(call.temper.evidence), call.temper.told],
        "reasons": [
            [each.reason, each.skill, each.priority, int(each.weight), each.said] for each in call.reasons.needs
        ],
        "unreached": call.unreached,
        "unattended": call.unattended,
        "outcome": call.outcome,
    }


def go_on(call: Conversation, found: Mapping[str, Any]) -> Next:
    """Put the call back where it was, with a word for the gap; to a human where these flows don't know that place."""
    _know_again(call, found)
    connected = bool(found.get("connected"))
    stack = _frames(call, found.get("stack"))
    if not connected:
        call.say(call.system("one_moment"))
    if not stack:
        return handoff.connect_directly(call, LOST) if connected else to_human(LOST)
    call.stack[:] = stack
    call.left = tuple(_frames(call, found.get("left")))
    call.shared.table.place(call.cursor, call.here)
    return _as_it_was(call, found)


def _as_it_was(call: Conversation, found: Mapping[str, Any]) -> Next:
    state, waits = call.state, found.get("waits")
    if waits == "human":
        call.outbox.record(Entered(call.here, state.kinds[0]))
        if found.get("direct") or (state.line is None and state.handoff is None):
            return handoff.connect(call, direct=True)
        if state.line is not None:
            return Wait(handoff.wait(call, told=int(found.get("told") or 0)), wait.gather(call))
        return handoff.ring(call)
    if found.get("mode") == Mode.STRANDED:
        return handoff.strand(call)
    if found.get("mode") == Mode.RESUME and isinstance(offered := found.get("offered"), Mapping) and state.resume:
        return resume.offer(call, offered)
    if found.get("lost") and (entry := call.library.flows.get(str(found.get("entry")))) is not None:
        call.stack[:] = [Frame(entry.flow, entry.start)]  # to what had brought it
    return Goto(call.here)


def _know_again(call: Conversation, found: Mapping[str, Any]) -> None:
    call.facts.update(found["facts"])
    call.learn(
        {
            name: tuple(Term(term[0], term[1], tuple(term[2])) for term in terms)
            for name, terms in found["vocabularies"].items()
        }
    )
    language, persona = found["language"], found["persona"]
    if language in call.library.languages:
        known = (language, persona) in call.library.voices or persona == call.words.persona
        call.speak(language, persona if known else call.words.persona)
    call.visits.update(found["visits"])
    call.transcript.extend(map(Utterance.from_json, found["transcript"]))
    call.tried.update({-number: each for number, each in enumerate(found["tried"], 1)})
    call.performed, call.resolved = found["performed"], found["resolved"]
    call.request_open, call.intent_doubt = found["request_open"], found["intent_doubt"]
    call.declined.update(found["declined"])
    call.temper.level, evidence, call.temper.told = found["upset"]
    call.temper.evidence.extend(evidence)
    call.reasons = Reasons(tuple(HandoffNeed(r, s, p, Weight(w), said) for r, s, p, w, said in found["reasons"]))
    call.unreached, call.unattended = found["unreached"], found["unattended"]
    call.left_at, call.outcome = found["left_at"], found["outcome"]


# -- frames ------------------------------------------------------------------------------------------------------


def _kept_frame(call: Conversation, frame: Frame) -> dict[str, Any]:
    secret = call.shared.secrets[frame.flow]
    return {
        "flow": frame.flow,
        "state": resume.goes_on_at(call, frame),
        "doubtful": sorted(frame.doubtful - secret),
        "asked": [[each.state, each.chosen, sorted(each.filled)] for each in frame.asked],
        "variables": {
            name: [value.value, value.label]
            for name, value in frame.variables.items()
            if name not in secret and _plain(value.value)
        },
    }


def _frames(call: Conversation, kept: object) -> list[Frame]:
    """Nothing where one of them is not to be found in these flows."""
    frames = []
    for entry in kept if isinstance(kept, Sequence) else ():
        flow = call.library.flows.get(entry["flow"])
        if flow is None or entry["state"] not in flow.states:
            return []
        asked = [Asked(state, chosen, set(filled)) for state, chosen, filled in entry["asked"] if state in flow.states]
        values = {name: SlotValue(*value) for name, value in entry["variables"].items()}
        frames.append(Frame(flow.flow, entry["state"], values, set(entry["doubtful"]), asked))
    joined = (
        call.library.flows[above.flow].states[above.state].call == below.flow for above, below in pairwise(frames)
    )
    return frames if all(joined) else []


def _kept_terms(call: Conversation) -> dict[str, Any]:
    """Word lists that actions brought: those that every call has are at hand in every process."""
    return {
        name: [[term.id, term.label, list(term.spoken)] for term in terms]
        for name, terms in call.terms.by_name.items()
        if terms != tuple(call.start.vocabularies.get(name, ())) and len(terms) <= MOST_TERMS
    }


def _plain(value: object) -> bool:
    """Whether JSON keeps it as it is."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or isinstance(value, str | int | float | bool)
