"""Gathering speech and keys: what is listened for, the handlers of what comes of it, and verbs, which have both."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ivr.dialogue.engine.compilation import yes_no_entries
from ivr.dialogue.engine.contract import (
    ActionDone,
    ActionSlow,
    AgentComing,
    HandoffDone,
    HandoffSlow,
    Listen,
    PlaceTold,
    ResumeLoaded,
    Words,
)
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.dtmf_input import INTERDIGIT_S, DtmfEntry, Keypad
from ivr.dialogue.engine.next import STAY, Anew, Ask, Broken, Gather, Mode, Next, NoMatch, Take
from ivr.dialogue.engine.requests import open_questions, request_entries
from ivr.dialogue.understanding.grammar import Reading
from ivr.dialogue.understanding.grammar_compiler import Entry, Outline, StateGrammar
from ivr.dialogue.understanding.shades import SOFT_YES
from ivr.dialogue.understanding.slots import Slot

YES_NO_KEYS = {"1": 0, "2": 1}
MOST_BEFORE_HUMAN = 25  # words of a turn that names keys, until it has named the one for a human


def new_gather(
    call: Conversation, mode: str, grammar: StateGrammar, picks: Mapping[str, int], entry: DtmfEntry | None = None
) -> Gather:
    """``picks``: a key -> its index; ``entry``: what other keys mean where a value is asked for."""
    state, defaults = call.state, call.flow.defaults
    timeout, hangover = state.timeout or defaults.timeout, state.hangover or defaults.hangover
    keypad = Keypad(call.shared.sequences, picks, entry)
    return Gather(mode, grammar, keypad, timeout, hangover, secret=call.in_private)


def yes_no_gather(call: Conversation, mode: Mode, beneath: Gather | None = None) -> Gather:
    questions = open_questions(call, resuming=mode == Mode.RESUME)

    def build() -> Iterable[Entry]:
        return [*yes_no_entries(call.words), *request_entries(call, questions)]

    grammar = state_grammar(call, ("yes or no", questions), build)
    found = new_gather(call, mode, grammar, YES_NO_KEYS)
    found.beneath = beneath
    return found


def universals_only(call: Conversation, mode: Mode) -> Gather:
    return new_gather(call, mode, state_grammar(call, "universals", list), {})


def meanwhile(call: Conversation) -> Gather:
    """While something runs: no silence timer, and only what was recognised stops a prompt."""
    found = universals_only(call, Mode.RUNNING)
    found.timeout_s, found.hotword = None, True
    return found


def listen(call: Conversation, gather: Gather) -> None:
    """Start (or go on) listening. What was said when a gather began is what "repeat" says again.

    Single keys decide at once, unless a value is being keyed or a star waits for its second key."""
    if not gather.token:
        gather.prompt = tuple(call.outbox.turn)
    gather.token = call.outbox.token()
    call.gather = gather
    keypad = gather.keypad
    patient = keypad.waiting or (keypad.entry is not None and not keypad.entry.single)
    call.outbox.put(
        Listen(
            gather.token,
            gather.grammar,
            gather.timeout_s,
            gather.hangover_s,
            hotword=gather.hotword,
            interdigit_s=INTERDIGIT_S if patient else 0.0,
            dictation=bool(gather.dictation),
            private=gather.secret or bool(gather.dictation) or gather.message,
        )
    )


def say_again(call: Conversation, gather: Gather) -> Ask:
    call.say(gather.prompt)
    return Ask(gather)


def state_grammar(call: Conversation, key: Hashable, build: Callable[[], Iterable[Entry]]) -> StateGrammar:
    """Universals and what ``build`` gives; ``key`` says when that is the same again."""
    outline = call.words.outline(key, build)
    bound = _bound(call, outline)
    identity = tuple((name, binding) for name, (_, binding) in bound.items())
    return call.shared.grammar(outline, {name: slot for name, (slot, _) in bound.items()}, identity, call.words)


def fleeting_grammar(call: Conversation, entries: Iterable[Entry]) -> StateGrammar:
    """One that won't be needed again: nothing of it is kept."""
    outline = Outline((*call.words.universals, *entries))
    slots = {name: slot for name, (slot, _) in _bound(call, outline).items()}
    return StateGrammar(outline, slots, call.language, classifier=call.words.classifier)


