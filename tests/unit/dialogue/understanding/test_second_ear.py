"""What two ears make of an utterance that the first one is unsure of: the rule as a table, then on the flows."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import Connect, Record, SpeechHeard
from ivr.dialogue.understanding.grammar import NOTHING, Interpretation, Meaning, Reading
from ivr.dialogue.understanding.second_ear import weighed
from ivr.events import Accept, Cause, Hypothesis, Recognition
from ivr.record import Understood
from tests.unit.dialogue.talk import Talk

ALIEN, VERTIGO, AGENT, RISK = (Meaning(name) for name in ("alien", "vertigo", "human", "risk.leaving"))


def doubt(meaning: Meaning, rival: Meaning | None = None, how: str = "grammar") -> Interpretation:
    return Interpretation(
        Reading.guess(meaning, "", 0.8), Reading.guess(rival, "", 0.78) if rival is not None else None, how
    )


def typed(meaning: Meaning, rival: Meaning | None = None, how: str = "grammar") -> Interpretation:
    """Understood of text: sure where it is word for word."""
    best = Reading(meaning, "", 1.0) if how == "grammar" else Reading.guess(meaning, "", 0.6)
    return Interpretation(best, Reading.guess(rival, "", 0.5) if rival is not None else None, how)


Row = tuple[Meaning | None, bool, Meaning | None, str]  # best, sure, rival, how
TABLE: list[tuple[str, Interpretation, Interpretation, Row]] = [
    ("sure", typed(ALIEN), typed(VERTIGO), (ALIEN, True, None, "grammar")),
    ("nothing twice", NOTHING, NOTHING, (None, False, None, "nothing")),
    ("only the second", NOTHING, typed(ALIEN), (ALIEN, False, None, "second-ear")),
    ("only the second, open", NOTHING, typed(ALIEN, VERTIGO), (ALIEN, False, VERTIGO, "second-ear")),
    ("only the second guesses", NOTHING, typed(ALIEN, how="likeness"), (ALIEN, False, None, "likeness")),
    ("only the second smells risk", NOTHING, typed(RISK, how="risk"), (RISK, False, None, "risk")),
    ("the second hears nothing", doubt(ALIEN), NOTHING, (ALIEN, False, None, "grammar")),
    ("the second only guesses", doubt(ALIEN), typed(ALIEN, how="likeness"), (ALIEN, False, None, "grammar")),
    ("and guesses otherwise", doubt(ALIEN), typed(VERTIGO, how="likeness"), (ALIEN, False, None, "grammar")),
    ("both word for word", doubt(ALIEN), typed(ALIEN), (ALIEN, True, None, "two-ears")),
    ("and the rival is out", doubt(ALIEN, VERTIGO), typed(ALIEN), (ALIEN, True, None, "two-ears")),
    ("but what the words leave open stays", doubt(ALIEN), typed(ALIEN, VERTIGO), (ALIEN, True, VERTIGO, "two-ears")),
    ("by the free transcript", doubt(ALIEN, how="transcript"), typed(ALIEN), (ALIEN, True, None, "two-ears")),
    ("a guess stays in doubt", doubt(ALIEN, how="likeness"), typed(ALIEN), (ALIEN, False, None, "likeness")),
    ("a guess comes second", doubt(ALIEN, how="likeness"), typed(VERTIGO), (VERTIGO, False, ALIEN, "second-ear")),
    ("the second is the rival", doubt(ALIEN), typed(VERTIGO), (ALIEN, False, VERTIGO, "grammar")),
    ("the rival wins", doubt(ALIEN, VERTIGO), typed(VERTIGO), (VERTIGO, False, ALIEN, "second-ear")),
    ("a human is wanted", doubt(AGENT), typed(ALIEN), (AGENT, False, None, "grammar")),
    ("a human is wanted, says the second", doubt(ALIEN), typed(AGENT), (AGENT, False, None, "second-ear")),
    ("says it of a risk", doubt(ALIEN), typed(RISK, how="risk"), (ALIEN, False, None, "grammar")),
]


@pytest.mark.parametrize(("first", "second", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_rule(first: Interpretation, second: Interpretation, expected: Row) -> None:
    found = weighed(first, second)
    best, rival = found.best, found.rival
    assert (best and best.meaning, best is not None and best.sure, rival and rival.meaning, found.how) == expected


def test_what_the_first_heard_denied_is_never_made_sure() -> None:
    assert weighed(doubt(ALIEN), typed(ALIEN), denied=True) == doubt(ALIEN)


@pytest.mark.parametrize("first", [row[1] for row in TABLE])
@pytest.mark.parametrize("second", [row[2] for row in TABLE])
def test_nothing_becomes_sure_but_what_both_read(first: Interpretation, second: Interpretation) -> None:
    found = weighed(first, second)
    if found.best is not None and found.best.sure and found != first:
        assert first.best is not None and second.best is not None and second.how == "grammar"
        assert found.best.meaning == first.best.meaning == second.best.meaning
    assert first.best is None or found.best is not None, "nothing that was understood is dropped"


# -- on the flows -----------------------------------------------------------------------------------------------


def unsure(said: str, *seconded: str, verdict: Accept = Accept.CONFIRM, transcript: str = "") -> SpeechHeard:
    cause = Cause.NO_MATCH if verdict is Accept.REJECT else Cause.SUCCESS
    hypothesis = Hypothesis(said, 0.6, None, verdict)
    return SpeechHeard(Recognition(cause, (hypothesis,), transcript or "mumble mumble", seconded=seconded))


def last(talk: Talk) -> Understood:
    return next(e.what for e in reversed(talk.effects) if isinstance(e, Record) and isinstance(e.what, Understood))


def test_what_both_ears_heard_is_done_without_a_question() -> None:
    asked = Talk().send(unsure("move vertigo to the top"))
    assert not asked.performed and "Move Vertigo to the top?" in asked.said
    done = Talk().send(unsure("move vertigo to the top", "Move Vertigo to the top, please."))
    assert [p.name for p in done.performed] == ["queue.move"]
    assert last(done).how == "two-ears" and not last(done).doubt


def test_two_ways_to_say_the_same_agree() -> None:
    talk = Talk().send(unsure("move vertigo to the top", "put vertigo first"))
    assert [p.name for p in talk.performed] == ["queue.move"]


def test_what_only_the_second_ear_heard_is_asked_about_and_told_in_its_words() -> None:
    talk = Talk().send(unsure("swap alien and vertigo", "Move Nosferatu to the top.", verdict=Accept.REJECT))
    assert not talk.performed and "Move Nosferatu to the top?" in talk.said
    assert (last(talk).text, last(talk).how, last(talk).doubt) == ("Move Nosferatu to the top.", "second-ear", True)


def test_two_ears_that_differ_are_both_offered() -> None:
    talk = Talk().send(unsure("move vertigo to the top", "move nosferatu to the top"))
    assert not talk.performed
    assert "Vertigo" in talk.said and "Nosferatu" in talk.said


def test_near_pairs_are_asked_about_although_both_ears_agree() -> None:
    talk = Talk().send(unsure("move alien to the top", "Move Alien to the top."))
    assert not talk.performed and "Move Alien to the top?" in talk.said


def test_an_irreversible_action_asks_all_the_same() -> None:
    talk = Talk().send(unsure("remove vertigo", "Remove Vertigo."))
    assert not talk.performed and "Take Vertigo out?" in talk.said


@pytest.mark.parametrize("written", ["4711", "four seven one one", "4, 7, 1, 1.", "47 11", "4,711", "4-7-1-1"])
def test_digits_agree_however_the_second_ear_writes_them(written: str) -> None:
    talk = Talk().send(unsure("my pin", "My PIN."))
    assert talk.dialogue.state == "titles.ask_pin"
    talk.send(unsure("4711", written, transcript="for seven one one"))
    assert talk.dialogue.state == "titles.menu" and last(talk).how == "two-ears" and not last(talk).doubt


def test_other_digits_are_asked_about() -> None:
    talk = Talk().send(unsure("my pin", "my pin")).send(unsure("4711", "4712", transcript="for seven one one"))
    assert talk.dialogue.state != "titles.menu" and last(talk).doubt


def test_numbers_agree() -> None:
    talk = Talk().send(unsure("move vertigo to number seven", "Move Vertigo to number 7."))
    assert [(p.name, p.arguments["position"]) for p in talk.performed] == [("queue.move", 7)]
    talk = Talk().send(unsure("move vertigo to number seven", "Move Vertigo to number 11."))
    assert not talk.performed


def test_the_second_ear_brings_a_human() -> None:
    talk = Talk().send(unsure("move alien to the top", "Agent."))
    assert any(isinstance(effect, Connect) for effect in talk.effects)


def test_a_denial_that_the_first_ear_heard_keeps_it_in_doubt() -> None:
    talk = Talk().send(
        unsure("move vertigo to the top", "move vertigo to the top", transcript="don't move vertigo to the top")
    )
    assert not talk.performed


def test_what_the_second_ear_heard_in_no_grammar_changes_nothing() -> None:
    with_it = Talk().send(unsure("move vertigo to the top", "The weather is lovely today."))
    without = Talk().send(unsure("move vertigo to the top"))
    assert with_it.said == without.said and with_it.performed == without.performed


@pytest.mark.parametrize(
    ("recognition", "unsure"),
    [
        (Recognition(Cause.SUCCESS, (Hypothesis("yes", 0.99, 0, Accept.ACCEPT),), "Yes."), False),
        (Recognition(Cause.SUCCESS, (Hypothesis("yes", 0.7, 0, Accept.CONFIRM),), ""), True),
        (Recognition(Cause.NO_MATCH, (Hypothesis("yes", 0.2, 0, Accept.REJECT),), "chess"), True),
        (Recognition(Cause.NO_MATCH, (), "chess"), True),
        (Recognition(Cause.RECOGNITION_TIMEOUT, (), "chess and so on"), True),
        (Recognition(Cause.NO_MATCH, (Hypothesis("yes", 0.1, 0, Accept.REJECT),), " "), False),  # a cough, a door
        (Recognition(Cause.ERROR), False),
        (Recognition(Cause.NO_INPUT_TIMEOUT), False),
    ],
)
def test_only_what_was_said_and_not_surely_heard_is_unsure(recognition: Recognition, unsure: bool) -> None:
    assert recognition.unsure is unsure
