"""Emergencies: a risk that is taken at once however the sentence goes on, and a choice that is a sign of it."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import Connect
from ivr.events import Accept, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import HUMAN, ROOT, Talk, made

FLOW = """
flow: practice
start: ask
variables:
  day: date
intents:
  book: [book an appointment, i need an appointment]
  %s
states:
  ask:
    prompt: "What can I do?"
    choices:
      - {intent: book, key: 1, label: "an appointment", goto: day}
      - {intent: %s, key: 2, label: "an emergency", goto: human, say: "I'm sorry to hear that."}
  day: {ask: day, prompt: "Which day?", goto: done}
  done: {prompt: "See you on {day}.", end: resolved}
"""
RISK = """risks:
  emergency:
    at_once: %s
    phrases: [it's an emergency, emergency, my tooth is bleeding, it won't stop bleeding]
    keywords: [bleeding, blood]
    question: "Is it an emergency?"
    label: an emergency
    reason: an emergency
    skill: general
    priority: 10
"""
TRANSLATED = """
  emergency: [es una emergencia, me sangra un diente]
"""


PAIN = "pain: {phrases: [i'm in pain, it hurts], risk: emergency}"
CLOSE = Recognition(
    Cause.SUCCESS,
    nbest=(
        Hypothesis("it hurts", 0.8, None, Accept.ACCEPT),
        Hypothesis("it's an emergency", 0.79, None, Accept.ACCEPT),
    ),
)


def practice(
    *, at_once: bool = True, choice: str = "emergency", own: str = "", language: str = "en-US", keys_led: bool = False
) -> Talk:
    universals = (ROOT / "flows" / "universals.yaml").read_text(encoding="utf-8")
    universals = universals.replace("risks:\n", RISK % str(at_once).lower(), 1)
    spanish = (ROOT / "flows" / "universals.es-ES.yaml").read_text(encoding="utf-8")
    spanish = spanish.replace("intents:\n", f"intents:{TRANSLATED}", 1)
    sources = {"practice.yaml": FLOW % (own, choice), "human.yaml": HUMAN, "universals.yaml": universals}
    library = made({**sources, "universals.es-ES.yaml": spanish}, {})
    return Talk(library, entry="practice", language=language, keys_led=keys_led)


def connected(talk: Talk) -> Connect:
    return next(effect for effect in talk.effects if isinstance(effect, Connect))


def transcribed(talk: Talk, said: str) -> Talk:
    """Nothing of the grammar was recognised: only the free transcript has it."""
    return talk.heard(Recognition(Cause.NO_MATCH, transcript=said))


@pytest.mark.parametrize(
    "said",
    [
        "my tooth is bleeding",
        "my tooth is bleeding badly",
        "oh no my tooth is bleeding since this morning and it hurts",
    ],
)
@pytest.mark.parametrize("booking", [False, True])
@pytest.mark.parametrize("heard", ["typed", "transcribed"])
def test_a_phrase_brings_a_human_however_it_goes_on(said: str, booking: bool, heard: str) -> None:
    talk = practice()
    if booking:
        talk.key("1")
    if heard == "typed":
        talk.say(said)
    else:
        transcribed(talk, said)
    assert "Is it an emergency?" not in talk.said
    assert (connected(talk).reason, connected(talk).skill, connected(talk).priority) == ("an emergency", "general", 10)
    assert connected(talk).said == said


def test_in_spanish_too() -> None:
    talk = transcribed(practice(language="es-ES"), "me sangra un diente desde ayer")
    assert connected(talk).reason == "an emergency"


def test_what_denies_it_and_a_keyword_alone_bring_nobody() -> None:
    talk = practice()
    talk.say("it's not an emergency")
    assert not any(isinstance(effect, Connect) for effect in talk.effects)
    talk.say("there was some blood on it")
    assert "Is it an emergency?" in talk.said
    talk.say("yes")
    assert connected(talk).said == "there was some blood on it"


def test_other_risks_ask_where_a_phrase_goes_on() -> None:
    talk = practice(at_once=False)
    talk.say("my tooth is bleeding badly")
    assert "Is it an emergency?" in talk.said


def test_its_key_and_its_words_are_one_choice() -> None:
    keyed = practice()
    keyed.key("2")
    said = practice()
    said.say("it's an emergency")
    asked = practice(at_once=False)
    asked.say("my tooth is bleeding badly")
    asked.say("yes")
    for talk in (keyed, said, asked):
        assert "I'm sorry to hear that." in talk.said
        need = connected(talk)
        assert (need.reason, need.skill, need.priority) == ("an emergency", "general", 10)
    assert connected(said).said == "it's an emergency"
    assert connected(asked).said == "my tooth is bleeding badly"


def test_an_intent_that_is_a_sign_of_it_is_the_same_reading() -> None:
    for said in ("it hurts", "it's an emergency"):
        talk = practice(choice="pain", own=PAIN)
        talk.say(said)
        assert "I'm sorry to hear that." in talk.said and connected(talk).reason == "an emergency", said
    close = practice(choice="pain", own=PAIN)
    close.heard(CLOSE)
    assert "Did you mean" not in close.said and connected(close).reason == "an emergency"


def test_so_it_is_at_another_question() -> None:
    talk = practice(choice="pain", own=PAIN)
    talk.key("1")
    talk.heard(CLOSE)
    assert "Did you mean" not in talk.said and connected(talk).reason == "an emergency"


def test_the_key_menu_names_it() -> None:
    talk = practice(keys_led=True)
    assert "For an emergency, press two." in talk.said
