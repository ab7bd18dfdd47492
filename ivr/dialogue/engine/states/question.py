"""The question verb: entering says the prompt and listens for choices, or for a value where the state ``ask``s one.

It is passed through silently when its variable is filled, or when what the caller said earlier answers it. A choice
takes ``choice.N``, a value ``goto``; noinput and nomatch are asked again (``reprompt.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ivr.dialogue.engine.compilation import answer_entries, pick_entries
from ivr.dialogue.engine.contract import Words
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.dtmf_input import DtmfEntry, Entered, Picked
from ivr.dialogue.engine.gather import Handlers, Verb, new_gather, state_grammar, with_human
from ivr.dialogue.engine.next import Ask, Gather, Goto, Mode, Next, NoMatch, Take
from ivr.dialogue.engine.requests import (
    OpenQuestion,
    awaited,
    choice_entries,
    open_questions,
    request_entries,
    takes_requests,
)
from ivr.dialogue.engine.states import did_you_mean, intent_question, risk_question
from ivr.dialogue.engine.variables import MOST_ASKED, Asked, Frame
from ivr.dialogue.flows.state import Transition
from ivr.dialogue.flows.wording import MASK
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.grammar import ANSWER, PICK, Meaning, Reading
from ivr.dialogue.understanding.grammar_compiler import Entry
from ivr.dialogue.understanding.n_best import understand
from ivr.dialogue.understanding.range_slots import DateRangeSlot, HalfSpan
from ivr.dialogue.understanding.slots import ChoiceSlot, Slot
from ivr.dialogue.understanding.time_slots import BoundedDateSlot
from ivr.events import Cause, Recognition
from ivr.record import Decided, Keyed

DIGIT_HANGOVER_S = 0.8
SLOWLY_SAID = ("digits", "phone", "code")  # in groups, with pauses between


def enter(call: Conversation) -> Next:
    state = call.state
    if state.ask in call.frame.variables and (answered := state.transition("answer")) is not None:
        return Take(answered)
    call.count_visit()
    choices = [choice.name for choice in _choices(call) if call.holds(choice.condition)]
    if requests := awaited(call, choices):
        gather = question(call)
        _asked(call)
        text = MASK if call.hides(*requests) else requests[0].text
        call.outbox.record(Decided("taken_up", text, {"intent": requests[0].meaning.intent}))
        return did_you_mean.ask(call, gather, requests) if len(requests) > 1 else filled(call, gather, requests[0])
    if call.kept is not None:
        gather = question(call)
        if not gather.secret and (reading := kept_answer(call, call.kept, gather)) is not None:
            text = MASK if call.hides(reading) else reading.text
            call.outbox.record(Decided("taken_up", text, {"intent": reading.meaning.intent}))
            said, call.kept = "" if call.in_private else call.kept.transcript, None
            _asked(call)
            return (
                risk_question.ask(call, gather, reading.risk, said) if reading.risk else filled(call, gather, reading)
            )
    if call.keyed_ahead and (answered_ahead := keyed_ahead(call)) is not None:
        return answered_ahead
    return ask(call)


def ask(call: Conversation) -> Ask:
    if (first := call.frame.variables.get(f"{call.state.ask}.start")) is not None:
        call.say(call.system("until_when", day=first.label, secret=call.state.ask in call.secrets))
    else:
        call.prompt()
    _asked(call)
    gather = question(call)
    if call.keys_led:
        call.say(menu(call, gather))
    return Ask(gather)


def _asked(call: Conversation) -> None:
    call.progress()
    asked = call.frame.asked
    if not asked or asked[-1].state != call.frame.state:
        asked.append(Asked(call.frame.state))
        del asked[:-MOST_ASKED]


def kept_answer(call: Conversation, kept: Recognition, gather: Gather) -> Reading | None:
    """``kept`` as an answer to what is listened for now, or a risk; None unless it is one word for word, and only one.

    Heard with doubt all the same, since it was recognised without this question's grammar: what changes anything is
    asked about first. A bare yes or no answers what nobody had asked."""
    said = Recognition(Cause.NO_MATCH, transcript=kept.transcript)
    found = risk_question.undeclined(call, understand(said, gather.grammar, call.words.risks))
    best = found.best
    if best is not None and best.risk:
        return best
    if best is None or found.rival is not None or found.how != "transcript" or best.universal:
        return None
    return None if best.meaning.intent in ("yes", "no") else best


# -- keys that came before the question -------------------------------------------------------------------------


def comes(call: Conversation, gather: Gather) -> bool:
    """Are keys without a meaning now meant for the question to come (VoiceXML 2.1 section 4.1.8)? So they are before
    the first, and while a dropped call is looked for: not after a question, where they may mean anything."""
    if gather.mode != Mode.RUNNING or call.waiting is None:
        return False
    return call.waiting.what == "snapshot" or not any(frame.asked for frame in call.stack)


def keyed_ahead(call: Conversation) -> Next | None:
    """What the keys pressed before mean at this question, which then is not asked; None when they mean nothing."""
    keys, call.keyed_ahead = call.keyed_ahead, ""
    gather = question(call)
    for place, key in enumerate(keys, 1):
        call.outbox.record(Keyed(MASK if gather.secret else key))
        match gather.keypad.press(key):
            case None:
                continue
            case Picked(index):
                call.keyed_ahead = keys[place:]
                _asked(call)
                call.transcribe("key", str(index + 1))
                return picked(call, gather, index)
            case Entered(keys=entered, values=(value,)):
                call.keyed_ahead = keys[place:]
                _asked(call)
                call.transcribe("key", MASK if gather.secret else entered)
                return filled(call, gather, Reading(Meaning(ANSWER, {call.state.ask: value}), value.label, 1.0))
            case _:
                return None
    if not gather.keypad.entering:
        return None
    call.prompt()
    _asked(call)
    return Ask(gather)  # the rest is keyed now


# -- what is listened for ----------------------------------------------------------------------------------------


def question(call: Conversation) -> Gather:
    state = call.state
    active = tuple(index for index, choice in enumerate(state.choices) if call.holds(choice.condition))
    spec = call.variable(state.ask) if state.ask else None
    # Where a value is asked for, its words would have to compete with those of every request.
    others = () if state.ask else open_questions(call)
    questions = tuple(each for each in others if f"{each.flow}.{each.state}" != call.here)

    def build() -> Iterable[Entry]:
        intents = [state.choices[index].intent for index in active]
        own = [phrase for intent in intents for phrase in call.words.phrases(call.frame.flow, intent)]
        mine = {fold(phrase, call.language) for phrase in own}  # which then are no yes or no here
        for intent in intents:
            if intent in call.flow.intents or not call.library.risk_of(call.flow, intent):  # a risk's are everywhere
                if call.library.everywhere(call.flow, intent):
                    phrases = [p for p in call.words.universal(intent) if fold(p, call.language) not in mine]
                else:
                    phrases = list(call.words.phrases(call.frame.flow, intent))
                yield from choice_entries(call, OpenQuestion(call.frame.flow, call.frame.state), intent, phrases)
        if spec is not None and spec.type != "text":
            kind = "choice" if spec.type == "boolean" else spec.type
            yield from answer_entries(state.ask, kind, call.language)
        elif len(keyed := _keyed(call, active)) > 1:
            yield from pick_entries([int(state.choices[index].key) for index in keyed], call.language)
        yield from request_entries(call, questions)

    picks = {state.choices[i].key: i for i in active if state.choices[i].key}
    grammar = state_grammar(call, (call.here, active, questions), build)
    gather = new_gather(call, Mode.QUESTION, grammar, picks, _entry(call, state.ask) if state.ask else None)
    if spec is not None and spec.type in SLOWLY_SAID and state.hangover is None:
        gather.hangover_s = max(gather.hangover_s, DIGIT_HANGOVER_S)
    gather.hotword = not (call.flow.defaults.bargein if state.bargein is None else state.bargein)
    gather.secret = state.ask in call.secrets
    gather.dictation = state.ask if spec is not None and spec.type == "text" else ""
    return gather


def _keyed(call: Conversation, active: Sequence[int]) -> list[int]:
    """Of the choices at these places those with a key, by their keys."""
    choices = call.state.choices
    return sorted((i for i in active if str(choices[i].key).isdecimal()), key=lambda i: int(choices[i].key))


def _entry(call: Conversation, variable: str) -> DtmfEntry | None:
    """How a variable is keyed in; None for types that cannot be."""
    spec, bound = call.variable(variable), call.slot(variable)
    if spec is None or bound is None:
        return None
    return DtmfEntry(bound[0], call.vocabulary_order(spec), call.today, call.language)


def menu(call: Conversation, gather: Gather) -> tuple[Words, ...]:
    """The keys of a question; a human is last."""
    return with_human(call, keys(call, gather))


def keys(call: Conversation, gather: Gather) -> list[Words]:
    """Generated from the choices' labels, and from what the variable takes that is asked for."""
    said: list[Words] = []
    for choice in call.state.choices:
        if choice.key and choice.label and call.holds(choice.condition):
            label = call.words.label(call.frame.flow, call.frame.state, choice.intent, choice.label)
            said += call.system("key_menu_item", label=call.filled_text(label), key=_key_name(call, choice.key))
    slot = gather.keypad.entry.slot if gather.keypad.entry is not None else None
    if isinstance(slot, ChoiceSlot) and slot.type == "choice":
        for place, value in enumerate(slot.phrases, 1):
            label = slot.value(value).label
            said += call.system("key_entry_choice", label=label, key=_key_name(call, str(place)))
    elif slot is not None:
        said += call.own("key_entry", call.state.key_entry) or call.system(_key_entry(slot))
    return said


