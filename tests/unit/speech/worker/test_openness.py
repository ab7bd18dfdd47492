"""Which sentences may go on, and what silence ends an utterance accordingly."""

from __future__ import annotations

import pytest

from ivr.events import Accept, Cause, Hypothesis, Recognition
from ivr.ports import CharacterRun, SpeechGrammar
from ivr.speech.worker.manner import Measured
from ivr.speech.worker.openness import BEGUN_S, DETACHED_S, DIGITS_S, EARLY_S, OPEN_S, Completion, Openness

TOP, REMOVE, NEXT, YES, NO, BYE, PLACE = range(7)
GRAMMAR = SpeechGrammar(
    "g",
    "en-US",
    ("what's next", "what is next", "yes", "yes please", "yep", "no", "no what's next", "no thanks", "bye"),
    templates=(
        ("move", "{title}", "to", "the", "top"),
        ("move", "{title}", "to", "the", "top", "of", "my", "queue"),
        ("move", "{title}", "to", "number", "{position}"),
        ("move", "{title}"),
        ("remove", "{title}"),
        ("remove", "{title}", "from", "my", "queue"),
    ),
    slots=(
        ("title", ("alien", "aliens", "the godfather", "the godfather part two")),
        ("position", ("two", "twenty two")),
    ),
    means=(NEXT, NEXT, YES, YES, YES, NO, NEXT, BYE, BYE, TOP, TOP, PLACE, PLACE, REMOVE, REMOVE),
)


def heard(text: str, verdict: Accept = Accept.ACCEPT, transcript: str | None = None) -> Recognition:
    cause = Cause.NO_MATCH if verdict is Accept.REJECT else Cause.SUCCESS
    said = text.capitalize() + "." if transcript is None else transcript
    return Recognition(cause, (Hypothesis(text, 0.9, None, verdict),), said)


@pytest.mark.parametrize(
    ("text", "completion"),
    [
        ("move alien to the top", Completion.CLOSED),  # "... of my queue" is the same
        ("move alien to the top of my queue", Completion.CLOSED),
        ("remove alien", Completion.CLOSED),
        ("what's next", Completion.CLOSED),
        ("yes", Completion.CLOSED),
        ("move alien", Completion.OPEN),  # one more value
        ("remove the godfather", Completion.OPEN),  # the middle of a longer value
        ("remove the godfather part two", Completion.CLOSED),
        ("move alien to number two", Completion.CLOSED),
        ("no", Completion.OPEN),  # "no thanks" ends the call
        ("move", Completion.BEGUN),
        ("move the", Completion.BEGUN),
        ("move alien to number", Completion.BEGUN),
        ("move alien to number twenty", Completion.BEGUN),
        ("good morning", Completion.NONE),
        ("", Completion.NONE),
    ],
)
def test_completion(text: str, completion: Completion) -> None:
    assert Openness(GRAMMAR).completion(text) is completion


def test_what_only_another_sentence_may_follow_is_detached() -> None:
    phrases = ("no", "no what's next", "what's next")
    assert Openness(SpeechGrammar("d", "en-US", phrases, means=(0, 1, 1))).completion("no") is Completion.DETACHED


def test_a_grammar_that_tells_no_meanings_ends_nothing_early() -> None:
    openness = Openness(SpeechGrammar("n", "en-US", ("yes", "no")))
    assert openness.completion("yes") is Completion.NONE
    assert openness.silence_s(heard("yes"), 0.5) == 0.5


@pytest.mark.parametrize(
    ("recognition", "silence_s"),
    [
        (heard("move alien to the top"), EARLY_S),
        (heard("move alien to the top", Accept.CONFIRM), DETACHED_S),  # in doubt, and yet all of it
        (heard("move alien to the top", Accept.CONFIRM, "Move a lion to the tap."), 0.5),
        (heard("move alien to the top", Accept.CONFIRM, "Move alien to the."), BEGUN_S),
        (heard("move alien to the top", Accept.CONFIRM, "Prove alien to the tub, not."), 0.5),
        (heard("move alien", Accept.CONFIRM), OPEN_S),
        (heard("yes please", Accept.CONFIRM), 0.5),
        (heard("move alien to the top", Accept.CONFIRM, "Move a lean to"), OPEN_S),  # the rest was only guessed
        (heard("move alien to the top", Accept.ACCEPT, "Moved alien to the"), OPEN_S),
        (heard("remove alien", Accept.CONFIRM, "Move alien."), OPEN_S),  # what was written may go on
        (heard("remove alien", Accept.CONFIRM, "Move aliens to."), BEGUN_S),
        (heard("move alien"), OPEN_S),
        (heard("move alien to the top", transcript="Move alien to the top of."), BEGUN_S),
        (heard("move alien to the top", Accept.CONFIRM, "Move a line to the top of my"), BEGUN_S),
        (heard("move alien to the top", Accept.ACCEPT, "Move alien to the tub."), EARLY_S),
        (heard("move alien to the top", Accept.ACCEPT, "But it won't."), 0.5),  # accepted, and hardly that
        (heard("remove the godfather"), OPEN_S),
        (heard("yes"), EARLY_S),
        (heard("no"), DETACHED_S),
        (heard("bye"), DETACHED_S),  # a word alone may be the first of many
        (heard("bye", transcript="I"), 0.5),  # and a transcript that says something else is no agreement
        (heard("yes please", transcript="Yes, please!"), EARLY_S),
        (heard("remove alien", Accept.REJECT, "Move."), BEGUN_S),
        (heard("remove alien", Accept.REJECT, "Mooing"), 0.5),
        (Recognition(Cause.NO_MATCH, (), "move the"), BEGUN_S),
        (Recognition(Cause.NO_MATCH), 0.5),
    ],
)
def test_silence(recognition: Recognition, silence_s: float) -> None:
    assert Openness(GRAMMAR).silence_s(recognition, 0.5) == silence_s


