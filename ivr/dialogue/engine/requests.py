"""Requests said at another question: "what's next" where a yes or a no was asked for, "no, move Alien to the top".

Whoever says what they want next answers the question that it belongs to: the latest one of each flow the call is in
that takes requests. What was being asked is left undone, and what its request had filled is forgotten. Only what comes
with a yes ("yes, and move Vertigo to the end") lets what was asked about happen first, unless it asks for the same of
something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ivr.dialogue.engine.compilation import entries
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.next import Answer, Gather, Goto, Mode, Next, NoMatch
from ivr.dialogue.flows.model import YES_NO, Flow
from ivr.dialogue.flows.phrases import Template
from ivr.dialogue.flows.state import State
from ivr.dialogue.spoken.language import Language
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.concepts import negated
from ivr.dialogue.understanding.grammar import INSTEAD, REQUEST, Meaning, Reading, distinct
from ivr.dialogue.understanding.grammar_compiler import Entry
from ivr.dialogue.understanding.n_best import words_of
from ivr.dialogue.understanding.shades import SOFT_YES
from ivr.dialogue.understanding.speech_grammar import slot_name, slot_names
from ivr.record import Decided

RANK = 2  # what answers the question that was asked goes first
MOST_STEPS = 10
_TAKEN_WITH_YES = (Mode.CONFIRM, Mode.QUESTION)


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question that takes requests, though another is being asked. ``ahead``: after the resume offer's no."""

    flow: str
    state: str
    ahead: bool = False


def takes_requests(flow: Flow, state: State) -> bool:
    """Whether it offers more than a yes, a no and what is understood everywhere."""
    return any(choice.intent in flow.intents and choice.intent not in YES_NO for choice in state.choices)


# -- what may be said ------------------------------------------------------------------------------------------


def open_questions(call: Conversation, *, resuming: bool = False) -> tuple[OpenQuestion, ...]:
    """The innermost first. None while an action runs, which can't be left, nor on the way to a human."""
    if call.waiting is not None or call.in_human_flow:
        return ()
    found: list[OpenQuestion] = []
    if resuming and (ahead := _ahead(call)) is not None:
        found.append(ahead)
    for frame in reversed(call.stack):
        flow = call.library.flows[frame.flow]
        asked = (each.state for each in reversed(frame.asked) if takes_requests(flow, flow.states[each.state]))
        if (state := next(asked, None)) is not None:
            found.append(OpenQuestion(frame.flow, state))
    return tuple(found)


def _ahead(call: Conversation) -> OpenQuestion | None:
    """The question that comes when an offer to resume is turned down, as far as the flow says so by itself."""
    flow, state = call.flow, call.state
    way = state.transition("outcome", name="none") or state.transition("answer", "then")
    for _ in range(MOST_STEPS):
        if way is None or way.target not in flow.states:
            return None
        state = flow.states[way.target]
        if takes_requests(flow, state):
            return OpenQuestion(flow.flow, way.target, ahead=True)
        if state.kinds[0] == "call" and state.call in call.library.flows:
            flow = call.library.flows[state.call]
            state = flow.states[flow.start]
            if takes_requests(flow, state):
                return OpenQuestion(flow.flow, flow.start, ahead=True)
        way = state.transition("then") if state.kinds[0] == "say" else None
    return None


def choice_entries(call: Conversation, question: OpenQuestion, intent: str, phrases: Sequence[str]) -> list[Entry]:
    """What is said for a choice of ``question``, with the sets of slots that it may come with."""
    found = entries(intent, phrases, call.language)
    phrased = frozenset(frozenset(slot_names(variant)) for entry in found for variant in entry.template.variants)
    may = call.shared.fillings(question.flow, question.state, intent, phrased)
    return [replace(entry, fillings=may) for entry in found]


def request_entries(call: Conversation, questions: Sequence[OpenQuestion]) -> list[Entry]:
    """Each question's intents, as they are and after a no; without what is a yes or a no elsewhere."""
    noes = words_for(call.language).denials[:1]
    found: list[Entry] = []
    for distance, question in enumerate(questions):
        state = call.library.flows[question.flow].states[question.state]
        for intent in dict.fromkeys(choice.intent for choice in state.choices):
            if intent in YES_NO:
                continue
            phrases = [
                phrase
                for phrase in call.words.phrases(question.flow, intent)
                if fold(phrase, call.language) not in call.words.answers
            ]
            for kind, before in ((REQUEST, ""), *((INSTEAD, f"{no} ") for no in noes)):
                said = [before + phrase for phrase in phrases]
                name = f"{kind}{question.flow}.{question.state}.{intent}"
                found += [
                    replace(_of_flow(entry, question.flow), intent=name, rank=RANK + distance)
                    for entry in choice_entries(call, question, intent, said)
                ]
    return found


