"""Confirmation of an action (``confirm``): asked before one that can't be undone, or what was heard with doubt.

A sure yes runs it; a no takes the ``no`` edge, else goes back; a no that brings another value asks again with that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ivr.dialogue.engine.compilation import correction_entries, entries, yes_no_entries
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import YES_NO_KEYS, new_gather, state_grammar, yes_no_menu
from ivr.dialogue.engine.next import BACK, Ask, Gather, Mode, Next, Take
from ivr.dialogue.engine.requests import open_questions, request_entries
from ivr.dialogue.flows.state import State
from ivr.dialogue.flows.wording import names_in
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.concepts import negated
from ivr.dialogue.understanding.grammar import Interpretation, Meaning, Reading, SlotValue
from ivr.dialogue.understanding.grammar_compiler import Entry
from ivr.dialogue.understanding.range_slots import BOUNDED, DateRangeSlot, HalfSpan, moved
from ivr.record import Decided

CORRECTABLE = (
    *("title", "number", "ordinal", "digits", "phone", "date", "date_range", "time"),
    *("duration", "money", "code", "choice"),
)


def due(call: Conversation) -> bool:
    state = call.state
    policy = state.confirm.policy if state.confirm is not None else "auto"
    doubt = call.intent_doubt or not used(call).isdisjoint(call.frame.doubtful)
    risk = risk_of(call, state)
    asks = state.confirm is not None or risk != "none"  # what only looks something up asks where the flow says so
    return policy == "explicit" or risk == "irreversible" or (policy == "auto" and doubt and asks)


def used(call: Conversation) -> frozenset[str]:
    """The variables that the action's arguments draw on."""
    state = call.state
    values = [*state.arguments.values(), *(state.http.body.values() if state.http else ())]
    names = {name for value in values for name in call.names_in(value)}
    if state.http is not None:
        names.update(call.whole(name) for name in names_in(state.http.path))
    return frozenset(name for name in names if "." not in name)


def risk_of(call: Conversation, state: State) -> str:
    if state.http is not None:
        return state.http.risk
    signature = call.library.signatures.get(state.action)
    return signature.risk if signature is not None else "reversible"


def ask(call: Conversation) -> Ask:
    state = call.state
    call.progress()
    names = sorted(used(call))
    words = call.own("confirm", state.confirm.prompt if state.confirm is not None else None, call.visit)
    if not words:
        labels = [v.label for name in names if (v := call.frame.variables.get(name)) is not None]
        hidden = not call.secrets.isdisjoint(names)
        first = ", ".join(labels)
        words = call.system("did_you_mean_one", first=first, secret=hidden) if first else call.system("confirm_default")
    call.say(words)
    gather = _gather(call, names)
    if call.keys_led:
        call.say(yes_no_menu(call, gather))
    return Ask(gather)


def _gather(call: Conversation, variables: Sequence[str]) -> Gather:
    """One variable of each type may be corrected in the same breath."""
    kinds: dict[str, list[str]] = {}
    for name in variables:
        spec = call.variable(name)
        if spec is not None and spec.type in CORRECTABLE:
            kinds.setdefault(spec.type, []).append(name)
    questions = open_questions(call)
    correctable = {names[0]: kind for kind, names in kinds.items() if len(names) == 1}

    def build() -> Iterable[Entry]:
        correcting = correction_entries(correctable, call.language)
        cancelling = entries("no", words_for(call.language).cancels, call.language)
        return [*yes_no_entries(call.words), *cancelling, *correcting, *request_entries(call, questions)]

    grammar = state_grammar(call, (call.here, "confirm", tuple(correctable), questions), build)
    lax = call.state.confirm is not None and call.state.confirm.unanswered == "no"
    gather = new_gather(call, Mode.CONSENT if lax else Mode.CONFIRM, grammar, YES_NO_KEYS)
    gather.secret = gather.secret or not call.secrets.isdisjoint(variables)
    return gather


def settled(call: Conversation, found: Interpretation) -> Interpretation:
    """A correction that may mean two times means the one nearest to what it corrects: "no, at four"."""
    if found.best is None or found.rival is None or found.best.meaning.intent != found.rival.meaning.intent:
        return found

    def apart(reading: Reading) -> int:
        return sum(
            bound[0].apart(value, current)
            for name, value in reading.meaning.slots.items()
            if (bound := call.slot(name)) is not None
            and isinstance(bound[0], BOUNDED)
            and (current := call.frame.variables.get(name)) is not None
        )

    both = (found.best, found.rival)
    if apart(both[0]) == apart(both[1]):
        return found
    nearest = min(both, key=apart)
    return Interpretation(replace(nearest, doubtful=nearest.doubtful - nearest.meaning.slots.keys()), how=found.how)


def answered(call: Conversation, found: Interpretation, words: Sequence[str]) -> Interpretation:
    """ "Yes, cancel it" and "no, don't cancel it" answer the question whether to take something away: who says no more
    than the line asked neither takes back what they began with nor threatens to leave."""
    best, spoken = found.best, words_for(call.language)
    if best is None or not words or best.meaning.slots:
        return found
    denied = words[0] in spoken.denials or negated(words, call.language)
    if best.meaning.intent == "no" and words[0] in spoken.assents and not denied:
        return _guessed("yes", found)
    own = spoken.assents | {*spoken.denials} | spoken.negations | spoken.pointers | call.words.single_words.empty
    own |= {word for phrase in spoken.cancels for word in fold(phrase, call.language)}
    if not best.risk or best.sure or not own.issuperset(words) or not (denied or words[0] in spoken.assents):
        return found
    return _guessed("no" if denied else "yes", found)


def _guessed(intent: str, found: Interpretation) -> Interpretation:
    assert found.best is not None
    reading = Reading.guess(Meaning(intent), found.best.text, found.best.confidence)
    return Interpretation(replace(reading, inferred=True), how=found.how)


def overrun(call: Conversation, reading: Reading | None) -> tuple[str, str] | None:
    """The bounds of a range whose last day would be beyond them, were it moved to the first day just said."""
    for name, value in reading.meaning.slots.items() if reading is not None else ():
        bound, known = call.slot(name), call.frame.variables.get(name)
        if isinstance(value, HalfSpan) and known is not None and bound is not None:
            slot = bound[0]
            if isinstance(slot, DateRangeSlot) and not slot.holds(moved(str(known.value), str(value.value))):
                return slot.bounds
    return None


def _whole(call: Conversation, values: Mapping[str, SlotValue]) -> dict[str, SlotValue]:
    """A range of which only the first day is corrected stays as long as it is."""
    found = dict(values)
    for name, value in values.items():
        if isinstance(value, HalfSpan) and (known := call.frame.variables.get(name)) is not None:
            whole = moved(str(known.value), str(value.value))
            found[name] = call.fitted(whole, call.variable(name)) or value
    return found


def declined(call: Conversation, reading: Reading) -> Next:
    """Anything but a yes."""
    if reading.meaning.slots:
        call.frame.answer(_whole(call, reading.meaning.slots), reading.doubtful)
        call.outbox.record(Decided("corrected", sorted(reading.meaning.slots)))
        return ask(call)
    call.outbox.record(Decided("confirmed", False))
    call.denied()
    call.intent_doubt = False
    no = call.state.transition("no")
    return BACK if no is None else Take(no)
