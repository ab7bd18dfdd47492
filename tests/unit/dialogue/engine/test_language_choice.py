"""The language of a call: chosen by the caller, by an edge, by a dropped call; heard with doubt; values called anew."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from ivr.dialogue.engine.contract import ActionDone, Installed, Listen, LoadResume, Perform, ResumeLoaded, Say, Start
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.events import Accept, ActionResult, Cause, Hypothesis, Recognition
from tests.unit.dialogue.talk import NOW, SIGNATURES, Talk, made, reference, small

FLOW = """
flow: titles
start: count
variables:
  position: {type: number, min: 1, max: 500}
  kind: {type: choice, values: {old: [old, ancient], new: [new]}}
states:
  count: {ask: position, prompt: "How many?", goto: which}
  which: {ask: kind, prompt: "Old or new?", goto: told}
  told:
    prompt: "{position} {kind} ones."
    goto: over
  over:
    prompt: "Go on?"
    choices:
      - {intent: "yes", key: 1, label: "go on", goto: spanish, language: es-ES, say: "In Spanish now."}
      - {intent: "no", key: 2, label: "stop", goto: oregon, persona: oregon}
  spanish: {prompt: "{position} {kind}.", goto: over}
  oregon: {prompt: "Howdy.", goto: over}
"""
SPANISH = """
wording: titles
language: es-ES
prompts:
  told: "{position} {kind}."
  which: "¿Viejas o nuevas?"
  over: "¿Seguimos?"
  spanish: "{position} {kind} ahora."
values:
  kind: {old: [viejas], new: [nuevas]}
"""
OREGON = """
wording: titles
language: en-US
persona: oregon
prompts: {over: "Want to go on?"}
"""


def talk() -> Talk:
    sources = {n: t for n, t in small().sources.items() if n.startswith(("universals", "human"))}
    library = made(
        {**sources, "titles.yaml": FLOW, "titles.es-ES.yaml": SPANISH, "titles.en-US.oregon.yaml": OREGON}, SIGNATURES
    )
    return Talk(library)


def languages(said: Talk) -> list[str]:
    return [effect.language for effect in said.last if isinstance(effect, Say)]


def doubtful(text: str) -> Recognition:
    return Recognition(Cause.SUCCESS, (Hypothesis(text, 0.6, None, Accept.CONFIRM),), "in a fernal")


def test_an_edge_changes_words_voice_grammar_and_what_values_are_called() -> None:
    call = talk()
    call.say("seven").say("ancient").say("yes")
    assert call.said == "In Spanish now. siete viejas ahora. ¿Seguimos?"
    assert languages(call) == ["en-US", "es-ES"]
    assert call.listen.grammar.speech.language == "es-ES"
    assert "sí" in call.listen.grammar.speech.phrases or "si" in call.listen.grammar.speech.phrases
    assert call.dialogue.facts["call.language"] == call.dialogue.language == "es-ES"
    assert call.dialogue.slots == {"position": 7, "kind": "old"}


def test_an_edge_changes_the_persona_alone() -> None:
    call = talk()
    call.say("seven").say("new").say("no")
    assert call.said == "Howdy. Want to go on?"
    assert call.dialogue.language == "en-US"


@pytest.mark.parametrize("state", ["count", "which"])
def test_the_question_is_asked_again_and_nothing_is_forgotten(state: str) -> None:
    call = talk()
    if state == "which":
        call.say("three")
    call.say("spanish")
    assert call.dialogue.state == f"titles.{state}"
    assert "Bien, en español." in call.said
    assert call.dialogue.facts["call.language_chosen"] is True


def test_a_language_heard_with_doubt_is_offered_in_it() -> None:
    call = talk().heard(doubtful("en español"))
    assert (call.said, languages(call)) == ("Para español, oprima uno.", ["es-ES"])
    assert call.listen.grammar.speech.language == "en-US"
    assert call.key("1").said.startswith("Bien, en español.")


def test_offered_it_may_be_declined() -> None:
    call = talk().heard(doubtful("en español")).say("no")
    assert (call.said, call.dialogue.language) == ("How many?", "en-US")
    assert call.say("four").dialogue.state == "titles.which"


def test_who_says_it_twice_means_it() -> None:
    call = talk().heard(doubtful("en español")).heard(doubtful("español"))
    assert call.dialogue.language == "es-ES"


def test_a_human_is_one_key_away_while_it_is_offered() -> None:
    assert talk().heard(doubtful("en español")).key("0").connect.reason == "asked"


def test_choosing_what_is_spoken_already_only_repeats() -> None:
    call = talk().key("*4")
    assert (call.said, call.dialogue.language) == ("How many?", "en-US")


def dialogue(
    recognised: Collection[str] | None = None, spoken: Collection[str] | None = None, *, keys_led: bool = False
) -> Dialogue:
    return Dialogue(reference(), Start("x", keys_led=keys_led, installed=Installed(recognised, spoken)))


def test_a_call_is_led_by_keys_where_nothing_recognises_its_language() -> None:
    assert dialogue(recognised=("es",)).keys_led
    assert not dialogue(recognised=("en-GB",)).keys_led
    assert not dialogue().keys_led
    assert dialogue(keys_led=True).keys_led


def test_a_line_without_a_voice_for_it_does_not_offer_it() -> None:
    def greeting(spoken: tuple[str, ...] | None) -> list[str]:
        return [e.language for e in dialogue(spoken=spoken).begin(NOW) if isinstance(e, Say)]

    assert greeting(None) == ["en-US", "es-ES"]
    assert greeting(("en-US",)) == ["en-US"]


def test_a_dropped_call_is_taken_up_in_its_language() -> None:
    before = Talk(reference(), entry="main", perform=False)
    found = {
        "version": "x",
        "state": "main.ask",
        "identity": "likely",
        "language": "es-ES",
        "persona": "neutral",
        "stack": [],
    }
    perform = next(e for e in before.effects if isinstance(e, Perform))
    effects = before.dialogue.handle(ActionDone(perform.token, ActionResult("found")), NOW)
    load = next(e for e in effects if isinstance(e, LoadResume))
    effects = before.dialogue.handle(ResumeLoaded(load.token, found), NOW)
    assert [e.language for e in effects if isinstance(e, Say)] == ["es-ES"]
    assert [e.grammar.speech.language for e in effects if isinstance(e, Listen)] == ["es-ES"]
