"""Yes and no with shades: a soft one fills a question with doubt, is asked about before anything is done, and a "maybe"
is another thing than nothing understood."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import Perform
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.events import Accept, Cause, Hypothesis, Recognition
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


def test_by_voice_the_free_ear_is_enough() -> None:
    """No grammar has these words where the line asks to confirm: only the transcript does."""
    talk = gift(policy="explicit")
    talk.say("yes")
    talk.heard(Recognition(Cause.NO_MATCH, transcript="i guess so"))
    assert talk.said == "Is that a yes?"
    talk.heard(Recognition(Cause.NO_MATCH, transcript="i'm not sure"))
    assert ordered(talk) == []


def test_a_recogniser_listens_for_soft_ones_where_a_yes_is_asked_for() -> None:
    talk = gift()
    talk.heard(Recognition(Cause.SUCCESS, (Hypothesis("i think so", 0.9, None, Accept.ACCEPT),)))
    assert "Sure about" in talk.said


def test_a_maybe_that_is_a_choice_of_the_designers_is_that() -> None:
    flow = """
flow: gift
start: ready
intents: {later: ["maybe", "later"]}
states:
  ready:
    prompt: "Now?"
    choices:
      - {intent: "yes", key: 1, label: "yes", goto: now}
      - {intent: "no", key: 2, label: "no", goto: never}
      - {intent: later, key: 3, label: "later", goto: then}
  now: {prompt: "Now.", end: resolved}
  never: {prompt: "Never.", end: resolved}
  then: {prompt: "Then.", end: resolved}
"""
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    library = made({"gift.yaml": flow, "human.yaml": HUMAN, **universals}, {})

    def said(*answers: str) -> str:
        talk = Talk(library, entry="gift", perform=False)
        for answer in answers:
            talk.say(answer)
        return talk.said

    assert said("maybe") == "Then."
    assert said("i think so") == "Is that a yes?"
    assert said("i think so", "yes") == "Now."
    assert said("i think so", "no") == said("probably not") == "Never."
