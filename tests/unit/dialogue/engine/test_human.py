"""Going to a human when something breaks, agitates, or nobody answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.dialogue.engine.contract import (
    ActionDone,
    Agitated,
    End,
    HandoffDone,
    PartFailed,
    SpeechHeard,
)
from ivr.dialogue.flows.model import Risk
from ivr.events import ActionResult, Cause, Manner, Recognition
from tests.unit.dialogue.talk import Talk, small


def test_the_edge_that_led_to_a_human_gives_the_reason() -> None:
    talk = Talk(perform=False).say("put Vertigo first")
    talk.send(ActionDone(talk.performed[0].token, ActionResult("failed")))
    assert talk.connect.reason == "the queue is broken"


@pytest.mark.parametrize("part", ["recogniser", "store", "engine", "synthesiser"])
def test_a_broken_part_brings_a_human(part: str) -> None:
    talk = Talk().send(PartFailed(part))
    assert talk.said.startswith("Sorry, something on our side") and talk.connect.reason == f"{part} failed"


def test_a_loop_without_listening_brings_a_human() -> None:
    talk = Talk().say("go round in circles")
    assert talk.connects and talk.errors[0].error == "Broken"


def test_closed_hours_lead_on_and_zero_tries_again() -> None:
    talk = Talk(facts={"hours.open": False}).key("0")
    assert "call you back" in talk.said and not talk.connects
    assert "call you back" in talk.key("0").said
    assert talk.key("1").ends == [End("closed")]


def test_a_failed_handoff_goes_on_in_the_human_flow() -> None:
    talk = Talk().key("0").answer("failed")
    assert "call you back" in talk.said
    talk.key("0").answer("connected")
    assert talk.dialogue.ended and talk.dialogue.outcome == "handoff"
    talk.send(HandoffDone(talk.connect.token, "dropped"))
    assert not talk.dialogue.ended and "call you back" in talk.said


def test_when_the_human_flow_breaks_the_caller_is_connected_directly_and_never_left() -> None:
    talk = Talk(facts={"hours.open": False}).key("0").send(PartFailed("store"))
    assert talk.connect.skill == "general"
    talk.answer("failed")
    assert "Stay on the line" in talk.said and not talk.ends
    talk.silence()
    assert len(talk.connects) == 2
    talk.answer("failed").key("0")
    assert "call you back" in talk.said or len(talk.connects) == 3


def test_agitation_needs_company() -> None:
    talk = Talk().send(Agitated("loud"))
    assert not talk.connects
    talk.send(Agitated("mashed keys"))
    assert talk.connect.reason.startswith("upset") and talk.connect.skill == "retention"


def test_the_universals_say_to_whom_the_agitated_go() -> None:
    library = small()
    calm = Risk(reason="upset", skill="calm", priority=3)
    for risks, wanted in (({"agitation": calm}, ("calm", 3)), ({}, ("retention", 8))):
        universals = library.universals.model_copy(update={"risks": risks})
        changed = replace(library, universals=universals)
        connect = Talk(changed).send(Agitated("loud")).send(Agitated("mashed keys")).connect
        assert (connect.skill, connect.priority) == wanted


def test_manner_counts_only_on_a_clean_line() -> None:
    def shout(snr: float) -> SpeechHeard:
        manner = Manner(loudness_db=9.0, snr_db=snr)
        return SpeechHeard(Recognition(Cause.SUCCESS, transcript="mumble jumble", manner=manner))

    assert not Talk().send(shout(3.0)).send(shout(3.0)).connects
    loud = Talk().send(shout(20.0)).send(shout(20.0)).send(Agitated("loud"))
    assert loud.connect.reason.startswith("upset")