def _of_flow(entry: Entry, flow: str) -> Entry:
    """The entry with its slots named for the flow whose variables they are."""
    template = entry.template
    variants = tuple(
        tuple(piece if (name := slot_name(piece)) is None else f"{{{flow}.{name}}}" for piece in variant)
        for variant in template.variants
    )
    named = Template(template.text, variants, tuple(f"{flow}.{name}" for name in template.slots))
    may = frozenset(frozenset(f"{flow}.{name}" for name in filled) for filled in entry.fillings)
    return replace(entry, template=named, fillings=may)


# -- what becomes of it ----------------------------------------------------------------------------------------


def named(intent: str) -> str:
    """The intent itself, of one that may be a request's."""
    return intent.rpartition(".")[2] if intent.startswith((REQUEST, INSTEAD)) else intent


def serve(call: Conversation, gather: Gather, *readings: Reading) -> Next:
    """Take one request, or two readings that are close, between which the caller will decide."""
    kind, flow, state, _ = readings[0].meaning.intent.split(".")
    requests = tuple(distinct(_plain(reading) for reading in readings))
    said, spoken = words_of(call.said, call.language), words_for(call.language)
    first = said[0] if said else ""
    yes = replace(readings[0], meaning=Meaning("yes"), doubtful=frozenset(), lacks=False)
    denied = kind == INSTEAD[:-1] or first in spoken.denials
    if gather.mode == Mode.CONFIRM and not denied and _same(call, requests[0]):
        if readings[0].inferred and negated(said, call.language):  # "don't take it off"
            return Answer(gather, replace(yes, meaning=Meaning("no")))
        return Answer(gather, yes)
    assented = first in spoken.assents and kind != INSTEAD[:-1] and not _taken_back(said, spoken)
    if assented and gather.mode in _TAKEN_WITH_YES and not _corrects(call, gather, requests[0], said):
        if not yes.sure:
            return NoMatch(gather, shade=SOFT_YES if yes.inferred else "")
        call.requests = requests
        return Answer(gather, yes)
    call.outbox.record(Decided("set_aside", str(gather.mode), {"intent": requests[0].meaning.intent}))
    call.requests, call.intent_doubt, call.guess = requests, False, None
    question = OpenQuestion(flow, state)
    if gather.mode == Mode.RESUME and question not in open_questions(call):
        return Answer(gather, Reading(Meaning("no"), readings[0].text, readings[0].confidence))
    leave_for(call, question)
    return Goto(f"{flow}.{state}")


def _plain(reading: Reading) -> Reading:
    """The request as its own question understands it."""
    text = reading.text
    if reading.meaning.intent.startswith(INSTEAD):
        text = text.partition(" ")[2]
    slots = {name.rpartition(".")[2]: value for name, value in reading.meaning.slots.items()}
    doubtful = frozenset(name.rpartition(".")[2] for name in reading.doubtful)
    return replace(reading, meaning=Meaning(named(reading.meaning.intent), slots), text=text, doubtful=doubtful)


def _corrects(call: Conversation, gather: Gather, request: Reading, said: Sequence[str]) -> bool:
    """Whether it asks for what is being confirmed, of something else: "yes, remove Alien" is no yes to Vertigo, unless
    it goes on with "and"."""
    if gather.mode != Mode.CONFIRM or _chosen(call) != request.meaning.intent or not request.meaning.slots:
        return False
    return words_for(call.language).joiner not in said[1:2]


def _taken_back(said: Sequence[str], spoken: Language) -> bool:
    """Whether a yes is none after all: "yes, no, what's next", "yeah, wait, move it to the end"."""
    rest = tuple(word for word in said if word not in spoken.hesitations)
    while rest and rest[0] in spoken.assents:
        rest = rest[1:]
    return bool(rest) and (rest[0] in spoken.denials or any(rest[: len(each)] == each for each in spoken.repairs))


def _chosen(call: Conversation) -> str:
    """The intent that led to what is being confirmed."""
    return next((asked.chosen for frame in reversed(call.stack) for asked in reversed(frame.asked) if asked.chosen), "")


def _same(call: Conversation, request: Reading) -> bool:
    """Whether it says again what is just being confirmed."""
    known = call.frame.variables
    return _chosen(call) == request.meaning.intent and all(
        name in known and known[name].value == value.value for name, value in request.meaning.slots.items()
    )


def leave_for(call: Conversation, question: OpenQuestion) -> None:
    """Back to the frame that asked it; what was answered since then, and to it, is forgotten."""
    while call.frame.flow != question.flow:
        call.stack.pop()
    frame = call.frame
    while frame.asked:
        asked = frame.asked.pop()
        spec = call.flow.states[asked.state]
        frame.clear(*asked.filled, *([spec.ask] if spec.ask else []))
        if asked.state == question.state:
            break


def awaited(call: Conversation, intents: Sequence[str]) -> tuple[Reading, ...]:
    """The requests put off until now that a question with these intents takes; they are put off no longer."""
    mine = tuple(request for request in call.requests if request.meaning.intent in intents)
    if mine:
        call.requests = ()
    return mine
