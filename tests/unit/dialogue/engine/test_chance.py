"""Whatever happens in whatever order: nothing raises, nobody is hung up on, zero brings a human."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.engine.contract import (
    ActionDone,
    ActionSlow,
    Agitated,
    Connect,
    DialogueEvent,
    HandoffDone,
    KeyPressed,
    KeysPaused,
    LoadResume,
    NoInput,
    PartFailed,
    Perform,
    ResumeLoaded,
    Said,
    SpeechHeard,
)
from ivr.dialogue.flows.library import FlowLibrary
from ivr.events import Accept, ActionResult, Cause, Hypothesis, Manner, Recognition, Term
from tests.unit.dialogue.talk import NOW, Talk, reference, small
from tests.unit.examples import examples

SENTENCES = (
    "move Vertigo to the top",
    "put Aliens first",
    "swap Casablanca and Metropolis",
    "remove Vertigo",
    "my pin",
    "one two three four",
    "hold until tomorrow",
    "hold my deliveries",
    "look it up",
    "go round in circles",
    "read my queue",
    "yes",
    "no",
    "no, Nosferatu",
    "Vertigo",
    "the second one",
    "neither",
    "help",
    "back",
    "repeat",
    "number three",
    "after vertigo put casablanca",
    "my disc is scratched",
    "add Citizen Kane",
    "agent",
    "I want to cancel",
    "",
    "    ",
    "%s {title} [x] \x00 ñandú 9999999999999999999999999 3rd",
)
tokens = st.integers(min_value=-1, max_value=60)
verdicts = st.sampled_from(list(Accept))
hypotheses = st.builds(
    Hypothesis,
    text=st.one_of(st.sampled_from(SENTENCES), st.text(max_size=20), st.from_regex(r"[0-9]{1,8}", fullmatch=True)),
    confidence=st.floats(0, 1),
    phrase=st.one_of(st.none(), st.integers(-3, 9000)),
    verdict=verdicts,
)
recognitions = st.builds(
    Recognition,
    cause=st.sampled_from(list(Cause)),
    nbest=st.lists(hypotheses, max_size=3).map(tuple),
    transcript=st.one_of(st.sampled_from(SENTENCES), st.text(max_size=40)),
    manner=st.builds(Manner, st.floats(-20, 20), st.floats(0, 9), st.floats(0, 400), st.floats(-5, 40)),
)
results = st.builds(
    ActionResult,
    outcome=st.sampled_from(
        ["ok", "ok", "found", "found", "failed", "timeout", "already_there", "found", "unknown", "nonsense"]
    ),
    values=st.dictionaries(
        st.sampled_from(["titles", "count"]), st.one_of(st.integers(), st.text(max_size=5), st.none())
    ),
    facts=st.just({"caller.id": "10001", "member.number": "10001", "queue.size": 3}),
    vocabularies=st.one_of(st.just({}), st.just({"queue": (Term("x", "X"), Term("y", "Alien"))})),
)
events: st.SearchStrategy[DialogueEvent] = st.one_of(
    st.builds(SpeechHeard, recognitions, st.one_of(st.just(0), tokens)),
    st.builds(SpeechHeard, st.sampled_from(SENTENCES).map(lambda s: Recognition(Cause.SUCCESS, transcript=s))),
    st.builds(KeyPressed, st.sampled_from([*"123456789*#", "A", "", "99"])),
    st.builds(KeysPaused),
    st.builds(NoInput, st.one_of(st.just(0), tokens)),
    st.builds(Said, tokens, st.booleans()),
    st.builds(ActionDone, tokens, results),
    st.builds(ActionSlow, tokens),
    st.builds(HandoffDone, tokens, st.sampled_from(["connected", "closed", "failed", "dropped", "?"])),
    st.builds(ResumeLoaded, tokens, st.one_of(st.none(), st.just({"stack": [1]}))),
    st.builds(PartFailed, st.sampled_from(["recogniser", "synthesiser", "store", "engine", ""])),
    st.builds(Agitated, st.text(max_size=8)),
)
LIBRARIES: dict[str, tuple[Callable[[], FlowLibrary], str]] = {
    "small": (small, "resume"),
    "shipped": (reference, "main"),
}
ANSWERS: dict[type, type] = {ActionDone: Perform, ActionSlow: Perform, HandoffDone: Connect, ResumeLoaded: LoadResume}


def aimed(event: DialogueEvent, talk: Talk) -> DialogueEvent:
    """Three of four answers are given the token that is waited for; else chance would rarely get anywhere."""
    if not isinstance(event, ActionDone | ActionSlow | HandoffDone | ResumeLoaded) or event.token % 4 == 3:
        return event
    asked = [
        effect.token
        for effect in talk.effects
        if isinstance(effect, Perform | Connect | LoadResume) and isinstance(effect, ANSWERS[type(event)])
    ]
    return replace(event, token=asked[-1]) if asked else event


def engine_errors(talk: Talk) -> list[object]:
    """What the engine itself stumbled over. "Broken" is a flow's fault, and one of ours is broken on purpose."""
    return [failed for failed in talk.errors if failed.error not in ("", "Broken")]