def _key_entry(slot: Slot) -> str:
    if isinstance(slot, BoundedDateSlot | DateRangeSlot):
        return "key_entry_full_date" if slot.full else "key_entry_date"
    return f"key_entry_{slot.type}"


def _key_name(call: Conversation, key: str) -> str:
    fitted = call.fitted(int(key), None)
    return fitted.label if fitted is not None else key


# -- what is answered --------------------------------------------------------------------------------------------


def filled(call: Conversation, gather: Gather, reading: Reading) -> Next:
    state = call.state
    if reading.meaning.intent == ANSWER:
        if call.frame.begun(state.ask) is not None and isinstance(reading.meaning.slots.get(state.ask), HalfSpan):
            return NoMatch(gather)  # again a range that ends before it begins
        call.frame.answer(reading.meaning.slots, reading.doubtful)
        call.outbox.record(Decided("filled", state.ask))
        if f"{state.ask}.start" in call.frame.variables:
            return ask(call)
        answered = state.transition("answer")
        return Goto(call.here) if answered is None else Take(answered)
    if reading.meaning.intent.startswith(PICK):
        return _by_place(call, gather, reading)
    if reading.inferred and reading.meaning.intent == "yes":  # a yes is said, here as elsewhere
        return NoMatch(gather)
    for choice in _choices(call):
        if choice.name == reading.meaning.intent and call.holds(choice.condition):
            return _chosen(call, choice, reading)
    return NoMatch(gather)


