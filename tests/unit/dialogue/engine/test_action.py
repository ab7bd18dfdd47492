"""The action verb: requests, slots of every kind, confirmation and correction, outcomes, late answers."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import (
    ActionDone,
    ActionSlow,
)
from ivr.events import Accept, ActionResult, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import Talk


def test_a_request_in_one_sentence_is_done_at_once() -> None:
    talk = Talk().say("move Vertigo to the top of my queue")
    assert talk.labels[:2] == ["Vertigo", "Casablanca"]
    assert talk.said == "Done. Vertigo is at the top now. Anything else?"
    assert talk.dialogue.resolved == 1
    assert talk.dialogue.tried == ("queue.move: ok",)


def test_performances_carry_distinct_keys() -> None:
    talk = Talk().say("put Vertigo first").say("put Metropolis first")
    keys = [perform.key for perform in talk.performed]
    assert len(set(keys)) == 2 and all(key.startswith("test/") for key in keys)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("swap Casablanca and Metropolis", ["Metropolis", "Vertigo", "Casablanca"]),
        ("put Metropolis before Vertigo", ["Casablanca", "Metropolis", "Vertigo"]),
        ("put Casablanca after Metropolis", ["Vertigo", "Metropolis", "Casablanca"]),
        ("put 12 angry men at number 2", ["Casablanca", "12 Angry Men", "Vertigo"]),
        ("could you please put Metropolis at number one", ["Metropolis", "Casablanca", "Vertigo"]),
    ],
)
def test_slots_of_every_kind(sentence: str, expected: list[str]) -> None:
    talk = Talk().say(sentence)
    assert talk.labels[:3] == expected
    assert not talk.errors


def test_an_ask_is_passed_through_when_it_is_answered_already() -> None:
    talk = Talk().say("move a title")
    assert talk.said == "Which title?"
    talk.say("it's Nosferatu")
    assert talk.labels[0] == "Nosferatu"


def test_minimal_pairs_are_always_confirmed() -> None:
    talk = Talk().say("put Aliens first")
    assert talk.said == "Move Aliens to the top?" and not talk.performed
    talk.say("yes please")
    assert talk.labels[0] == "Aliens"


def test_no_and_another_value_is_a_correction() -> None:
    talk = Talk().say("put Aliens first").say("no, Vertigo")
    assert talk.said == "Move Vertigo to the top?" and not talk.performed
    talk.say("yes")
    assert talk.labels[0] == "Vertigo"


def test_no_takes_the_no_edge_and_forgets() -> None:
    talk = Talk().say("put Aliens first").say("no")
    assert talk.said == "Which title?"
    assert "title" not in talk.dialogue.slots


def test_no_without_an_edge_goes_back() -> None:
    talk = Talk().say("swap Alien and Aliens").say("no")
    assert talk.dialogue.state == "titles.menu"
    assert "title" not in talk.dialogue.slots and "other" not in talk.dialogue.slots


def test_irreversible_actions_are_confirmed_however_clearly_heard() -> None:
    talk = Talk().say("remove Vertigo")
    assert talk.said == "Take Vertigo out?" and not talk.performed
    talk.key("1")
    assert "Vertigo" not in talk.labels


def test_a_doubtful_yes_does_not_act() -> None:
    talk = Talk().say("remove Vertigo")
    phrases = talk.listen.grammar.speech.phrases
    doubtful = Hypothesis("yes", 0.5, phrases.index("yes"), Accept.CONFIRM)
    talk.heard(Recognition(Cause.SUCCESS, (doubtful,), "mess"))
    assert not talk.performed and "Take Vertigo out?" in talk.said


def test_an_undeclared_outcome_takes_the_failed_edge() -> None:
    talk = Talk(perform=False).say("put Vertigo first")
    talk.send(ActionDone(talk.performed[0].token, ActionResult("what")))
    assert talk.connect.reason == "the queue is broken"


def test_an_action_that_takes_long_is_bridged() -> None:
    talk = Talk(perform=False).say("read my queue")
    running = talk.performed[0]
    assert talk.send(ActionSlow(running.token)).said == "One moment."
    assert talk.listen.timeout_s is None
    talk.send(ActionDone(running.token, ActionResult("ok", {"titles": ("A", "B")})))
    assert talk.said == "A and B. Anything else?"
