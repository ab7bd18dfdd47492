"""Codes of letters and digits: spelt, in a spelling alphabet's words, keyed, read back; in both languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.engine.contract import Perform
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.dialogue.spoken.codes import code_of, code_readings, code_words, pattern_of
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.code_slot import CodeSlot, keys_of
from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import HUMAN, ROOT, Talk, made
from tests.unit.examples import examples

FLOW = """
flow: order
start: which
variables:
  order: {type: code, pattern: %s}
states:
  which: {ask: order, prompt: "Which order?", goto: look}
  look:
    action: order.look
    with: {order: order}
    confirm: {prompt: "<{order}>?", no: {goto: which, clear: [order]}}
    on: {ok: done, failed: human, timeout: human}
  done: {prompt: "Done.", end: resolved}
"""
LOOK = {"order.look": ActionSignature("order.look", (Parameter("order", "code"),), risk="reversible")}
BACK = "<B as in bravo, K as in kilo, one two three four>"


def order(pattern: str = "AA-9999", language: str = "en-US", *, keys_led: bool = False) -> Talk:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    library = made({"order.yaml": FLOW % pattern, "human.yaml": HUMAN, **universals}, LOOK)
    return Talk(library, entry="order", language=language, keys_led=keys_led, perform=False)


def looked(talk: Talk) -> object:
    return next(e.arguments["order"] for e in reversed(talk.effects) if isinstance(e, Perform))


@pytest.mark.parametrize(
    "said",
    [
        "b as in boy, k as in kilo, one two three four",
        "bravo kilo twelve thirty four",
        "my order is bravo king one two three four",
    ],
)
def test_words_of_an_alphabet_are_certain(said: str) -> None:
    talk = order()
    talk.say(said.replace("my order is", "it's"))
    assert looked(talk) == "BK-1234"


@pytest.mark.parametrize(
    "said", ["B K 1 2 3 4", "BK1234", "bk-1234", "bee kay one two three four", "the code is b k one two three four"]
)
def test_bare_letters_are_asked_about(said: str) -> None:
    talk = order()
    talk.say(said)
    assert BACK in talk.said
    talk.say("yes")
    assert looked(talk) == "BK-1234"


def test_in_spanish() -> None:
    talk = order(language="es-ES")
    talk.say("be de Barcelona, ka de kilo, uno dos tres cuatro")
    assert looked(talk) == "BK-1234"
    blurred = order(language="es-ES")
    blurred.say("be ka uno dos tres cuatro")
    assert "<B de barcelona, K de kilo, uno dos tres cuatro>" in blurred.said


def test_a_letter_is_its_key_and_its_place_on_it() -> None:
    talk = order(keys_led=True)
    assert "For each letter press its key, then its place on that key." in talk.said
    talk.key("22521234")
    assert looked(talk) == "BK-1234"


def test_keys_that_fit_no_pattern_are_refused() -> None:
    talk = order()
    talk.key("1234#")
    assert "Sorry, I didn't get that." in talk.said
    talk.key("22521234")
    assert looked(talk) == "BK-1234"


def test_what_never_changes_need_not_be_said() -> None:
    for said in ("one two three four", "bravo kilo one two three four"):
        talk = order("bk-9999")
        talk.say(said)
        assert looked(talk) == "BK-1234", said


def test_several_patterns() -> None:
    old = order("[AA-9999, '9999999']")
    old.say("one two three four five six seven")
    assert looked(old) == "1234567"
    new = order("[AA-9999, '9999999']")
    new.say("bravo kilo one two three four")
    assert looked(new) == "BK-1234"


def test_a_recogniser_s_letters_are_in_doubt_and_their_rival_is_offered() -> None:
    talk = order()
    near = [Hypothesis("BK1234", 0.93, None, Accept.ACCEPT), Hypothesis("DK1234", 0.91, None, Accept.ACCEPT)]
    talk.heard(Recognition(Cause.SUCCESS, nbest=(near[0],)))
    assert BACK in talk.said
    other = order()
    other.heard(Recognition(Cause.SUCCESS, nbest=tuple(near)))
    assert "B as in bravo" in other.said and "D as in delta" in other.said


def test_a_correction_by_another_code() -> None:
    talk = order()
    talk.say("b k one two three four")
    talk.say("no, delta kilo one two three four")
    assert "<D as in delta, K as in kilo, one two three four>" in talk.said
    talk.say("yes")
    assert looked(talk) == "DK-1234"


PATTERNS = st.text(alphabet="A9Xb-", min_size=1, max_size=9).filter(lambda text: set(text) & set("A9X"))


@examples(60)
@given(text=PATTERNS, data=st.data())
def test_every_code_is_understood_as_it_is_said_back_and_keyed_as_it_is_written(text: str, data: st.DataObject) -> None:
    pattern = pattern_of(text)
    characters = "".join(data.draw(st.sampled_from(place)) for place in pattern.open)
    code = pattern.written(characters)
    assert code is not None and code_of(code.lower(), [pattern]) == code
    for language in ("en-US", "es-ES"):
        said = fold(code_words(code, language), language)
        assert code in [each.code for each in code_readings(said, [pattern], language)], said
    slot = CodeSlot("en-US", (pattern,))
    keys = "".join(c if place.isdecimal() else keys_of(c) for c, place in zip(characters, pattern.open, strict=True))
    assert code in [value.value for value in slot.keyed(keys)]


@pytest.mark.parametrize("text", ["", "bk", "AA-1234", "AÑ99", "9" * 21])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match=r"A is any letter|more than"):
        pattern_of(text)


@pytest.mark.parametrize("said", ["b k one two three four five", "one b k one two three four", "b k one two three"])
def test_a_code_is_neither_cut_out_of_a_longer_one_nor_begun(said: str) -> None:
    talk = order()
    talk.say(said)
    assert "<" not in talk.said
