"""What is denied beside what is meant, and what is meant without what the flow can't do without."""

from __future__ import annotations

import pytest

from ivr.dialogue.understanding.classifier import NONE
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.inference import inferred
from tests.unit.dialogue.talk import Talk, reference
from tests.unit.dialogue.understanding.test_mishearing import Reader, words


@pytest.mark.parametrize(
    "said",
    [
        "not Vertigo, Metropolis",
        "no, not Vertigo, Metropolis",
        "Metropolis, not Vertigo",
        "I said Metropolis",
        "no, I said Metropolis, not Vertigo",
    ],
)
def test_a_confirmation_is_corrected_by_what_is_meant_beside_what_is_not(said: str) -> None:
    talk = Talk().say("remove Vertigo").say(said)
    assert talk.said == "Take Metropolis out?" and not talk.performed


@pytest.mark.parametrize("said", ["no Vertigo, Metropolis", "Metropolis, no Vertigo", "no, dije Metropolis"])
def test_so_it_is_in_spanish(said: str) -> None:
    talk = Talk(reference(), entry="queue", language="es-ES", perform=False).say("quite Vertigo").say(said)
    assert talk.said == "¿Quito Metropolis de su lista?" and not talk.performed


def test_a_request_is_asked_about_where_something_in_it_is_denied() -> None:
    talk = Talk().say("move Metropolis, not Vertigo, to the top")
    assert talk.said == "Move Metropolis to the top?" and not talk.performed


def test_a_place_is_one_and_not_the_other() -> None:
    talk = Talk().say("put Vertigo at number blah").say("not number two, number three")
    assert talk.said == "Move Vertigo to number three?"


def test_what_is_only_denied_is_not_done() -> None:
    assert not Talk().say("remove Vertigo").say("not Vertigo").performed


def test_nothing_is_inferred_that_lacks_what_nobody_would_ask_for() -> None:
    """The way of "remove" begins with the question whether to take it out."""
    known = Talk().listen.grammar

    def found(intent: str) -> list[str]:
        reader = Reader({intent: 0.9, NONE: 0.1})
        grammar = StateGrammar(known.outline, known.slots, known.language, known.concepts, reader)
        return [reading.meaning.intent for reading in inferred(words("could this one be gone"), grammar, reader)]

    assert found("move_to_top") == ["move_to_top"] and found("remove") == []
