"""What no phrase has word for word is asked about before anything is said, asked or done for it."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.next import Mode
from ivr.record import Decided
from tests.unit.dialogue.talk import Talk, small

INFERRED = "whats in my cue"


def asked() -> Talk:
    talk = Talk(perform=False).say(INFERRED)
    assert talk.dialogue.mode == Mode.MEANT and "Did you mean hear your queue?" in talk.said
    return talk


def test_nothing_comes_of_it_unasked() -> None:
    assert not asked().performed


def test_a_yes_does_it() -> None:
    assert [each.name for each in asked().say("yes").performed] == ["queue.read"]


def test_a_doubtful_yes_does_not() -> None:
    assert not asked().say("I guess so").performed


@pytest.mark.parametrize("answer", ["no", "2"])
def test_a_no_asks_the_question_again(answer: str) -> None:
    talk = asked()
    talk = talk.key(answer) if answer.isdigit() else talk.say(answer)
    assert talk.dialogue.state == "titles.menu" and talk.dialogue.mode == Mode.QUESTION and not talk.performed


def test_what_was_denied_is_not_offered_again() -> None:
    assert asked().say("no").say(INFERRED).dialogue.mode == Mode.QUESTION


def test_another_request_may_be_said_instead() -> None:
    talk = asked().say("no, remove Vertigo")
    assert "Take Vertigo out?" in talk.said and not talk.performed


def test_silence_and_repeat_ask_it_again() -> None:
    assert "Did you mean hear your queue?" in asked().silence().said
    assert "Did you mean hear your queue?" in asked().say("repeat").said


def test_a_human_is_one_word_and_one_key_away() -> None:
    assert asked().say("agent").connects and asked().key("0").connects


def test_what_is_confirmed_anyway_is_asked_once() -> None:
    talk = Talk().say("could you perhaps remove Nosferatu for good")
    assert talk.dialogue.mode in (Mode.CONFIRM, Mode.QUESTION) and not talk.performed


def test_starting_over_is_not_inferred_unasked() -> None:
    talk = Talk().say("start frm the beginning")
    assert talk.dialogue.mode == Mode.MEANT and "start" in talk.said
    assert talk.say("no").dialogue.mode == Mode.QUESTION


def test_it_is_told_apart_in_the_log() -> None:
    told = [e.what for e in asked().say("yes").effects if hasattr(e, "what") and isinstance(e.what, Decided)]
    assert [each.value for each in told if each.what == "meant"] == ["asked", True]


@pytest.mark.parametrize("said", ["option two", "number two", "press two"])
def test_a_choice_is_called_by_its_place(said: str) -> None:
    """Asked about, since the caller has not heard which number is which; then it is as if its key had been pressed."""
    talk = Talk(perform=False).say(said)
    assert "Did you mean hear your queue?" in talk.said
    assert talk.say("yes").dialogue.state == Talk(perform=False).key("2").dialogue.state


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("the second one", "en-US"),
        ("the last one", "en-US"),
        ("the second option", "en-US"),
        ("la segunda", "es-ES"),
        ("la segunda opción", "es-ES"),
        ("el último", "es-ES"),
        ("opción dos", "es-ES"),
    ],
)
def test_a_choice_of_few_is_called_by_its_ordinal(said: str, language: str) -> None:
    talk = Talk(facts={"hours.open": False}, language=language).key("0").say(said)
    assert "no call back" in talk.said and not talk.ends


def test_a_choice_by_its_place_is_sure_once_the_keys_were_said() -> None:
    talk = Talk(perform=False).say("blorb").say("blorb")
    assert "press two" in talk.said
    assert [each.name for each in talk.say("option two").performed] == ["queue.read"]


@pytest.mark.parametrize("said", ["there's somebody at the door", "a person is waiting outside", "my agent was late"])
def test_a_word_for_a_human_in_another_sentence_is_asked_about(said: str) -> None:
    talk = Talk(small()).say(said)
    assert not talk.connects and "Did you mean talking to somebody?" in talk.said
    assert talk.say("yes").connects


@pytest.mark.parametrize(
    "said", ["somebody please", "can somebody help me", "an agent", "no, an agent", "let me have a person", "um human"]
)
def test_a_wish_for_a_human_is_immediate(said: str) -> None:
    assert Talk(small()).say(said).connects


@pytest.mark.parametrize("said", ["alguien tocó la puerta", "hay una persona afuera"])
def test_a_word_for_a_human_in_another_sentence_in_spanish(said: str) -> None:
    talk = Talk(small(), language="es-ES").say(said)
    assert not talk.connects and "hablar con alguien" in talk.said


@pytest.mark.parametrize(
    "said", ["alguien por favor", "quiero hablar con una persona", "un agente", "necesito un agente"]
)
def test_a_wish_for_a_human_in_spanish_is_immediate(said: str) -> None:
    assert Talk(small(), language="es-ES").say(said).connects
