"""Free transcripts against a grammar: what is accepted, what is asked about, what is left to understanding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.dialogue.flows.phrases import parse_phrase
from ivr.dialogue.understanding.grammar_compiler import Entry, Outline, StateGrammar
from ivr.dialogue.understanding.n_best import understand
from ivr.dialogue.understanding.risk import RiskWords
from ivr.events import Accept
from ivr.ports import SpeechGrammar
from ivr.speech.recognisers.free_transcript import Expected
from ivr.speech.recognisers.judgement import concluded

TITLES = ("casablanca", "north by northwest", "alien", "aliens", "amélie")
NUMBERS = ("three", "thirteen", "thirty")
GRAMMAR = SpeechGrammar(
    "g",
    "en-US",
    ("what's next", "agent", "yes", "no", "the third", "cancel my membership", "what is on tonight"),
    None,
    (
        ("move", "{film}", "to", "the", "top"),
        ("move", "{film}", "to", "number", "{n}"),
        ("swap", "{film}", "and", "{other}"),
    ),
    (("film", TITLES), ("n", NUMBERS), ("other", TITLES)),
    frozenset({"n"}),
)
FILMS = Expected(GRAMMAR)


def told(
    transcript: str, sureness: float | None = None, expected: Expected = FILMS
) -> list[tuple[str, int | None, Accept]]:
    return [(h.text, h.phrase, h.verdict) for h in expected.judged(transcript, sureness)]


@pytest.mark.parametrize(
    ("written", "text", "phrase"),
    [
        ("What's next?", "what's next", 0),
        ("Agent.", "agent", 1),
        ("The 3rd.", "the third", 4),
        ("MOVE CASABLANCA TO THE TOP", "move casablanca to the top", None),
        ("Move North by North West to the top.", "move north by northwest to the top", None),
        ("Swap Casablanca and Amelie.", "swap casablanca and amélie", None),
    ],
)
def test_what_is_there_word_for_word_is_accepted(written: str, text: str, phrase: int | None) -> None:
    if "North West" in written:  # two words where the grammar has one: nearly the same
        assert told(written) == [(text, phrase, Accept.CONFIRM)]
    else:
        assert told(written) == [(text, phrase, Accept.ACCEPT)]


def test_a_score_must_be_good_enough_and_better_for_a_word_alone() -> None:
    for text, verdicts in (("What's next?", "?++"), ("Agent.", "??+")):
        found = [told(text, sureness)[0][2] for sureness in (0.7, 0.85, 0.95)]
        assert found == [Accept.ACCEPT if verdict == "+" else Accept.CONFIRM for verdict in verdicts]
    (best,) = FILMS.judged("What's next?", 0.957)
    assert best.confidence == 0.957


@pytest.mark.parametrize(
    "written", ["Move alien to the top.", "Move Aliens to the top.", "Move Casablanca to number 3."]
)
def test_twins_and_numbers_are_asked_about(written: str) -> None:
    ((text, phrase, verdict),) = told(written, 0.99)
    assert text.startswith("move ") and (phrase, verdict) == (None, Accept.CONFIRM)


def test_one_value_twice_says_nothing() -> None:
    assert ("swap alien and alien", None, Accept.ACCEPT) not in told("Swap alien and alien.")


def test_what_is_near_is_asked_about_and_a_close_second_with_it() -> None:
    assert told("Move Cossab Lanka to the top.") == [("move casablanca to the top", None, Accept.CONFIRM)]
    assert told("Know.", 0.99) == [("no", 3, Accept.CONFIRM)]
    assert told("Cancelled my membership.", 0.99) == [("cancel my membership", 5, Accept.CONFIRM)]
    close = Expected(SpeechGrammar("c", "en-US", ("play the red train", "play the rod train", "stop")))
    assert {text for text, _, _ in told("Play the rad train.", expected=close)} == {
        "play the red train",
        "play the rod train",
    }
    levels = [h.confidence for h in close.judged("Play the rad train.", None)]
    assert levels == sorted(levels, reverse=True) and max(levels) <= 0.7


@pytest.mark.parametrize(
    "written",
    ["You", "Uh.", "♪♪♪", "", "I would like to order a pizza.", "Move the Godfather to the top.", "Yes no."],
)
def test_anything_else_is_no_hypothesis(written: str) -> None:
    assert told(written) == []


def test_a_language_that_nobody_has_written_here() -> None:
    german = Expected(SpeechGrammar("d", "de-DE", ("ja bitte", "nein", "größer", "film drei")))
    assert told("Ja, bitte!", expected=german) == [("ja bitte", 0, Accept.ACCEPT)]
    assert told("Größer.", expected=german) == [("größer", 2, Accept.ACCEPT)]
    chinese = Expected(SpeechGrammar("z", "zh-CN", ("好 电影", "不")))
    assert told("好电影。", expected=chinese) == [("好 电影", 0, Accept.ACCEPT)]


def test_two_hearings_agree_on_a_phrase_or_on_what_it_means() -> None:
    answers = Expected(SpeechGrammar("a", "en-US", ("yes", "yeah", "no", "yeah yeah"), means=(0, 0, 1, 0)))
    assert answers.same("Yes.", "Yes") and answers.same("Yes.", "Yeah") and not answers.same("Yeah", "Yeah, yeah.")
    assert (
        not answers.same("Yes.", "No.") and not answers.same("Yes.", "Yes, we have.") and not answers.same("You", "You")
    )
    assert FILMS.same("Move Casablanca to the top", "move casablanca to the top.") and not FILMS.same("yes", "no")


def test_one_ear_in_doubt_is_no_second_ear_for_itself() -> None:
    grammar = StateGrammar(Outline([Entry("play", parse_phrase("play [the] alien film", "en-US"))]), {}, "en-US")
    risks = RiskWords.of({}, {}, (), "en-US", {})
    expected = Expected(grammar.speech)
    for sureness, transcribed, sure in ((0.5, True, False), (0.95, True, True), (0.5, False, True)):
        nbest = expected.judged("Play the alien film.", sureness)
        heard = replace(concluded(nbest, "Play the alien film.", 1.5, 0.1, "test"), transcribed=transcribed)
        best = understand(heard, grammar, risks).best
        assert best is not None and best.meaning.intent == "play" and best.sure is sure
