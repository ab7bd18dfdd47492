"""Universals: a human is one word or key away everywhere; help, repeat, back, goodbye, risks."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import (
    ActionDone,
    End,
)
from ivr.events import ActionResult
from tests.unit.dialogue.talk import NOW, Talk


def test_a_doubtful_goodbye_is_asked_about() -> None:
    talk = Talk().say("that would be all")
    assert not talk.ends and talk.said == "Shall we end this call?"
    talk.say("no")
    assert talk.said == "What would you like?"
    talk.say("goodbye")
    assert talk.ends == [End("goodbye")] and talk.dialogue.ended


PLACES = {
    "a menu": [],
    "an ask": ["move a title"],
    "a confirmation": ["remove Vertigo"],
    "a sub-flow": ["look it up"],
    "digits": ["my pin"],
    "a date": ["hold my deliveries"],
}


@pytest.mark.parametrize("way", ["0", "*0", "#0", "agent", "operator", "representative", "a real person", "human"])
@pytest.mark.parametrize("place", PLACES)
def test_a_human_is_one_word_or_key_away_everywhere(place: str, way: str) -> None:
    talk = Talk()
    for sentence in PLACES[place]:
        talk.say(sentence)
    if way[-1] == "0":
        talk.key(way)
    else:
        talk.say(way)
    assert [c.reason for c in talk.connects] == ["asked"]
    assert talk.said.endswith("Connecting.")


def test_a_human_while_an_action_runs_and_its_late_answer() -> None:
    talk = Talk(perform=False).say("put Vertigo first")
    running = talk.performed[0]
    talk.key("0")
    assert talk.connects and talk.dialogue.tried == ("queue.move: under way",)
    assert talk.dialogue.handle(ActionDone(running.token, ActionResult("ok")), NOW) == []
    assert talk.dialogue.tried == ("queue.move: ok, after the caller had moved on",)
    assert talk.dialogue.left_at == "titles.move"


def test_zero_again_while_connecting_changes_nothing() -> None:
    talk = Talk().key("0000")
    assert len(talk.connects) == 1 and not talk.ends


def test_zero_inside_an_entry_is_a_digit_and_star_zero_a_human() -> None:
    talk = Talk().say("my pin").key("102")
    assert not talk.connects
    talk.key("*0")
    assert len(talk.connects) == 1


def test_repeat_help_and_back() -> None:
    talk = Talk().say("move a title")
    assert talk.say("say that again").said == "Which title?"
    assert talk.key("**").said == "Which title?"
    assert talk.key("*p").said == "Which title?"
    assert "first letters" in talk.say("help").said
    assert talk.say("go back").dialogue.state == "titles.menu"
    assert "nothing to go back to" in talk.key("*2").said
    assert talk.say("help").said == "Say, for example: move Casablanca to the top."


def test_back_forgets_the_answer_it_goes_back_to() -> None:
    talk = Talk().say("look it up").say("Vertigo")
    assert talk.dialogue.state == "place.position" and talk.dialogue.slots == {"title": "vertigo"}
    talk.say("back")
    assert talk.dialogue.state == "place.title" and talk.dialogue.slots == {}
    talk.say("back")
    assert talk.dialogue.state == "titles.menu"


def test_risks_go_to_a_human_with_their_reason() -> None:
    talk = Talk().say("well I guess I'm thinking of leaving")
    assert (talk.connect.reason, talk.connect.skill, talk.connect.priority) == (
        "thinking of cancelling",
        "retention",
        9,
    )


def test_spanish_calls_speak_spanish() -> None:
    talk = Talk(language="es-ES").say("mueve la luna")
    assert "Perd" in talk.said or "no le" in talk.said.lower() or "entend" in talk.said
    assert Talk(language="es-ES").say("quiero hablar con una persona").connects


def test_start_over_is_not_back() -> None:
    talk = Talk().say("move Alien to number three")
    assert talk.said == "Move Alien to number three?"
    talk.say("start over")
    assert talk.said == "All right, from the beginning. Anything else?" and not talk.performed
    assert talk.dialogue.state == "titles.menu" and talk.dialogue.slots == {}
    talk = Talk().say("look it up").say("Vertigo").say("back")
    assert talk.dialogue.state == "place.title"
    talk.say("Vertigo").key("*7")
    assert talk.dialogue.state == "titles.menu" and talk.dialogue.slots == {}


def test_start_over_at_the_resume_offer_leaves_the_dropped_call_behind() -> None:
    snapshot = Talk(entry="resume").say("remove Vertigo").dialogue.snapshot()
    talk = Talk(entry="resume", snapshot=snapshot).say("start over")
    assert talk.dialogue.state == "titles.menu" and talk.dialogue.slots == {}


def test_start_over_in_the_human_flow_stays_there() -> None:
    talk = Talk(facts={"hours.open": False}).key("0").say("start over")
    assert talk.dialogue.state == "human.closed" and not talk.performed


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-US", "what the fuck"),
        ("en-US", "well this is bullshit you know"),
        ("es-ES", "esto es una mierda"),
        ("es-ES", "no me joda"),
    ],
)
def test_swearing_brings_a_human_and_nobody_is_scolded(language: str, said: str) -> None:
    talk = Talk(language=language).say(said)
    assert (talk.connect.reason, talk.connect.said, talk.connect.skill) == ("swearing", said, "retention")
    assert talk.said == "Connecting."
