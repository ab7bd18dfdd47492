"""Yes and no with shades: a soft one fills a question with doubt, is asked about before anything is done, and a "maybe"
is another thing than nothing understood."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import Perform
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from tests.unit.dialogue.talk import HUMAN, ROOT, Talk, made

FLOW = """
flow: gift
start: wrapped
variables:
  wrap: boolean
states:
  wrapped: {ask: wrap, prompt: "Shall we wrap it?", goto: order}
  order:
    action: gift.order
    with: {wrap: wrap}
    confirm: {policy: %s, prompt: "Sure about {wrap}?", no: {goto: wrapped, clear: [wrap]}}
    on: {ok: done, failed: human, timeout: human}
  done: {prompt: "Done.", end: resolved}
"""
ORDER = {"gift.order": ActionSignature("gift.order", (Parameter("wrap", "boolean"),), risk="reversible")}


def gift(language: str = "en-US", policy: str = "auto") -> Talk:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    library = made({"gift.yaml": FLOW % policy, "human.yaml": HUMAN, **universals}, ORDER)
    return Talk(library, entry="gift", language=language, perform=False)


def ordered(talk: Talk) -> list[object]:
    return [e.arguments["wrap"] for e in talk.effects if isinstance(e, Perform)]


@pytest.mark.parametrize(
    ("said", "language", "value"),
    [
        ("yes", "en-US", True),
        ("sure, why not", "en-US", True),
        ("nope", "en-US", False),
        ("sí", "es-ES", True),
        ("no gracias", "es-ES", False),
    ],
)
def test_a_plain_one_acts(said: str, language: str, value: bool) -> None:
    talk = gift(language)
    talk.say(said)
    assert ordered(talk) == [value]


@pytest.mark.parametrize(
    ("said", "language", "value"),
    [
        ("I think so", "en-US", True),
        ("um, probably", "en-US", True),
        ("I guess", "en-US", True),
        ("probably not", "en-US", False),
        ("creo que sí", "es-ES", True),
        ("supongo", "es-ES", True),
        ("no mucho", "es-ES", False),
        ("me parece que no", "es-ES", False),
    ],
)
def test_a_soft_one_fills_and_is_asked_about_before_anything_is_done(said: str, language: str, value: bool) -> None:
    talk = gift(language)
    talk.say(said)
    assert "Sure about" in talk.said
    assert ordered(talk) == []
    talk.say("yes" if language == "en-US" else "sí")
    assert ordered(talk) == [value]


@pytest.mark.parametrize(
    ("said", "language", "words"),
    [
        ("maybe", "en-US", "Take your time."),
        ("well, I'm not sure", "en-US", "Take your time."),
        ("I don't know", "en-US", "Take your time."),
        ("puede ser", "es-ES", "Tómese su tiempo."),
        ("no sé", "es-ES", "Tómese su tiempo."),
    ],
)
def test_undecided_is_no_failure_to_understand(said: str, language: str, words: str) -> None:
    talk = gift(language)
    asked = talk.said
    talk.say(said)
    assert talk.said.startswith(words)
    assert "Shall we wrap it?" in asked and "Shall we wrap it?" in talk.said
    talk.say("yes" if language == "en-US" else "sí")
    assert ordered(talk) == [True]


def test_undecided_again_and_again_gets_keys_and_then_a_human() -> None:
    talk = gift()
    talk.say("maybe")
    talk.say("maybe")
    assert "Take your time." not in talk.said and "For yes, press one." in talk.said
    talk.say("maybe")
    assert "Connecting" in talk.said


@pytest.mark.parametrize(("answer", "done"), [("yes", [True]), ("no", [])])
def test_a_soft_yes_to_a_confirmation_is_asked_about(answer: str, done: list[bool]) -> None:
    talk = gift(policy="explicit")
    talk.say("yes")
    talk.say("I guess so")
    assert talk.said == "Is that a yes?"
    assert ordered(talk) == []
    talk.say(answer)
    assert ordered(talk) == done


def test_a_soft_yes_to_a_confirmation_in_spanish() -> None:
    talk = gift("es-ES", "explicit")
    talk.say("sí")
    talk.say("supongo que sí")
    assert talk.said == "¿Eso es un sí?"
    talk.say("no mucho")
    assert ordered(talk) == [] and "Shall we wrap it?" in talk.said
