"""Dictation: where a state asks for a text, what the caller says is the text."""

from __future__ import annotations

from ivr.dialogue.flows.phrases import parse_phrase
from ivr.dialogue.understanding.grammar import HUMAN, NOTHING, Interpretation, Meaning, Reading
from ivr.dialogue.understanding.grammar_compiler import Entry, Outline, StateGrammar
from ivr.dialogue.understanding.n_best import dictated
from ivr.events import Cause, Recognition

GRAMMAR = StateGrammar(Outline((Entry("help", parse_phrase("help me", "en-US"), 1),)), {}, "en-US")


def said(text: str) -> Recognition:
    return Recognition(Cause.NO_MATCH, transcript=text)


def test_what_is_said_is_the_value_with_doubt() -> None:
    best = dictated(NOTHING, said("Speaks slowly, and twice."), GRAMMAR, "note").best
    assert best is not None and best.meaning.slots["note"].value == "Speaks slowly, and twice."
    assert not best.sure and best.doubtful == {"note"}


def test_what_merely_resembles_a_phrase_is_dictated_all_the_same() -> None:
    guess = Interpretation(Reading.guess(Meaning("help"), "help me", 0.6), how="likeness")
    best = dictated(guess, said("help me with discs first"), GRAMMAR, "note").best
    assert best is not None and best.meaning.slots["note"].label == "help me with discs first"


def test_a_phrase_word_for_word_and_the_way_to_a_human_go_first() -> None:
    exact = Interpretation(Reading(Meaning("help"), "help me", 1.0), how="grammar")
    assert dictated(exact, said("help me"), GRAMMAR, "note") is exact
    human = Interpretation(Reading.guess(Meaning(HUMAN), "agent", 0.6), how="likeness")
    assert dictated(human, said("agents should speak slowly"), GRAMMAR, "note") is human


def test_silence_is_no_text() -> None:
    assert dictated(NOTHING, said("  "), GRAMMAR, "note") is NOTHING
