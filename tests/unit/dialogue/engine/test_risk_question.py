"""Risks: a whole phrase brings a human at once; what only hints at one is asked about, once a call."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import ActionDone, NoInput
from ivr.events import Accept, ActionResult, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import Talk

MEMBERSHIP = "Would you like to talk to somebody about your membership?"
TITLES = ("Casablanca", "Vertigo", "Cancel My Membership", "Leaving Las Vegas", "I Quit")

WHOLE = [
    "cancel my membership",
    "please cancel my account",
    "honestly I'm thinking of leaving you guys",
    "well you know what, I want to cancel",
    "I want to cancel because it costs too much",
    "I quit",
    "I'm thinking of cancelling my membership",
    "look, I'd like to close my account today at noon",
    "no, cancel my membership",
    "this is bullshit, just cancel it",
]
NEAR = [
    "cancel the last change",
    "I want to cancel the last change",
    "I'm leaving it in the mailbox",
    "I'm leaving town tomorrow",
    "quit the menu",
    "I want to quit this menu",
    "don't cancel my account",
    "I don't want to cancel my membership",
    "please never cancel my subscription",
    "I can't say that I want to cancel",
    "I'd love Leaving Las Vegas to be put first",
    "play cancel my membership",
    "would you put I Quit first",
    "see cancel my account",
    "will you stop that cancelling",
]
HINTS = ["well I would rather cancel the whole thing", "I wanna cansel my membership", "I guess I am quitting it all"]


@pytest.mark.parametrize("said", WHOLE)
def test_a_whole_phrase_brings_a_human_at_once(said: str) -> None:
    talk = Talk().say(said)
    assert (talk.connect.reason, talk.connect.skill, talk.connect.priority, talk.connect.said) == (
        "thinking of cancelling",
        "retention",
        9,
        said,
    )


@pytest.mark.parametrize("said", NEAR)
def test_what_only_sounds_like_one_brings_nobody(said: str) -> None:
    talk = Talk(queue=TITLES).say(said)
    assert not talk.connects and {done.name for done in talk.performed} <= {"queue.move"}


@pytest.mark.parametrize("said", HINTS)
def test_a_hint_is_asked_about_and_a_yes_brings_the_same_human(said: str) -> None:
    talk = Talk().say(said)
    assert not talk.connects and talk.said == MEMBERSHIP
    talk.say("yes")
    assert (talk.connect.reason, talk.connect.priority, talk.connect.said) == ("thinking of cancelling", 9, said)


@pytest.mark.parametrize("no", ["no", "nope", "2p"])
def test_a_no_asks_again_what_was_asked_and_the_risk_only_once(no: str) -> None:
    talk = Talk().say("move a title").say("I might be leaving this place")
    assert talk.said == MEMBERSHIP
    talk = talk.key(no) if no[0].isdigit() else talk.say(no)
    assert talk.said == "Which title?" and talk.dialogue.state == "titles.which_title"
    assert MEMBERSHIP not in talk.say("well, leaving it there").said
    assert not talk.connects
    assert talk.say("Vertigo").labels[0] == "Vertigo"
    assert talk.say("I'm thinking of leaving").connect.reason == "thinking of cancelling"


def test_other_risks_are_asked_about_still() -> None:
    talk = Talk().say("leaving it there").say("no").say("well netflix has it")
    assert "what we can offer you" in talk.said
    assert talk.say("yes").connect.reason == "comparing with a competitor"


def test_hinting_again_at_the_question_is_a_yes_and_a_human_is_told_why() -> None:
    assert Talk().say("leaving it there").say("I'm leaving all of this").connect.said == "leaving it there"
    talk = Talk().say("leaving it there").say("agent")
    assert (talk.connect.reason, talk.connect.said) == ("thinking of cancelling", "leaving it there")


def test_a_request_at_the_question_is_done() -> None:
    talk = Talk().say("leaving it there").say("put Vertigo first")
    assert talk.labels[0] == "Vertigo" and not talk.connects


def test_silence_and_mumbling_at_the_question_lead_to_a_human() -> None:
    talk = Talk().say("leaving it there")
    assert talk.silence().said.endswith(MEMBERSHIP)
    for _ in range(2):
        talk.send(NoInput())
    assert talk.connects


def test_a_doubtful_yes_is_none() -> None:
    talk = Talk().say("leaving it there")
    talk.heard(Recognition(Cause.SUCCESS, (Hypothesis("yes", 0.5, None, Accept.CONFIRM),), ""))
    assert not talk.connects and talk.said.endswith(MEMBERSHIP)


def test_the_question_in_another_language_chosen_meanwhile() -> None:
    talk = Talk().say("leaving it there").key("*3")
    assert talk.said.endswith("¿Quiere hablar con alguien de su membresía?")
    assert talk.say("sí").connect.reason == "thinking of cancelling"


def heard(talk: Talk, *hypotheses: tuple[str, float, Accept], transcript: str = "") -> Talk:
    nbest = tuple(Hypothesis(text, score, None, verdict) for text, score, verdict in hypotheses)
    cause = Cause.SUCCESS if nbest else Cause.NO_MATCH
    return talk.heard(Recognition(cause, nbest, transcript, engine="test"))


def test_by_ear_only_what_was_surely_heard_brings_a_human() -> None:
    said = "cancel my membership"
    assert heard(Talk(), (said, 0.9, Accept.ACCEPT), transcript=said).connects
    assert heard(Talk(), (said, 0.9, Accept.ACCEPT)).connects
    assert heard(Talk(), (said, 0.6, Accept.CONFIRM), transcript=said).connects, "heard so, and written so"
    for talk in (
        heard(Talk(), (said, 0.6, Accept.CONFIRM), transcript="handle my membership"),
        heard(Talk(), (said, 0.2, Accept.REJECT), transcript=said),
        heard(Talk(), transcript=f"well {said} then"),
        heard(Talk(), (said, 0.9, Accept.ACCEPT), transcript=f"don't {said}"),
        heard(Talk(), ("i'm leaving", 0.9, Accept.ACCEPT), transcript="I'm leaving it in the mailbox"),
    ):
        assert not talk.connects and talk.said == MEMBERSHIP
        assert talk.say("yes").connect.skill == "retention"


def test_a_rival_that_is_a_risk_is_one_of_two() -> None:
    talk = heard(Talk(), ("put casablanca first", 0.6, Accept.CONFIRM), ("i quit", 0.57, Accept.CONFIRM))
    assert talk.said == "Did you mean put Casablanca first, or talking to somebody about your membership?"
    assert talk.say("the first one").labels[0] == "Casablanca" and not talk.connects
    assert not heard(talk, ("move a title", 0.6, Accept.CONFIRM), ("i quit", 0.57, Accept.CONFIRM)).connects
    assert "membership" not in talk.said  # asked about once
    talk = heard(Talk(), ("i quit", 0.8, Accept.ACCEPT), ("put casablanca first", 0.78, Accept.ACCEPT))
    assert not talk.connects and talk.key("1").connect.reason == "thinking of cancelling"


def test_a_rival_that_is_a_risk_at_a_question_about_yes_or_no_asks_by_itself() -> None:
    talk = Talk().say("remove Vertigo")
    heard(talk, ("yes", 0.6, Accept.CONFIRM), ("i quit", 0.57, Accept.CONFIRM))
    assert talk.said == MEMBERSHIP
    assert talk.say("no").said == "Take Vertigo out?" and talk.say("yes").performed[-1].name == "queue.remove"


@pytest.mark.parametrize("said", ["get me a person", "I'd really love to speak to someone now", "no, an agent"])
def test_the_wish_for_a_human_is_immediate_in_any_words_and_doubt(said: str) -> None:
    assert Talk().say(said).connects
    assert heard(Talk(), transcript=said).connects
    assert heard(Talk(), ("put casablanca first", 0.6, Accept.CONFIRM), transcript=said).connects
    assert heard(Talk(), ("put casablanca first", 0.6, Accept.CONFIRM), ("agent", 0.57, Accept.CONFIRM)).connects


def test_a_hint_beside_the_wish_for_a_human_tells_why() -> None:
    talk = Talk().say("I'm leaving it all, get me a person")
    assert (talk.connect.reason, talk.connect.priority) == ("thinking of cancelling", 9)


def test_a_hint_while_an_action_runs_is_asked_about_after_it() -> None:
    talk = Talk(perform=False).say("put Vertigo first")
    running = talk.performed[0]
    talk.say("well I would rather cancel it all")
    assert not talk.connects
    talk.send(ActionDone(running.token, ActionResult("ok")))
    assert talk.said.endswith(MEMBERSHIP)
    assert talk.say("yes").connect.said == "well I would rather cancel it all"


def test_on_the_way_to_a_human_nobody_is_asked() -> None:
    talk = Talk(facts={"hours.open": False}).key("0")
    assert talk.say("well I would rather cancel the whole thing").dialogue.reason == "thinking of cancelling"
    assert MEMBERSHIP not in talk.said


def test_a_call_taken_up_again_has_been_asked_already() -> None:
    talk = Talk(entry="resume").say("remove Vertigo").say("leaving it there").say("no")
    snapshot = talk.dialogue.snapshot()
    again = Talk(entry="resume", snapshot=snapshot).say("yes").say("leaving it there")
    assert "membership" not in again.said and not again.connects


@pytest.mark.parametrize(
    ("said", "at_once"),
    [
        ("quiero cancelar mi cuenta", True),
        ("mire, estoy pensando en irme", True),
        ("quiero cancelar el último cambio", False),
        ("no quiero cancelar mi cuenta", False),
        ("nunca quiero cancelar mi cuenta", False),
    ],
)
def test_in_spanish(said: str, at_once: bool) -> None:
    assert bool(Talk(language="es-ES").say(said).connects) is at_once
