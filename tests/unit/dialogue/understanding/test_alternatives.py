"""Alternatives to a transcript: which are read, and what is made of them together."""

from __future__ import annotations

import pytest

from ivr.dialogue.understanding.alternatives import MOST_READ, fluency, likeliest
from ivr.dialogue.understanding.classifier import NONE
from ivr.dialogue.understanding.grammar import Interpretation
from ivr.dialogue.understanding.n_best import understand
from ivr.dialogue.understanding.risk import RiskWords
from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.understanding.test_mishearing import TAUGHT, Reader, grammar_with, words

GRAMMAR = grammar_with(Reader({}))


def heard(reader: Reader, transcript: str, *others: tuple[str, float]) -> Interpretation:
    rejected = (Hypothesis("sixty", 0.01, None, Accept.REJECT),)
    said = Recognition(Cause.NO_MATCH, rejected, transcript, alternatives=others)
    return understand(said, grammar_with(reader), RiskWords.of({}, {}, (), "en-US", {}))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("which one comes in the mail now", "which one comes in the meal now"),  # taught
        ("the disc froze in the second half", "the half froze in the second disc"),  # and in this order
        ("the meeting was moved", "the meeting was removed"),  # known
        ("talk about vertigo", "talk about where to go"),  # a title
        ("talk about rear window", "talk about real windows"),
    ],
)
def test_words_that_go_together_are_more_fluent(better: str, worse: str) -> None:
    assert fluency(words(better), GRAMMAR, TAUGHT) > fluency(words(worse), GRAMMAR, TAUGHT)


def test_how_the_words_go_together_counts_beside_how_they_sound() -> None:
    near = [(words("the meal"), 0.55), (words("the mail"), 0.45)]
    found = likeliest(near, GRAMMAR, TAUGHT)
    assert found[0][0] == ("the", "mail") and sum(share for _, share in found) == pytest.approx(1.0)
    far = [(words("the meal"), 0.99), (words("the mail"), 0.01)]
    assert likeliest(far, GRAMMAR, TAUGHT)[0][0] == ("the", "meal")


def test_few_alternatives_are_read_each_once_and_none_that_says_nothing() -> None:
    many = [((word,), 0.1) for word in ("one", "two", "three", "four", "five", "six", "seven")]
    assert len(likeliest(many, GRAMMAR, TAUGHT)) == MOST_READ
    odd = [(words("the mail"), 0.5), (words("the mail"), 0.3), ((), 0.2), (words("mail"), 0.0)]
    assert likeliest(odd, GRAMMAR, TAUGHT) == [(("the", "mail"), 1.0)]
    assert likeliest([], GRAMMAR, TAUGHT) == []


def test_what_only_an_alternative_means_is_asked_about() -> None:
    reader = Reader({NONE: 1.0}, "mail", {"next_title": 0.95, NONE: 0.05})
    gibberish = "which ones calm and thumb dome no"
    assert heard(reader, gibberish).best is None
    found = heard(reader, gibberish, (gibberish, 0.5), ("which one comes in the mail now", 0.5))
    assert found.best is not None and found.best.meaning.intent == "next_title"
    assert found.best.inferred and not found.best.sure and found.how == "inference"


def test_an_unlikely_alternative_means_nothing() -> None:
    reader = Reader({NONE: 1.0}, "mail", {"next_title": 0.95, NONE: 0.05})
    gibberish = "which ones calm and thumb dome no"
    assert heard(reader, gibberish, (gibberish, 0.999), ("some mail", 0.001)).best is None


def test_a_title_of_an_alternative_is_the_one_that_is_asked_about() -> None:
    reader = Reader({NONE: 1.0}, "remove", {"remove": 0.9, NONE: 0.1})
    found = heard(reader, "remote where it goes", ("remote where it goes", 0.5), ("please remove vertigo", 0.5))
    assert found.best is not None and found.best.meaning.intent == "remove"
    assert found.best.meaning.slots["title"].label == "Vertigo"
    assert "title" in found.best.doubtful


def test_nobody_is_led_out_by_an_alternative() -> None:
    reader = Reader({NONE: 1.0}, "staff", {"human": 0.95, NONE: 0.05})
    gibberish = "took to one of yours tough"
    found = heard(reader, gibberish, (gibberish, 0.5), ("i want to talk to one of your staff", 0.5))
    assert found.best is None


def test_what_the_transcript_itself_means_stays() -> None:
    reader = Reader({"next_title": 0.9, NONE: 0.1}, "scratch", {"report_disc": 1.0})
    plain = heard(reader, "which one comes in the mail now")
    assert plain.best is not None
    said = ("which one comes in the mail now", 0.4), ("the disc you mailed me has a scratch", 0.6)
    assert heard(reader, "which one comes in the mail now", *said) == plain
