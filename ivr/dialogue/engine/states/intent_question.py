"""The question about an inferred intent: what no phrase has word for word is asked about before anything comes of it.

The way on is followed as long as it is silent. Where it leads to an action that is confirmed anyway, that question is
enough; before anything else that is said, asked or done there the caller is asked whether they meant it. A yes goes on
there, a no is asked the question again, without what was filled.
"""

from __future__ import annotations

from dataclasses import replace

from ivr.dialogue.engine import identification
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import say_again, yes_no_gather, yes_no_menu, yes_or_no
from ivr.dialogue.engine.next import Answer, Ask, Gather, Goto, Guess, Mode, Next, Take
from ivr.dialogue.engine.requests import OpenQuestion, leave_for
from ivr.dialogue.engine.states import confirmation
from ivr.dialogue.understanding.grammar import HUMAN, Reading
from ivr.record import Decided

UNIVERSAL = (HUMAN, "back", "start_over")  # what of the universals changes where the caller is
_STAYS = ("place", "quiet", "music")  # in line
_SILENT = ("branch", "call", "return", "say")


def guessed(call: Conversation, reading: Reading) -> Guess | None:
    """Of what was chosen at the question that the call is in; None where it was said so."""
    return Guess(reading, call.here) if reading.inferred else None


def due_on_entering(call: Conversation) -> bool:
    """Whether the state that is about to be entered does anything for the guess, and does not ask about it itself."""
    state, kind = call.state, call.state.kinds[0]
    if call.guess is None:
        return False
    if kind in ("action", "http"):
        asks = identification.suffices(call) and confirmation.due(call)
        if asks:
            call.guess = None
        return not asks
    if kind == "question":
        return not (state.ask and state.ask in call.frame.variables)
    return kind not in _SILENT or bool(state.prompt)


def due_on_leaving(call: Conversation, take: Take) -> bool:
    """Whether a transition says something, or leads out of the flow."""
    transition = take.transition
    if call.guess is None or transition.target in _STAYS:
        return False
    return transition.edge.say is not None or call.state.reserves(transition.target)


def ask(call: Conversation, onward: Next) -> Ask:
    """``onward``: what comes of a yes."""
    assert call.guess is not None
    guess, call.guess = replace(call.guess, onward=onward), None
    return _asked(call, guess, None)


def offer(call: Conversation, gather: Gather, reading: Reading) -> Ask:
    """A universal was inferred; ``gather``: what was being asked."""
    meant = replace(reading, sure=True, inferred=False)
    return _asked(call, Guess(reading, "", Answer(gather.base, meant)), gather.base)


def _asked(call: Conversation, guess: Guess, beneath: Gather | None) -> Ask:
    label, hidden = _label(call, guess), call.hides(guess.reading)
    call.outbox.record(Decided("meant", "asked", {"intent": guess.reading.meaning.intent}))
    call.say(call.system("did_you_mean_one", first=label, secret=hidden))
    gather = yes_no_gather(call, Mode.MEANT, beneath)
    gather.guess, gather.secret = guess, gather.secret or hidden
    if call.keys_led:
        call.say(yes_no_menu(call, gather))
    return Ask(gather)


def _label(call: Conversation, guess: Guess) -> str:
    """The whole request where it names something, else what the choice is called."""
    meaning = guess.reading.meaning
    if meaning.intent == HUMAN:
        return call.system("to_somebody")[0].text
    if guess.question and not meaning.slots:
        flow, _, name = guess.question.partition(".")
        choices = call.library.flows[flow].states[name].choices
        label = next((choice.label for choice in choices if choice.intent == meaning.intent and choice.label), "")
        if label:
            return call.filled_text(call.words.label(flow, name, meaning.intent, label))
    return guess.reading.text


def _decided(call: Conversation, gather: Gather, yes: bool) -> Next:
    guess = gather.guess
    assert guess is not None and guess.onward is not None
    call.outbox.record(Decided("meant", yes, {"intent": guess.reading.meaning.intent}))
    if yes:
        call.intent_doubt = False
        said = [value.value for value in guess.reading.meaning.slots.values()]
        for frame in call.stack:
            frame.doubtful -= {name for name in frame.doubtful if frame.variables[name].value in said}
        return guess.onward
    call.denied()
    if not guess.question:
        return say_again(call, gather.base)
    flow, _, state = guess.question.partition(".")
    leave_for(call, OpenQuestion(flow, state))
    return Goto(guess.question)


def _anew(call: Conversation, gather: Gather) -> Next:
    assert gather.guess is not None
    return _asked(call, gather.guess, gather.beneath)


HANDLERS = yes_or_no(_decided, anew=_anew)
