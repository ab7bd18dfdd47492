"""Gathering speech and keys: a state's grammar with the universals, its keys and timers; and starting to listen."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

from ivr.dialogue.engine.compilation import yes_no_entries
from ivr.dialogue.engine.contract import Listen
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.dtmf_input import INTERDIGIT_S, DtmfEntry, Keypad
from ivr.dialogue.engine.next import Ask, Gather, Mode
from ivr.dialogue.understanding.grammar_compiler import Entry, Outline, StateGrammar

YES_NO_KEYS = {"1": 0, "2": 1}


def new_gather(
    call: Conversation, mode: str, grammar: StateGrammar, picks: Mapping[str, int], entry: DtmfEntry | None = None
) -> Gather:
    """``picks``: a key -> its index; ``entry``: what other keys mean where a value is asked for."""
    state, defaults = call.state, call.flow.defaults
    timeout, hangover = state.timeout or defaults.timeout, state.hangover or defaults.hangover
    return Gather(mode, grammar, Keypad(call.shared.sequences, picks, entry), timeout, hangover)


def yes_no_gather(call: Conversation, mode: Mode, beneath: Gather | None = None) -> Gather:
    grammar = state_grammar(call, "yes or no", lambda: yes_no_entries(call.words))
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

    Single keys decide at once, unless a value is being keyed or a star waits for its second key.
    """
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
        )
    )


def say_again(call: Conversation, gather: Gather) -> Ask:
    call.say(gather.prompt)
    return Ask(gather)


def state_grammar(call: Conversation, key: Hashable, build: Callable[[], Iterable[Entry]]) -> StateGrammar:
    """Universals and what ``build`` gives; ``key`` says when that is the same again."""
    outline = call.words.outline(key, build)
    bound = {name: found for name in outline.slots if (found := call.slot(name)) is not None}
    identity = tuple((name, binding) for name, (_, binding) in bound.items())
    return call.shared.grammar(outline, {name: slot for name, (slot, _) in bound.items()}, identity, call.words)


def fleeting_grammar(call: Conversation, entries: Iterable[Entry]) -> StateGrammar:
    """One that won't be needed again: nothing of it is kept."""
    return StateGrammar(Outline((*call.words.universals, *entries)), {}, call.language)
