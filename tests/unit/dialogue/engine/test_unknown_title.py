"""Titles that are not there are told so; whatever names none is only not understood."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import SpeechHeard
from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import Talk


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("move Sharknado to the top of my queue", "Sharknado"),
        ("can you put Ten from Outer Space first, please?", "Ten from Outer Space"),
        ("remove Sharknado.", "Sharknado"),
        ("swap Casablanca and Sharknado", "Sharknado"),
        ("move Sharknado to number three", "Sharknado"),
    ],
)
def test_a_request_around_an_unknown_title(said: str, title: str) -> None:
    talk = Talk().say(said)
    assert talk.said.startswith(f"We don't have {title}.") and talk.said.endswith("?")
    assert not talk.performed


def test_the_request_around_it_is_kept() -> None:
    talk = Talk().say("move Sharknado to the top of my queue")
    assert talk.said == "We don't have Sharknado. If I misheard, please say it again. Which title?"
    assert talk.say("Vertigo").said == "Move Vertigo to the top?" and talk.say("yes").labels[0] == "Vertigo"
    talk = Talk().say("remove Sharknado.")  # whose flow never asks for it
    assert talk.said.endswith("What would you like?")


def test_an_unknown_title_alone_where_a_title_was_asked_for() -> None:
    talk = Talk().say("move a title").say("it's Sharknado")
    assert talk.said == "We don't have Sharknado. If I misheard, please say it again. Which title?"
    assert Talk().say("Sharknado").said.startswith("Sorry, I didn't get that.")


def test_a_title_that_is_known_elsewhere_is_not_denied() -> None:
    talk = Talk().say("move a title").say("Citizen Kane")
    assert talk.said == "Citizen Kane isn't on that list. Which title?"


@pytest.mark.parametrize(
    "said",
    ["I don't know", "the first one", "move it to the top", "well let me think", "put that one first", "no", "um"],
)
def test_what_names_nothing_is_not_understood(said: str) -> None:
    talk = Talk().say("move a title").say(said)
    assert "We don't have" not in talk.said


def test_rejected_speech_is_judged_by_its_transcript() -> None:
    nbest = (Hypothesis("move vertigo to the top", 0.1, None, Accept.REJECT),)
    talk = Talk().send(SpeechHeard(Recognition(Cause.NO_MATCH, nbest, "Move Sharknado to the top.")))
    assert talk.said.startswith("We don't have Sharknado.")


def test_three_unknown_titles_bring_a_human() -> None:
    talk = Talk().say("move a title").say("Sharknado").say("Sharknado two")
    assert "You can use the keys" in talk.said
    assert talk.say("Sharknado three").connect.reason == "not understood"


def test_in_a_confirmation_only_a_request_can_name_one() -> None:
    talk = Talk().say("remove Vertigo").say("no, remove Sharknado")
    assert talk.said.startswith("We don't have") or talk.said.startswith("Sorry")
    assert not talk.performed
    assert Talk().say("remove Vertigo").say("Sharknado").said.startswith("Sorry, I didn't get that.")


@pytest.mark.parametrize("place", ["number three", "the third one", "the other one", "the second"])
def test_a_place_is_no_title(place: str) -> None:
    assert "We don't have" not in Talk().say("move a title").say(place).said


@pytest.mark.parametrize("title", ["First Blood", "The Fifth Element", "300"])
def test_a_name_with_a_number_is_one(title: str) -> None:
    assert Talk().say("move a title").say(title).said.startswith(f"We don't have {title}.")


def test_what_says_more_of_a_title_that_is_known_is_no_name() -> None:
    assert "We don't have" not in Talk().say("move Vertigo and my broken envelope to the top").said
