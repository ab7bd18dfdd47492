"""Telephone numbers: said and keyed, read back in groups, corrected, and the one that the caller calls from."""

from __future__ import annotations

import pytest

from ivr.actions.http_answer import fitted
from ivr.dialogue.engine.contract import Perform
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.dialogue.flows.wording import filtered
from ivr.dialogue.spoken.phone import phone_number, phone_words
from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import HUMAN, ROOT, Talk, made

FLOW = """
flow: callback
start: which
variables:
  number: {type: phone%s}
states:
  which: {ask: number, prompt: "Which number?", goto: order}
  order:
    action: callback.order
    with: {number: number}
    confirm: {policy: explicit, prompt: "<{number}>?", no: {goto: which, clear: [number]}}
    on: {ok: done, failed: human, timeout: human}
  done: {prompt: "Done.", end: resolved}
"""
ORDER = {"callback.order": ActionSignature("callback.order", (Parameter("number", "phone"),))}
GROUPS = "<six one seven, five five five, zero one three four>"


def callback(options: str = "", language: str = "en-US", caller: str = "", *, keys_led: bool = False) -> Talk:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    library = made({"callback.yaml": FLOW % options, "human.yaml": HUMAN, **universals}, ORDER)
    facts = {"call.caller": caller} if caller else {}
    return Talk(library, entry="callback", language=language, facts=facts, keys_led=keys_led, perform=False)


def ordered(talk: Talk) -> object:
    return next(e.arguments["number"] for e in reversed(talk.effects) if isinstance(e, Perform))


@pytest.mark.parametrize(
    "said",
    [
        "six one seven five five five zero one three four",
        "my number is six one seven, triple five, oh one thirty four",
        "six seventeen five fifty five oh one thirty four",
        "617-555-0134",
        "it's six hundred seventeen five fifty five zero one thirty four",
    ],
)
def test_the_ways_people_say_one(said: str) -> None:
    talk = callback()
    talk.say(said)
    assert GROUPS in talk.said
    talk.say("yes")
    assert ordered(talk) == "6175550134"


@pytest.mark.parametrize(
    ("said", "back"),
    [
        (
            "seis uno siete cinco cinco cinco cero uno treinta y cuatro",
            "<seis uno siete, cinco cinco cinco, cero uno tres cuatro>",
        ),
        (
            "mi teléfono es el seiscientos doce treinta y cuatro cincuenta y seis diez",
            "<seis uno dos, tres cuatro cinco, seis uno cero>",
        ),
        (
            "más uno seis uno siete cinco cinco cinco cero uno tres cuatro",
            "<más uno, seis uno siete, cinco cinco cinco, cero uno tres cuatro>",
        ),
    ],
)
def test_spanish(said: str, back: str) -> None:
    talk = callback(language="es-ES")
    talk.say(said)
    assert back in talk.said


@pytest.mark.parametrize(
    "said",
    [
        "plus one six one seven five five five zero one three four",
        "my number is +1 617 555 0134",
        "+1 (617) 555-0134",
        "+16175550134",
    ],
)
def test_the_country_is_kept(said: str) -> None:
    talk = callback()
    talk.say(said)
    assert "<plus one, six one seven, five five five, zero one three four>" in talk.said
    talk.say("yes")
    assert ordered(talk) == "+16175550134"


@pytest.mark.parametrize(
    "said",
    [
        "+34 612 345 678",
        "más treinta y cuatro seiscientos doce tres cuatro cinco seis siete ocho",
        "cero cero treinta y cuatro seis uno dos tres cuatro cinco seis siete ocho",
    ],
)
def test_the_country_in_spanish(said: str) -> None:
    """Some dial 00 where others write a plus, and say it so."""
    talk = callback(language="es-ES")
    talk.say(said)
    assert "<más tres cuatro, seis uno dos, tres cuatro cinco, seis siete ocho>" in talk.said
    talk.say("sí")
    assert ordered(talk) == "+34612345678"


def test_keys_in_spanish() -> None:
    talk = callback(language="es-ES", keys_led=True)
    assert "Marque el número de teléfono" in talk.said
    talk.key("612345678#")
    assert "<seis uno dos, tres cuatro cinco, seis siete ocho>" in talk.said