def _bound(call: Conversation, outline: Outline) -> dict[str, tuple[Slot, Hashable]]:
    return {name: found for name in outline.slots if (found := call.slot(name)) is not None}


Arrival = ActionDone | ActionSlow | HandoffDone | HandoffSlow | PlaceTold | AgentComing | ResumeLoaded
"""What comes from outside with the token of ``Conversation.waiting``."""


def go_on(call: Conversation, gather: Gather, reading: Reading | None = None) -> Next:
    """Nothing was to be answered: go on listening."""
    return Ask(gather)


def _beneath(call: Conversation, gather: Gather) -> Next:
    return Ask(gather) if gather.beneath is None else Anew(gather.beneath)


@dataclass(frozen=True, slots=True)
class Handlers:
    """What becomes of what the caller does under a gather (VoiceXML: filled, noinput, nomatch).

    ``filled`` takes what was said, ``picked`` the key of a choice by its index; universals never come here.
    ``noinput`` and ``nomatch``: instead of the re-prompts that end with a human. ``anew`` asks again in a language just
    chosen; a side question asks what is beneath it. ``menu`` names the keys. ``asks``: a question of the flow's own:
    the state's noinput and nomatch prompts are said, and two close readings are both offered."""

    filled: Callable[[Conversation, Gather, Reading], Next]
    picked: Callable[[Conversation, Gather, int], Next] = lambda call, gather, index: NoMatch(gather)
    noinput: Callable[[Conversation, Gather], Next] | None = None
    nomatch: Callable[[Conversation, Gather], Next] | None = None
    anew: Callable[[Conversation, Gather], Next] = _beneath
    menu: Callable[[Conversation, Gather], tuple[Words, ...]] = lambda call, gather: call.system("human_option")
    asks: bool = False


def with_human(call: Conversation, keys: Sequence[Words]) -> tuple[Words, ...]:
    """A menu of ``keys`` and the way to a human: last, or first where the menu is long."""
    human = call.system("human_option")
    words = sum(len(each.text.split()) for each in (*call.outbox.turn, *keys))
    return (*human, *keys) if words > MOST_BEFORE_HUMAN else (*keys, *human)


def yes_no_menu(call: Conversation, gather: Gather) -> tuple[Words, ...]:
    return with_human(call, call.system("confirm_keys"))


def yes_or_no(
    decided: Callable[[Conversation, Gather, bool], Next], anew: Callable[[Conversation, Gather], Next] = _beneath
) -> Handlers:
    """Handlers of an offer: a yes must be sure, a no need not."""

    def filled(call: Conversation, gather: Gather, reading: Reading) -> Next:
        intent = reading.meaning.intent
        if intent not in ("yes", "no"):
            return NoMatch(gather)
        if intent == "yes" and not reading.sure:
            return NoMatch(gather, shade=SOFT_YES if reading.inferred else "")
        return decided(call, gather, intent == "yes")

    def picked(call: Conversation, gather: Gather, index: int) -> Next:
        return decided(call, gather, index == 0)

    return Handlers(filled, picked, anew=anew, menu=yes_no_menu)


MEANWHILE = Handlers(go_on, nomatch=go_on, anew=lambda call, gather: Ask(meanwhile(call)))  # only universals


def edge_of(call: Conversation, *outcomes: str) -> Take:
    """The state's edge for the first outcome that it names, else its ``goto``. Raises Broken where there is neither."""
    state = call.state
    for outcome in outcomes:
        if (named := state.transition("outcome", "result", name=outcome)) is not None:
            return Take(named)
    if (onward := state.transition("answer", "then")) is None:
        raise Broken(f"{call.here} has no edge for {outcomes[0]}")
    return Take(onward)


@dataclass(frozen=True, slots=True)
class Verb:
    """``enter``: the call comes to the state. ``arrived``: the answer to what it waited for. ``gathers``: the handlers
    of every mode that the verb listens in."""

    enter: Callable[[Conversation], Next]
    arrived: Callable[[Conversation, Arrival], Next] = lambda call, arrival: STAY
    gathers: Mapping[str, Handlers] = field(default_factory=dict)