def _by_place(call: Conversation, gather: Gather, reading: Reading) -> Next:
    """A choice that was called by its place: asked about, unless the keys have just been said."""
    active = [index for index, choice in enumerate(call.state.choices) if call.holds(choice.condition)]
    place = _keyed(call, active)[int(reading.meaning.intent.removeprefix(PICK))]
    choice = _choices(call)[place]
    told = call.keys_led or call.failures > 1
    meant = Reading(Meaning(choice.name), call.state.choices[place].label or choice.name, reading.confidence)
    return _chosen(call, choice, meant if told and reading.sure else replace(meant, sure=False, inferred=True))


def picked(call: Conversation, gather: Gather, index: int) -> Next:
    choice = _choices(call)[index]
    return _chosen(call, choice, Reading(Meaning(choice.name), choice.label, 1.0))


def sign_of(call: Conversation, gather: Gather, risk: str) -> Transition | None:
    """The choice of the question being asked that is a sign of a risk."""
    if gather.mode != Mode.QUESTION:
        return None
    signs = (choice for choice in _choices(call) if call.library.risk_of(call.flow, choice.name) == risk)
    return next((choice for choice in signs if call.holds(choice.condition)), None)


def take_sign(call: Conversation, choice: Transition) -> Take:
    """What the risk's own words were said for."""
    return _chosen(call, choice, Reading(Meaning(choice.name), call.said, 1.0))


