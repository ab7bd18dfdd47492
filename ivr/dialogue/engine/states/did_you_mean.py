"""Did you mean A or B: two readings of what the caller said or keyed are close (n-best), so the caller picks one.

A pick answers the question beneath with that reading; "neither" asks it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ivr.dialogue.engine.compilation import option_entries
from ivr.dialogue.engine.contract import Words
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Handlers, fleeting_grammar, new_gather, with_human
from ivr.dialogue.engine.next import Answer, Ask, Gather, Mode, Next, NoMatch
from ivr.dialogue.engine.requests import open_questions, request_entries
from ivr.dialogue.engine.states import risk_question
from ivr.dialogue.flows.wording import MASK
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.grammar import ANSWER, OPTION, Meaning, Reading
from ivr.dialogue.understanding.range_slots import BOUNDED
from ivr.dialogue.understanding.slots import TitleSlot
from ivr.record import Decided

KEYS = {"1": 0, "2": 1, "3": 2}  # the third: neither


def ask(call: Conversation, beneath: Gather, options: Sequence[Reading], *, keyed: bool = False) -> Ask:
    """``options`` are two readings of an answer to ``beneath``. ``keyed``: who keyed it is told the keys at once."""
    labels, hidden = [_label(call, options, index) for index in (0, 1)], call.hides(*options)
    call.outbox.record(Decided("did_you_mean", [MASK if hidden else option.text for option in options]))
    call.say(call.system("did_you_mean", first=labels[0], second=labels[1], secret=hidden))
    beneath.keypad.forget()
    spoken = [_ways(call, option, label) for option, label in zip(options, labels, strict=True)]
    for index, own in enumerate(spoken):
        own += _telling(call, options[index], options[1 - index])
    requests = request_entries(call, open_questions(call))
    grammar = fleeting_grammar(call, [*option_entries(spoken, call.language), *requests])
    gather = new_gather(call, Mode.CHOOSE, grammar, KEYS)
    gather.options, gather.beneath, gather.secret = tuple(options), beneath.base, gather.secret or hidden
    gather.said = call.said
    if call.keys_led or keyed:
        call.say(menu(call, gather))
    return Ask(gather)


def _telling(call: Conversation, option: Reading, other: Reading) -> list[str]:
    """What alone tells one value from the other: "in the morning"."""
    return [
        way
        for name, value in option.meaning.slots.items()
        if (bound := call.slot(name)) is not None
        and isinstance(bound[0], BOUNDED)
        and (rival := other.meaning.slots.get(name)) is not None
        for way in bound[0].telling(value, rival)
    ]


def _label(call: Conversation, options: Sequence[Reading], index: int) -> str:
    """What tells one option from the other: the one slot they differ in, else the value that is answered with or the
    whole request, or what is offered about a risk."""
    risk, human = options[index].risk, options[index].human
    if risk or human:
        return (call.words.risk_label(risk) if risk else "") or call.system("to_somebody")[0].text
    mine, other = options[index].meaning, options[1 - index].meaning
    if mine.intent == other.intent and mine.slots.keys() == other.slots.keys():
        differing = [name for name in mine.slots if mine.slots[name].value != other.slots[name].value]
        if len(differing) == 1:
            return mine.slots[differing[0]].label
    if mine.intent == ANSWER and mine.slots:  # its text may be all that was said
        return ", ".join(value.label for value in mine.slots.values())
    return options[index].text


def _ways(call: Conversation, option: Reading, label: str) -> list[str]:
    """How an option may be named: its label, the whole request, the spoken forms of its titles."""
    ways = [label, option.text]
    for value in option.meaning.slots.values():
        if isinstance(value.value, str) and value.label in label and (term := call.terms.term(value.value)):
            ways += [term.label, *term.spoken]
    return list(dict.fromkeys(ways))


def menu(call: Conversation, gather: Gather) -> tuple[Words, ...]:
    first, second = (_label(call, gather.options, index) for index in (0, 1))
    hidden = call.hides(*gather.options)
    return with_human(call, call.system("did_you_mean_keys", first=first, second=second, secret=hidden))


def filled(call: Conversation, gather: Gather, reading: Reading) -> Next:
    picked = reading.meaning.intent.removeprefix(OPTION)
    if picked.isdecimal() and int(picked) < len(gather.options):
        option = gather.options[int(picked)]
        if option.risk:
            call.said = gather.said or call.said  # is what a human is told
        elif reading.sure:
            risk_question.decline(call, gather)
        again = reading.sure and _same(
            call, reading.text, option.text
        )  # the request once more, not what tells the two apart
        doubtful = _near(call, option) if again else frozenset() if reading.sure else frozenset(option.meaning.slots)
        return Answer(gather.base, replace(option, sure=reading.sure, doubtful=doubtful, inferred=False))
    if not reading.sure:
        return NoMatch(gather)
    call.denied()
    risk_question.decline(call, gather)
    return NoMatch(gather.base, neither=True)


def _same(call: Conversation, one: str, other: str) -> bool:
    return fold(one, call.language) == fold(other, call.language)


def _near(call: Conversation, option: Reading) -> frozenset[str]:
    """The titles that could be taken for another one."""
    slots = {name: (call.slot(name), value) for name, value in option.meaning.slots.items()}
    return frozenset(
        name
        for name, (bound, value) in slots.items()
        if bound is not None and isinstance(bound[0], TitleSlot) and bound[0].vocabulary.mistakable(value.value)
    )


def _keyed(call: Conversation, gather: Gather, index: int) -> Next:
    return filled(call, gather, Reading(Meaning(f"{OPTION}{index if index < 2 else 'none'}"), "", 1.0))


HANDLERS = Handlers(filled, _keyed, menu=menu)