def meant_goodbye(event: DialogueEvent, talk: Talk) -> bool:
    """A goodbye, or the yes or choice that led into an ``end`` state."""
    return isinstance(event, SpeechHeard | KeyPressed | KeysPaused | ActionDone)


@pytest.mark.parametrize("which", LIBRARIES)
@examples(80)
@given(script=st.lists(events, max_size=25), open_now=st.booleans())
def test_nothing_raises_and_only_the_caller_ends_the_call(
    which: str, script: list[DialogueEvent], open_now: bool
) -> None:
    library, entry = LIBRARIES[which]
    talk = Talk(library(), entry=entry, facts={"hours.open": open_now}, perform=False)
    for event in script:
        before = len(talk.ends)
        talk.send(aimed(event, talk))
        assert not engine_errors(talk)
        if len(talk.ends) > before:
            assert meant_goodbye(event, talk)
            assert talk.dialogue.handle(KeyPressed("0"), NOW) == []
            return
        snapshot = talk.dialogue.snapshot()
        assert snapshot == json.loads(json.dumps(snapshot))
        waits = talk.dialogue.ended or talk.dialogue.mode or talk.dialogue.waiting
        assert waits, f"{talk.dialogue.state}: nothing is being waited for after {event}"


@pytest.mark.parametrize("which", LIBRARIES)
@examples(60)
@given(script=st.lists(events, max_size=15))
def test_zero_brings_a_human_from_wherever_the_call_is(which: str, script: list[DialogueEvent]) -> None:
    library, entry = LIBRARIES[which]
    talk = Talk(library(), entry=entry, perform=False)
    for event in script:
        talk.send(aimed(event, talk))
        if talk.ends:
            return
    if talk.dialogue.ended or (talk.connects and talk.dialogue.waiting == "human"):
        return
    before = len(talk.connects)
    for key in ("0", "*0"):  # inside an entry, zero is a digit and star zero is not
        talk.send(KeyPressed(key) if len(key) == 1 else KeyPressed("*"))
        if len(key) == 2:
            talk.send(KeyPressed("0"))
        if len(talk.connects) > before:
            break
    assert len(talk.connects) > before and not talk.ends


@examples(30)
@given(script=st.lists(st.sampled_from(SENTENCES[:18]), max_size=8))
def test_snapshots_round_trip(script: list[str]) -> None:
    talk = Talk(entry="resume", perform=False)
    for sentence in script:
        talk.say(sentence)
        if talk.ends:
            return
    snapshot = talk.dialogue.snapshot()
    if snapshot is None:
        return
    again = Talk(entry="resume", perform=False, snapshot=json.loads(json.dumps(snapshot))).say("yes")
    assert not again.errors
    assert again.dialogue.snapshot() is not None
    first, second = dict(snapshot), dict(again.dialogue.snapshot() or {})
    assert (second["stack"], second["state"]) == (first["stack"], first["state"])


def test_silence_alone_never_ends_a_call() -> None:
    talk = Talk(facts={"hours.open": False})
    for _ in range(60):
        talk.silence()
    assert not talk.ends and not talk.errors


def test_an_hour_of_talk_keeps_no_more_than_it_needs() -> None:
    talk = Talk(perform=True)
    for _ in range(1500):
        talk.say("put Vertigo first").say("put Casablanca first")
        talk.effects.clear()
        talk.last.clear()
    assert len(talk.dialogue.transcript) <= 1000 and len(talk.dialogue.tried) <= 200


def test_every_connect_tells_why() -> None:
    for reason in ("0", "#0", "*0"):
        talk = Talk().key(reason)
        assert isinstance(talk.connect, Connect) and talk.connect.reason