def _choices(call: Conversation) -> list[Transition]:
    return [each for each in call.state.transitions() if each.kind == "choice"]


def _chosen(call: Conversation, choice: Transition, reading: Reading) -> Take:
    call.kept = None
    call.frame.answer(reading.meaning.slots, reading.doubtful)
    if call.frame.asked and call.frame.asked[-1].state == call.frame.state:
        call.frame.asked[-1].chosen = choice.name
    call.intent_doubt, call.guess = not reading.sure, intent_question.guessed(call, reading)
    call.request_open = True
    call.outbox.record(Decided("choice", choice.name))
    return Take(choice)


def back(call: Conversation) -> Goto:
    """To the question before this one, its answer forgotten; to the same one anew when there is none."""
    state, call.guess = call.state, None
    if f"{state.ask}.start" in call.frame.variables:  # from "until when?" to the first day
        call.frame.clear(state.ask)
        return Goto(call.here)
    while True:
        asked = call.frame.asked
        if asked and asked[-1].state == call.frame.state and state.kinds[0] == "question":
            current = asked.pop()
            if not asked and len(call.stack) == 1:
                asked.append(current)
                call.say(call.system("back_at_start"))
                return Goto(call.here)
        if asked:
            previous = asked.pop()
            call.frame.clear(*previous.filled)
            spec = call.flow.states.get(previous.state)
            if spec is not None and spec.ask:
                call.frame.clear(spec.ask)
            return Goto(f"{call.frame.flow}.{previous.state}")
        if len(call.stack) == 1:
            call.say(call.system("back_at_start"))
            return Goto(f"{call.frame.flow}.{call.flow.start}")
        call.stack.pop()
        state = call.state


def start_over(call: Conversation) -> Goto:
    """What was begun is dropped and its answers forgotten: to the open question, else the first that was asked."""
    call.say(call.system("started_over"))
    return _open_question(call)


def back_to_machine(call: Conversation) -> Goto:
    """From waiting for a human to the open question that the caller had come from, as if it were asked anew."""
    call.stack[:] = call.left or [Frame(call.start.entry)]
    call.left = ()
    call.outbox.record(Decided("to", "machine", {"from": call.here}))
    return _open_question(call)


def _open_question(call: Conversation) -> Goto:
    del call.stack[1:]
    frame, states = call.frame, call.flow.states
    asked = [each.state for each in frame.asked]
    latest = next((at for at in reversed(range(len(asked))) if takes_requests(call.flow, states[asked[at]])), 0)
    for each in frame.asked[latest:]:
        frame.clear(*each.filled, *([states[each.state].ask] if states[each.state].ask else []))
    del frame.asked[latest:]
    call.requests, call.kept = (), None
    call.request_open, call.intent_doubt, call.guess = False, False, None
    return Goto(f"{frame.flow}.{asked[latest] if asked else call.flow.start}")


HANDLERS = Handlers(filled, picked, anew=lambda call, gather: ask(call), menu=menu, asks=True)
VERB = Verb(enter, gathers={Mode.QUESTION: HANDLERS})
