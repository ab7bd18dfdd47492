"""Titles that differ by a number: whatever could be another one's name is asked about, and what is said again, too."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.next import Mode
from ivr.dialogue.understanding.grammar import Reading
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.lexicon import Vocabulary, lexicon
from ivr.dialogue.understanding.slots import NumberSlot, Slot, TitleSlot
from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import Talk, terms
from tests.unit.dialogue.understanding.test_grammar_compiler import grammar

PHRASES = (
    ("place", "make {title} number {n}"),
    ("place", "ponga {title} en el número {n}"),
    ("top", "move {title} to the top"),
    ("add", "add {film}"),
)


def read(said: str, queue: tuple[str, ...], catalogue: tuple[str, ...], language: str = "en-US") -> Reading:
    def titles(labels: tuple[str, ...]) -> TitleSlot:
        return TitleSlot(Vocabulary([lexicon(terms(labels), language)]))

    slots: dict[str, Slot] = {"title": titles(queue), "film": titles(catalogue), "n": NumberSlot(1, 50, language)}
    found = grammar(*PHRASES, slots=slots)
    (reading,) = StateGrammar(found.outline, slots, language).read(said.split())
    return reading


@pytest.mark.parametrize("queue", [("Toy Story", "Toy Story 2"), ("Toy Story",)])
def test_a_title_that_goes_on_as_anothers_name_is_in_doubt(queue: tuple[str, ...]) -> None:
    """Whether the other one is in the queue or only in the catalogue."""
    reading = read("make toy story number two", queue, ("Toy Story", "Toy Story 2"))
    assert reading.meaning.slots["title"].label == "Toy Story" and reading.doubtful == {"title"}


def test_so_it_is_in_spanish() -> None:
    reading = read("ponga alien en el numero tres", ("Alien", "Alien 3"), (), "es-ES")
    assert reading.meaning.slots["title"].label == "Alien" and reading.doubtful == {"title"}


def test_what_goes_on_as_nothing_else_is_sure() -> None:
    assert not read("make jaws number two", ("Jaws", "Toy Story"), ("Toy Story 2",)).doubtful
    assert not read("make toy story number three", ("Jaws", "Toy Story"), ("Toy Story 2",)).doubtful
    assert not read("move toy story to the top", ("Toy Story",), ("Toy Story 2",)).doubtful


@pytest.mark.parametrize("said", ["move toy story number two to the top", "move toy story part two to the top"])
def test_sequels_are_called_by_number_and_part(said: str) -> None:
    assert read(said, ("Toy Story", "Toy Story 2"), ()).meaning.slots["title"].label == "Toy Story 2"


def _heard(*texts: str) -> Recognition:
    nbest = tuple(Hypothesis(text, 0.8 - 0.01 * place, None, Accept.CONFIRM) for place, text in enumerate(texts))
    return Recognition(Cause.SUCCESS, nbest, "", engine="test")


def test_a_request_that_is_said_again_between_two_is_confirmed() -> None:
    """Once heard surely, and once as close again."""
    both = ("put alien first", "put aliens first")
    for again in (_heard(*both), Recognition(Cause.SUCCESS, transcript=both[0])):
        talk = Talk().heard(_heard(*both))
        assert talk.dialogue.mode == Mode.CHOOSE
        talk.heard(again)
        assert talk.dialogue.mode == Mode.CONFIRM and "Move Alien to the top?" in talk.said and not talk.performed


def test_what_tells_the_two_apart_needs_no_more() -> None:
    talk = Talk().heard(_heard("put alien first", "put aliens first")).say("the first one")
    assert talk.performed[-1].arguments["title"] == "alien"
