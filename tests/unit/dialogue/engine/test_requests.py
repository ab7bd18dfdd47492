"""Requests said where something else was asked: taken, and what was asked about is left undone."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import Record
from ivr.events import Accept, Cause, Hypothesis, Recognition
from ivr.record import Decided, Understood
from tests.unit.dialogue.talk import Talk, reference

REMOVING = "remove Vertigo"


def did(talk: Talk) -> list[str]:
    return [action.name for action in talk.performed]


@pytest.mark.parametrize("no", ["", "no ", "No, ", "actually "])
def test_a_request_at_a_confirmation_is_served_and_the_action_is_not_done(no: str) -> None:
    talk = Talk().say(REMOVING).say(f"{no}put Metropolis first")
    assert did(talk) == ["queue.move"] and talk.labels[0] == "Metropolis" and "Vertigo" in talk.labels
    assert talk.dialogue.slots == {}, "what the request before had filled is forgotten"


@pytest.mark.parametrize("yes", ["yes and also ", "yes, ", "yeah and "])
def test_a_yes_that_brings_a_request_does_both(yes: str) -> None:
    talk = Talk().say(REMOVING).say(f"{yes}put Metropolis first")
    assert did(talk) == ["queue.remove", "queue.move"] and talk.labels[0] == "Metropolis"


@pytest.mark.parametrize(
    "no", ["yes, no, ", "yeah no ", "yeah, wait, ", "yes um wait ", "yes, scratch that, ", "yes, actually, "]
)
def test_a_yes_that_is_taken_back_at_once_is_none(no: str) -> None:
    talk = Talk().say(REMOVING).say(f"{no}put Metropolis first")
    assert did(talk) == ["queue.move"] and talk.labels[0] == "Metropolis" and "Vertigo" in talk.labels


@pytest.mark.parametrize(("yes", "done"), [("sí, y ", "queue.remove"), ("sí, en realidad ", "queue.move_to_position")])
def test_nor_is_one_in_spanish(yes: str, done: str) -> None:
    talk = Talk(reference(), entry="queue", language="es-ES", perform=False).say("quite Vertigo")
    assert did(talk.say(f"{yes}mueva Metropolis al final")) == [done]


def test_the_same_request_again_is_a_yes() -> None:
    talk = Talk().say(REMOVING).say(REMOVING)
    assert did(talk) == ["queue.remove"]


def test_the_same_request_about_something_else_is_a_correction() -> None:
    talk = Talk().say(REMOVING).say("no, remove Metropolis")
    assert talk.said == "Take Metropolis out?" and not talk.performed
    talk.say("yes")
    assert "Metropolis" not in talk.labels and "Vertigo" in talk.labels


@pytest.mark.parametrize("yes", ["yes, ", "yeah "])
def test_a_yes_that_names_something_else_is_none(yes: str) -> None:
    talk = Talk().say(REMOVING).say(f"{yes}remove Metropolis")
    assert talk.said == "Take Metropolis out?" and not talk.performed
    talk.say("yes")
    assert "Metropolis" not in talk.labels and "Vertigo" in talk.labels


def test_a_yes_and_the_same_of_something_else_does_both() -> None:
    talk = Talk().say(REMOVING).say("yes, and remove Metropolis")
    assert did(talk) == ["queue.remove"] and talk.said.endswith("Take Metropolis out?")


def test_what_the_transcript_denies_is_not_done_unasked() -> None:
    """The recogniser took it for a phrase; what it wrote freely says the opposite."""
    heard = (Hypothesis("read my queue", 0.9, None, Accept.ACCEPT),)
    talk = Talk().heard(Recognition(Cause.SUCCESS, heard, transcript="Don't read my queue."))
    assert not talk.performed and talk.said.startswith("Did you mean")
    talk = Talk().heard(Recognition(Cause.SUCCESS, heard, transcript="No, read my queue."))
    assert did(talk) == ["queue.read"]


def test_one_of_a_near_pair_is_still_asked_about() -> None:
    talk = Talk().say("put Alien first").say("no, put Aliens first")
    assert talk.said == "Move Aliens to the top?" and not talk.performed


def test_a_denied_request_is_none() -> None:
    talk = Talk().say(REMOVING).say("don't put Metropolis first")
    assert not talk.performed and talk.said.endswith("Take Vertigo out?")


def test_a_request_ends_the_choice_between_two() -> None:
    talk = Talk()
    said = ("put casablanca first", "put metropolis first")
    nbest = tuple(Hypothesis(text, 0.7, None, Accept.ACCEPT) for text in said)
    talk.heard(Recognition(Cause.SUCCESS, nbest))
    assert talk.said.startswith("Did you mean")
    talk.say("what's in my queue")
    assert did(talk) == ["queue.read"]


def test_a_request_instead_of_a_goodbye() -> None:
    talk = Talk().say("that would be all").say("what's in my queue")
    assert did(talk) == ["queue.read"] and not talk.ends


@pytest.mark.parametrize("said", ["put Metropolis first", "no, put Metropolis first"])
def test_a_request_at_the_resume_offer_leaves_the_dropped_call_behind(said: str) -> None:
    snapshot = Talk(entry="resume").say(REMOVING).dialogue.snapshot()
    talk = Talk(entry="resume", snapshot=snapshot).say(said)
    assert did(talk) == ["queue.move"] and talk.dialogue.state == "titles.menu" and talk.labels[0] == "Metropolis"


def test_a_resumed_call_still_takes_requests_and_goes_back() -> None:
    snapshot = Talk(entry="resume").say(REMOVING).dialogue.snapshot()
    talk = Talk(entry="resume", snapshot=snapshot).say("yes").say("put Metropolis first")
    assert did(talk) == ["queue.move"]
    talk = Talk(entry="resume", snapshot=snapshot).say("yes").say("go back")
    assert talk.dialogue.state == "titles.menu" and talk.dialogue.slots == {}


def test_two_close_requests_are_both_offered_once_the_question_is_left() -> None:
    talk = Talk().say(REMOVING)
    said = ("put casablanca first", "put metropolis first")
    nbest = tuple(Hypothesis(text, 0.7, None, Accept.ACCEPT) for text in said)
    talk.heard(Recognition(Cause.SUCCESS, nbest))
    assert talk.said == "Did you mean Casablanca, or Metropolis?" and not talk.performed
    talk.say("the second")
    assert talk.labels[0] == "Metropolis"


def test_an_answer_goes_before_a_request_that_is_nearly_as_likely() -> None:
    talk = Talk().say(REMOVING)
    nbest = (Hypothesis("no", 0.7, None, Accept.ACCEPT), Hypothesis("no put alien first", 0.7, None, Accept.ACCEPT))
    talk.heard(Recognition(Cause.SUCCESS, nbest))
    assert not talk.performed and talk.dialogue.state == "titles.menu" and talk.dialogue.slots == {}


def test_a_request_inside_another_flow_leaves_that_flow() -> None:
    talk = Talk().say("move Vertigo to number three")
    assert talk.labels[2] == "Vertigo"
    talk = Talk().say("move Alien to number three")
    assert talk.said == "Move Alien to number three?"
    talk.say("put Metropolis first")
    assert talk.labels[0] == "Metropolis" and talk.dialogue.state == "titles.menu" and talk.dialogue.slots == {}


def test_a_recogniser_hears_them_too_and_the_record_says_what_was_asked() -> None:
    talk = Talk().say(REMOVING)
    assert talk.listen.grammar.speech.covers("put metropolis first")
    assert talk.listen.grammar.speech.covers("no put metropolis first")
    talk.say("no put Metropolis first")
    records = [effect.what for effect in talk.effects if isinstance(effect, Record)]
    heard = [what for what in records if isinstance(what, Understood)][-1]
    assert (heard.intent, heard.slots, heard.question) == ("move_to_top", {"title": "Metropolis"}, "confirm")
    assert Decided("set_aside", "confirm", {"intent": "move_to_top"}) in records


def test_on_the_way_to_a_human_nothing_else_is_begun() -> None:
    talk = Talk(facts={"hours.open": False}).key("0").say("put Metropolis first")
    assert not talk.performed and talk.dialogue.state == "human.closed"