@pytest.mark.parametrize(
    ("recognition", "snr_db", "speech_s", "silence_s"),
    [
        (heard("yes"), 40.0, 0.24, EARLY_S),
        (heard("yes"), 40.0, 0.18, OPEN_S),  # "Give ..."
        (heard("yep"), 40.0, 0.18, EARLY_S),  # which is short
        (heard("yes"), 18.0, 0.24, OPEN_S),  # "Add ...", in noise
        (heard("yes"), 18.0, 0.48, EARLY_S),
        (heard("yes"), 0.0, 0.0, EARLY_S),  # nothing was measured
        (heard("bye"), 40.0, 0.18, DETACHED_S),  # where no answer is given at once
        (heard("bye"), 18.0, 0.18, OPEN_S),
        (heard("bye", transcript="I"), 18.0, 0.18, OPEN_S),
        (heard("no"), 18.0, 0.24, OPEN_S),
        (heard("yes please"), 18.0, 0.27, OPEN_S),
        (heard("yes please"), 18.0, 0.36, EARLY_S),
        (heard("yes", Accept.CONFIRM), 18.0, 0.24, OPEN_S),
        (heard("bye", Accept.REJECT, "Get"), 18.0, 0.15, 0.5),  # what is not understood asks nothing
        (heard("move alien to the top"), 18.0, 0.3, EARLY_S),
    ],
)
def test_what_may_be_the_beginning_of_something_else_is_waited_for(
    recognition: Recognition, snr_db: float, speech_s: float, silence_s: float
) -> None:
    assert Openness(GRAMMAR).silence_s(recognition, 0.5, Measured(-20.0, snr_db, 120.0, speech_s)) == silence_s


def test_only_a_yes_is_too_short_to_be_one() -> None:
    openness = Openness(GRAMMAR)
    assert openness.scant("yes", Measured(-20.0, 40.0, 120.0, 0.15))
    assert not openness.scant("yes", Measured(-20.0, 18.0, 120.0, 0.18))
    assert not openness.scant("yes", Measured())
    assert not openness.scant("bye", Measured(-20.0, 40.0, 120.0, 0.12))
    assert not openness.scant("no", Measured(-20.0, 40.0, 120.0, 0.12))
    assert not openness.scant("yep", Measured(-20.0, 40.0, 120.0, 0.15)), "which is as short as that"


def test_a_flow_that_asks_for_less_silence_gets_it() -> None:
    assert Openness(GRAMMAR).silence_s(heard("yes"), 0.1) == 0.1
    assert Openness(GRAMMAR).silence_s(heard("no"), 0.3) == 0.3


def test_digits_of_a_known_length_end_at_once_and_others_are_waited_for() -> None:
    known = Openness(SpeechGrammar("five", "en-US", (), CharacterRun(5, 5), means=(0,)))
    assert known.silence_s(heard("12345"), 0.8) == EARLY_S
    assert known.silence_s(heard("12345", Accept.CONFIRM), 0.8) == 0.8
    assert known.silence_s(heard("1234"), 0.5) == DIGITS_S
    unknown = Openness(SpeechGrammar("some", "en-US", (), CharacterRun(1, 8), means=(0,)))
    assert unknown.silence_s(heard("12345"), 0.5) == DIGITS_S


def test_a_rest_that_changes_nothing_is_known_by_its_words_however_badly_written() -> None:
    openness = Openness(GRAMMAR)
    assert openness.goes_on("move alien to the top", "of my queue.")
    assert openness.goes_on("move alien to the top", "Of my cue.")
    assert openness.goes_on("remove alien", "From my")
    assert openness.goes_on("remove alien", "My cue.")
    assert not openness.goes_on("move alien to the top", "No, what's next?")
    assert not openness.goes_on("move alien", "to number two")
    assert not openness.goes_on("move alien to the top", "")


def test_what_was_written_may_go_on_though_all_of_what_is_in_doubt_was_said() -> None:
    templates = (("remove", "the", "{title}"), ("move", "the", "{title}", "to", "the", "top"))
    slots = (("title", ("third man",)),)
    openness = Openness(SpeechGrammar("t", "en-US", (), None, templates, slots, means=(0, 1)))
    assert openness.silence_s(heard("remove the third man", Accept.CONFIRM), 0.5) == DETACHED_S
    assert openness.silence_s(heard("remove the third man", Accept.CONFIRM, "Move the third man."), 0.5) == BEGUN_S


def test_who_says_the_same_once_more_says_nothing_new() -> None:
    openness = Openness(SpeechGrammar("s", "en-US", ("yes", "do it", "no"), means=(0, 0, 1)))
    assert openness.goes_on("yes", "Do it.", "do it")
    assert not openness.goes_on("yes", "No.", "no")


def test_a_sentence_of_its_own_is_no_rest_because_one_sounds_a_little_like_it() -> None:
    phrases = ("no", "no that's not it", "what's next")
    openness = Openness(SpeechGrammar("o", "en-US", phrases, means=(0, 0, 1)))
    assert openness.goes_on("no", "That's next.")
    assert not openness.goes_on("no", "What's next?", "what's next")
    assert openness.goes_on("no", "That's not it.", "that's it")
