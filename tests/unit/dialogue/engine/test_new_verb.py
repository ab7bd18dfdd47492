"""A verb that the flow language doesn't have yet arrives as one file and one line in the table.

Here it is ``wait``: the caller waits for something outside and is listened to meanwhile; what comes first decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from ivr.dialogue.engine.contract import ActionSlow, Connect, HandoffDone
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Arrival, Verb, say_again
from ivr.dialogue.engine.next import STAY, Ask, Gather, Next, Take, Wait, Waiting
from ivr.dialogue.engine.states import VERBS, question
from ivr.dialogue.flows.state import State
from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import SIGNATURES, Talk, made, small

# -- the verb's file ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queueing(Waiting):
    what: ClassVar[str] = "queue"


def enter(call: Conversation) -> Next:
    call.arrive()
    token = call.outbox.token()
    call.outbox.put(Connect(token, "waiting", "general", 5))
    return Wait(Queueing(token), gather(call))


def gather(call: Conversation) -> Gather:
    found = question.question(call)
    found.mode = "wait"
    return found


def arrived(call: Conversation, arrival: Arrival) -> Next:
    match arrival:
        case ActionSlow():
            call.say(call.own("wait", call.state.one_moment))
            return STAY
        case HandoffDone(outcome=outcome):
            call.let_go()
            named = call.state.transition("outcome", name=outcome)
            assert named is not None
            return Take(named)
    return STAY


def anew(call: Conversation, gather_: Gather) -> Next:
    call.prompt()
    return Ask(gather(call))


WAIT = Verb(enter, arrived, {"wait": replace(question.HANDLERS, noinput=say_again, anew=anew)})

# -- and what it does --------------------------------------------------------------------------------------------

FLOW = """
flow: titles
start: menu
intents:
  wait: [let me wait]
  call_back: [call me back, ring me later]
  call_off: [call it off, ring it off]
states:
  menu:
    prompt: "Go on?"
    choices: [{intent: wait, key: 1, label: "to wait", goto: line}]
  line:
    prompt: "You are second."
    wait: "Now you are first."
    choices:
      - {intent: call_back, key: 2, label: "a call back", goto: promised}
      - {intent: call_off, goto: menu}
    on: {answered: talked, closed: {goto: menu, say: "They went home."}}
  promised: {prompt: "We will call you.", goto: menu}
  talked: {prompt: "Welcome.", end: answered}
"""


class WaitState(State):
    @property
    def kinds(self) -> tuple[str, ...]:
        return ("wait",)


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    monkeypatch.setitem(VERBS, "wait", WAIT)
    sources = {n: t for n, t in small().sources.items() if n.startswith(("universals", "human"))}
    library = made({**sources, "titles.yaml": FLOW}, SIGNATURES)
    states = library.flows["titles"].states
    states["line"] = WaitState.model_construct(**dict(states["line"]))
    waiting = Talk(library).key("1")
    assert (waiting.said, waiting.dialogue.waiting, waiting.dialogue.mode) == ("You are second.", "queue", "wait")
    yield waiting
    assert not waiting.errors


def test_the_outcome_takes_its_edge(talk: Talk) -> None:
    assert talk.answer("closed").said == "They went home. Go on?"
    assert talk.dialogue.waiting == ""


def test_the_outcome_may_end_the_call(talk: Talk) -> None:
    assert talk.answer("answered").ends


def test_what_the_caller_says_is_taken_and_the_late_outcome_ignored(talk: Talk) -> None:
    assert talk.say("call me back").said == "We will call you. Go on?"
    assert talk.answer("answered").last == []


def test_a_key_is_a_choice_like_anywhere(talk: Talk) -> None:
    assert talk.key("2").said == "We will call you. Go on?"


def test_zero_brings_a_human(talk: Talk) -> None:
    assert talk.key("0").said == "Connecting."
    assert [connect.reason for connect in talk.connects] == ["waiting", "asked"]


def test_silence_says_the_prompt_again_and_never_escalates(talk: Talk) -> None:
    for _ in range(5):
        assert talk.silence().said == "You are second."
    assert talk.dialogue.waiting == "queue"


def test_prompts_are_said_meanwhile_and_the_caller_is_heard_still(talk: Talk) -> None:
    assert talk.send(ActionSlow(talk.connect.token)).said == "Now you are first."
    assert talk.say("ring me later").said == "We will call you. Go on?"


def test_who_is_not_understood_hears_the_keys(talk: Talk) -> None:
    talk.say("colourless green ideas").say("sleep furiously")
    assert "For a call back, press two." in talk.said and talk.dialogue.waiting == "queue"


def test_close_readings_are_offered_and_the_outcome_comes_first_all_the_same(talk: Talk) -> None:
    heard = (Hypothesis("call me back", 0.7, None, Accept.ACCEPT), Hypothesis("call it off", 0.69, None, Accept.ACCEPT))
    talk.heard(Recognition(Cause.SUCCESS, heard))
    assert talk.said == "Did you mean call me back, or call it off?"
    assert talk.answer("closed").said == "They went home. Go on?"


def test_universals_and_languages_work(talk: Talk) -> None:
    assert talk.say("repeat").said == "You are second."
    assert talk.say("spanish").said.startswith("Bien, en español.")
    assert (talk.dialogue.waiting, talk.dialogue.mode) == ("queue", "wait")
    assert talk.answer("closed").said.startswith("They went home.")