def test_a_zero_first_is_a_human_here_too() -> None:
    talk = callback(keys_led=True)
    talk.key("0")
    assert "Connecting" in talk.said


def test_the_length_settles_what_a_pair_is() -> None:
    """Twenty five is 25, and where that is a digit short 20 and 5."""
    talk = callback(", length: 8")
    talk.say("one two three four five twenty five")
    assert "<one two three, four five two, zero five>" in talk.said


def test_another_length_is_not_taken() -> None:
    talk = callback(", length: 10")
    talk.say("five five five zero one three four")
    assert "<" not in talk.said
    talk.key("5550134#")
    assert "<" not in talk.said


def test_keys_are_the_same() -> None:
    talk = callback(keys_led=True)
    assert "Key the telephone number" in talk.said
    talk.key("6175550134#")
    assert GROUPS in talk.said
    talk.say("yes")
    assert ordered(talk) == "6175550134"


def test_a_recognisers_digits() -> None:
    talk = callback()
    assert talk.listen.grammar.speech.run is not None
    nbest = (Hypothesis("6175550134", 0.9, None, Accept.ACCEPT),)
    talk.heard(Recognition(Cause.SUCCESS, nbest))
    assert GROUPS in talk.said


def test_a_no_brings_the_right_one() -> None:
    talk = callback()
    talk.say("six one seven five five five zero one three five")
    talk.say("no, six one seven five five five zero one three four")
    assert GROUPS in talk.said


@pytest.mark.parametrize(
    ("said", "language"),
    [("the number I'm calling from", "en-US"), ("this number", "en-US"), ("el número desde el que llamo", "es-ES")],
)
def test_the_number_they_call_from(said: str, language: str) -> None:
    talk = callback(language=language, caller="+16175550134")
    talk.say(said)
    assert "<" in talk.said
    talk.say("yes" if language == "en-US" else "sí")
    assert ordered(talk) == "+16175550134"


def test_a_withheld_number_is_none() -> None:
    talk = callback()
    talk.say("the number I'm calling from")
    assert "<" not in talk.said


def test_values_of_services_and_the_filter() -> None:
    assert fitted("(617) 555-0134", "phone") == phone_number("617 555.0134") == "6175550134"
    assert filtered("+16175550134", "phone", "", "en-US") == phone_words("+16175550134", "en-US")
    assert phone_words("612345678", "es-ES") == "seis uno dos, tres cuatro cinco, seis siete ocho"
    assert (
        phone_words("+353861234567", "en-US") == "plus three five three, eight six one, two three four, five six seven"
    )
    assert phone_number("00 34 612 345 678") == "+34612345678"
    for wrong in ("alice", "1" * 16, True, "", "00"):
        with pytest.raises(ValueError):
            phone_number(wrong)


@pytest.mark.parametrize(
    "said", ["2 617 555 0134", "six one seven five five five oh one three four two", "6175550134 8"]
)
def test_a_number_that_is_too_long_is_not_cut_short(said: str) -> None:
    talk = callback(", length: 10")
    talk.say(said)
    assert "<" not in talk.said


@pytest.mark.parametrize(
    ("said", "number"),
    [("+44 20 7946 0958", "+442079460958"), ("double oh five five five one two three four", "+5551234")],
)
def test_figures_that_are_written_in_groups(said: str, number: str) -> None:
    """ "20 7946" is no twenty seven thousand."""
    talk = callback()
    talk.say(said)
    talk.say("yes")
    assert ordered(talk) == number


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "one two three four five six seven eight nine zero one two three four five six"),
        (", length: 9", "six one seven five five five zero one three four"),
    ],
)
def test_a_number_too_long_is_asked_again_not_cut(options: str, said: str) -> None:
    talk = callback(options)
    talk.say(said)
    assert "Which number?" in talk.said and "<" not in talk.said


def test_the_one_before_an_area_may_be_left_out() -> None:
    talk = callback(", length: 10")
    talk.say("one six one seven five five five zero one three four")
    assert GROUPS in talk.said
