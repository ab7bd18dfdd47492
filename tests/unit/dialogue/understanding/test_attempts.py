"""Two attempts at the same: fused, and without what was denied."""

from __future__ import annotations

import pytest

from ivr.dialogue.understanding.attempts import Attempt, attempt, fused, is_denied, undenied
from ivr.dialogue.understanding.grammar import ANSWER, NOTHING, Interpretation, Meaning, Reading, SlotValue
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import Talk

HERE = "titles.menu"


@pytest.fixture(scope="module")
def grammar() -> StateGrammar:
    return Talk().listen.grammar


def heard(*nbest: tuple[str, float, Accept]) -> Recognition:
    made = tuple(Hypothesis(text, confidence, None, verdict) for text, confidence, verdict in nbest)
    matched = bool(made) and made[0].verdict is not Accept.REJECT
    return Recognition(Cause.SUCCESS if matched else Cause.NO_MATCH, made, "something")


def removing(label: str) -> Meaning:
    return Meaning("remove", {"title": SlotValue(label.lower(), label)})


def kept(recognition: Recognition, grammar: StateGrammar, found: Interpretation = NOTHING) -> Attempt:
    made = attempt(HERE, recognition, found, grammar, None)
    assert made is not None
    return made


VAGUE = heard(("remove vertigo", 0.3, Accept.REJECT), ("remove metropolis", 0.28, Accept.REJECT))


def test_what_two_attempts_have_in_common_is_asked_about(grammar: StateGrammar) -> None:
    again = heard(("remove metropolis", 0.42, Accept.REJECT), ("remove nosferatu", 0.4, Accept.REJECT))
    first = kept(heard(("remove vertigo", 0.34, Accept.REJECT), ("remove metropolis", 0.33, Accept.REJECT)), grammar)
    both = fused(first, HERE, again, grammar)
    assert both.cause is Cause.SUCCESS
    assert (both.nbest[0].text, both.nbest[0].verdict) == ("remove metropolis", Accept.CONFIRM)
    assert both.nbest[1].verdict is Accept.REJECT


def test_one_attempt_alone_changes_nothing(grammar: StateGrammar) -> None:
    again = heard(("remove nosferatu", 0.45, Accept.REJECT))
    assert fused(None, HERE, again, grammar) is again
    assert fused(kept(VAGUE, grammar), HERE, again, grammar) is again
    assert fused(kept(VAGUE, grammar), "titles.elsewhere", VAGUE, grammar) is VAGUE


def test_agreement_is_never_certainty(grammar: StateGrammar) -> None:
    unsure = heard(("remove vertigo", 0.9, Accept.CONFIRM))
    both = fused(kept(unsure, grammar), HERE, unsure, grammar)
    assert both.nbest[0].confidence > 0.9 and both.nbest[0].verdict is Accept.CONFIRM


def test_the_likelier_of_both_attempts_comes_first(grammar: StateGrammar) -> None:
    first = kept(heard(("remove alien", 0.6, Accept.CONFIRM), ("remove aliens", 0.58, Accept.CONFIRM)), grammar)
    again = heard(("remove vertigo", 0.62, Accept.CONFIRM), ("remove aliens", 0.6, Accept.CONFIRM))
    assert fused(first, HERE, again, grammar).nbest[0].text == "remove aliens"


def test_what_was_denied_is_not_offered_again(grammar: StateGrammar) -> None:
    best = Reading.guess(removing("Alien"), "remove Alien", 0.8)
    nbest = heard(("remove alien", 0.8, Accept.CONFIRM), ("remove aliens", 0.6, Accept.CONFIRM))
    first = kept(nbest, grammar, Interpretation(best)).denying()
    assert first.denied == (removing("Alien"),)
    both = fused(first, HERE, nbest, grammar)
    assert [h.text for h in both.nbest] == ["remove aliens"]
    sure = heard(("remove alien", 0.97, Accept.ACCEPT))
    assert fused(first, HERE, sure, grammar).cause is Cause.NO_MATCH


def test_what_was_accepted_comes_first_whatever_was_heard_before(grammar: StateGrammar) -> None:
    first = kept(heard(("remove vertigo", 0.9, Accept.CONFIRM)), grammar)
    again = heard(("remove nosferatu", 0.96, Accept.ACCEPT), ("remove vertigo", 0.95, Accept.CONFIRM))
    assert fused(first, HERE, again, grammar) is again


def test_a_denied_request_is_no_answer_to_the_question_that_follows() -> None:
    denied = (removing("Alien"),)
    assert is_denied(Meaning(ANSWER, {"title": SlotValue("alien", "Alien")}), denied)
    assert not is_denied(Meaning(ANSWER, {"title": SlotValue("aliens", "Aliens")}), denied)
    assert not is_denied(None, denied)
    two = Meaning("move_to", {"title": SlotValue("alien", "Alien"), "position": SlotValue(3, "three")})
    assert not is_denied(Meaning(ANSWER, {"title": SlotValue("alien", "Alien")}), (two,))


def test_an_interpretation_without_what_was_denied_is_its_rival_in_doubt() -> None:
    alien, aliens = (Reading(removing(t), f"remove {t}", 0.9) for t in ("Alien", "Aliens"))
    left = undenied(Interpretation(alien, aliens, "grammar"), (alien.meaning,))
    assert left.best is not None and left.best.meaning == aliens.meaning and not left.best.sure and left.rival is None
    assert undenied(Interpretation(alien), (alien.meaning,)) == NOTHING
    both = Interpretation(alien, aliens)
    assert undenied(both, ()) is both


def test_a_sure_answer_is_no_attempt(grammar: StateGrammar) -> None:
    best = Reading(removing("Vertigo"), "remove Vertigo", 0.97)
    assert attempt(HERE, heard(("remove vertigo", 0.97, Accept.ACCEPT)), Interpretation(best), grammar, None) is None


def test_denials_last_until_something_is_sure(grammar: StateGrammar) -> None:
    best = Reading.guess(removing("Alien"), "remove Alien", 0.8)
    first = kept(VAGUE, grammar, Interpretation(best)).denying()
    second = attempt(HERE, VAGUE, NOTHING, grammar, first)
    assert second is not None and second.denied == first.denied
    elsewhere = attempt("titles.other", VAGUE, NOTHING, grammar, first)
    assert elsewhere is not None and elsewhere.denied == ()
