"""Close calls: what is accepted, doubted, offered, or taken for a risk."""

from __future__ import annotations

import pytest

from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import Talk


def spoken(talk: Talk, *heard: tuple[str, float, Accept], transcript: str = "") -> Talk:
    speech = talk.listen.grammar.speech
    assert all(speech.covers(said) for said, _, _ in heard)
    nbest = tuple(
        Hypothesis(said, sure, speech.phrases.index(said) if said in speech.phrases else None, verdict)
        for said, sure, verdict in heard
    )
    return talk.heard(Recognition(Cause.SUCCESS, nbest, transcript, engine="test"))


def test_close_hypotheses_are_offered() -> None:
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.71, Accept.ACCEPT), ("put metropolis first", 0.70, Accept.ACCEPT))
    assert talk.said == "Did you mean Casablanca, or Metropolis?" and not talk.performed
    talk.say("the second one")
    assert talk.labels[0] == "Metropolis"


@pytest.mark.parametrize(("answer", "first"), [("1", "Casablanca"), ("2", "Metropolis")])
def test_close_hypotheses_by_keys(answer: str, first: str) -> None:
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.71, Accept.ACCEPT), ("put metropolis first", 0.70, Accept.ACCEPT))
    talk.key(answer)
    assert talk.labels[0] == first


def test_neither_asks_again() -> None:
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.71, Accept.ACCEPT), ("put metropolis first", 0.70, Accept.ACCEPT))
    talk.key("3")
    assert not talk.performed and talk.said == "What would you like?"


def test_an_accepted_hypothesis_acts_and_a_doubtful_one_asks() -> None:
    talk = spoken(Talk(), ("put casablanca first", 0.9, Accept.ACCEPT))
    assert len(talk.performed) == 1
    talk = spoken(Talk(), ("put casablanca first", 0.6, Accept.CONFIRM), transcript="put a bucket first")
    assert not talk.performed and talk.said == "Move Casablanca to the top?"


def test_two_ears_that_agree_need_no_question() -> None:
    talk = spoken(Talk(), ("put casablanca first", 0.6, Accept.CONFIRM), transcript="Put Casablanca first.")
    assert len(talk.performed) == 1


def test_a_risk_in_the_transcript_is_offered_beside_doubt_and_is_nothing_beside_certainty() -> None:
    talk = spoken(Talk(), ("put casablanca first", 0.6, Accept.CONFIRM), transcript="I want to cancel it")
    assert not talk.connects and not talk.performed
    assert talk.said == "Did you mean put Casablanca first, or talking to somebody about your membership?"
    talk.say("the second one")
    assert (talk.connect.skill, talk.connect.said) == ("retention", "I want to cancel it")
    talk = spoken(Talk(), ("put casablanca first", 0.9, Accept.ACCEPT), transcript="put cancel blanca first")
    assert not talk.connects


def test_a_denial_in_the_transcript_makes_certainty_doubt() -> None:
    talk = spoken(Talk(), ("put casablanca first", 0.9, Accept.ACCEPT), transcript="don't put Casablanca first")
    assert not talk.performed and talk.said == "Move Casablanca to the top?"


def test_a_rejected_hypothesis_falls_back_to_the_transcript() -> None:
    talk = spoken(Talk(), ("read my queue", 0.2, Accept.REJECT), transcript="I'd like Vertigo to be put first")
    assert talk.said == "Move Vertigo to the top?"


def test_what_came_through_a_template_is_read_by_its_text() -> None:
    talk = Talk()
    talk.heard(Recognition(Cause.SUCCESS, (Hypothesis("move nosferatu to the top", 0.95, None, Accept.ACCEPT),), ""))
    assert talk.performed[-1].arguments["title"] == "nosferatu"
    talk.heard(Recognition(Cause.SUCCESS, (Hypothesis("swap alien and vertigo", 0.95, None, Accept.ACCEPT),), ""))
    assert "swap" not in [p.name.partition(".")[2] for p in talk.performed]  # Alien may be Aliens: asked first
    assert talk.say("yes").performed[-1].name == "queue.swap"


def test_an_accepted_hypothesis_is_not_questioned_by_a_doubtful_one() -> None:
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.95, Accept.ACCEPT), ("put metropolis first", 0.95, Accept.CONFIRM))
    assert len(talk.performed) == 1
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.95, Accept.ACCEPT), ("agent", 0.95, Accept.CONFIRM))
    assert len(talk.performed) == 1 and not talk.connects
    talk = Talk()
    spoken(talk, ("put casablanca first", 0.7, Accept.CONFIRM), ("agent", 0.68, Accept.CONFIRM))
    assert talk.connects


def test_a_very_long_utterance_costs_nothing() -> None:
    talk = Talk().say("vertigo metropolis " * 50_000)
    assert not talk.performed and talk.said
