"""What is secret is said to nobody but the caller: no record, transcript, variable, hand-over or snapshot shows it."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import Listen, Record, Say
from ivr.dialogue.flows.signature import ActionSignature
from ivr.events import MESSAGE_LEAVE, Accept, Cause, Hypothesis, Recognition
from ivr.record import Keyed
from tests.unit.dialogue.talk import HUMAN, ROOT, SIGNATURES, Talk, made

VAULT = """
flow: titles
start: ask
variables:
  pin: {type: digits, length: 4, secret: true, survive: true}
  copy: {type: text, survive: true}
  back: {type: text, survive: true}
  day: {type: date, survive: true}
intents:
  change: ["change my pin to {pin}", "my pin is {pin}"]
  again: ["say it again"]
  person: ["ask somebody about it"]
states:
  ask:
    ask: pin
    prompt: "What is your pin?"
    goto: hear
  hear:
    prompt: "I heard {pin}, that is {pin|digits} or {pin|spell}."
    set: {copy: pin}
    goto: deeper
  deeper:
    call: inner
    with: {number: copy}
    returns: {back: number}
    on: {done: menu}
  menu:
    prompt: "Copied: {copy}. Came back: {back}. What now?"
    choices:
      - {intent: change, goto: confirm}
      - {intent: person, key: 2, label: "ask about {pin}", goto: human, reason: "wants to talk about {back}"}
  confirm:
    action: queue.remove
    with: {title: pin}
    confirm: {policy: explicit}
    on: {ok: menu, failed: human, timeout: human}
"""
INNER = """
flow: inner
start: echo
parameters:
  number: {type: text, survive: true}
states:
  echo: {prompt: "Inside: {number}.", goto: done}
  done: {return: done, values: {number: number}}
"""
FORMS = ("4711", "4 7 1 1", "four seven one one", "47 11", "forty seven eleven", "0815", "oh eight one five")


def vault() -> Talk:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    sources = {"titles.yaml": VAULT, "inner.yaml": INNER, "human.yaml": HUMAN, **universals}
    return Talk(made(sources, SIGNATURES), perform=False)


def shown(talk: Talk) -> str:
    """All that anybody else than the caller gets to see."""
    records = [effect.what for effect in talk.effects if isinstance(effect, Record)]
    dialogue = talk.dialogue
    kept = (records, dialogue.transcript, dialogue.slots, dialogue.facts, dialogue.tried, dialogue.snapshot())
    return repr((*kept, talk.connects)).lower()


def is_hidden(talk: Talk) -> bool:
    return not any(form in shown(talk) for form in FORMS)


@pytest.mark.parametrize("way", ["keys", "speech"])
def test_a_secret_that_is_read_back_leaves_no_trace(way: str) -> None:
    talk = vault()
    talk = talk.key("4711") if way == "keys" else talk.say("four seven one one")
    for form in ("four seven one one", "Inside: four seven one one", "Came back: four seven one one"):
        assert form in talk.said, "the caller hears it"
    assert is_hidden(talk)
    assert "•••" in shown(talk)
    spoken = [w for e in talk.effects if isinstance(e, Say) for w in e.words if "four" in w.text]
    assert spoken and all(w.masked is not None and "four" not in w.masked for w in spoken), "nor may it be cached"


def test_a_secret_said_where_nobody_asked_for_it_is_hidden() -> None:
    talk = vault().key("4711").say("change my pin to zero eight one five")
    assert "eight one five" in talk.said, "the confirmation says it"
    assert is_hidden(talk)
    talk.say("no, four seven one one")
    assert is_hidden(talk)


def test_two_readings_of_a_secret_are_asked_about_in_private() -> None:
    both = [Hypothesis("four seven one one", 0.5), Hypothesis("zero eight one five", 0.49)]
    talk = vault().heard(Recognition(Cause.SUCCESS, nbest=tuple(both), transcript="four seven one one"))
    assert is_hidden(talk)
    talk.say("four seven one one")
    assert is_hidden(talk)


def listens(talk: Talk) -> Listen:
    return next(effect for effect in reversed(talk.effects) if isinstance(effect, Listen))


def test_what_is_said_where_a_secret_was_asked_for_is_heard_by_no_second_ear() -> None:
    talk = vault()
    assert listens(talk).private
    both = [Hypothesis("four seven one one", 0.5), Hypothesis("zero eight one five", 0.49)]
    talk.heard(Recognition(Cause.SUCCESS, nbest=tuple(both), transcript="four seven one one"))
    assert listens(talk).private, "which of the two?"
    assert not listens(Talk()).private


def test_what_is_dictated_or_left_as_a_message_is_heard_by_no_second_ear() -> None:
    flow = """
flow: titles
start: note
variables: {note: {type: text}}
states:
  note: {ask: note, prompt: "What is the new text?", goto: leave}
  leave: {action: message.leave, on: {ok: ended, empty: ended, failed: human, timeout: human}}
  ended: {prompt: "Goodbye.", end: completed}
"""
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    signatures = {**SIGNATURES, MESSAGE_LEAVE: ActionSignature(MESSAGE_LEAVE, (), ("ok", "empty"))}
    talk = Talk(made({"titles.yaml": flow, "human.yaml": HUMAN, **universals}, signatures), perform=False)
    assert listens(talk).private
    talk.say("my disc is scratched")
    assert talk.performed[-1].name == MESSAGE_LEAVE and listens(talk).private


def test_a_person_is_not_told_a_secret() -> None:
    talk = vault().key("4711").say("ask somebody about it")
    assert talk.connect.reason == "wants to talk about •••"
    assert is_hidden(talk)


def test_keys_ahead_of_a_question_are_not_shown() -> None:
    talk = vault().key("47").key("11")
    assert is_hidden(talk)


def test_a_secret_does_not_survive_a_dropped_call() -> None:
    talk = vault().key("4711").say("my pin is zero eight one five")
    assert is_hidden(talk)


CHECKED = """
flow: titles
start: ask
variables:
  pin: {type: digits, length: 4, secret: true}
  token: {type: text, secret: true}
intents:
  no_pin: ["i don't have one"]
  goes_on: ["go on"]
states:
  ask:
    ask: pin
    prompt: "What is your pin?"
    choices: [{intent: no_pin, label: "no pin", goto: menu}]
    goto: check
  check:
    http:
      service: pins
      path: "/pins/{pin}/check"
      body: {secret: pin}
      returns: {token: "/token"}
      risk: none
    confirm: {policy: explicit, prompt: "Shall I check it?"}
    on: {ok: menu, refused: {goto: ask, clear: [pin]}, failed: human, timeout: human}
  menu:
    prompt: "What now?"
    choices: [{intent: goes_on, key: 1, label: "going on", goto: menu}]
"""


def checked() -> Talk:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    return Talk(made({"titles.yaml": CHECKED, "human.yaml": HUMAN, **universals}, SIGNATURES), perform=False)


def doubtful(said: str) -> Recognition:
    return Recognition(Cause.SUCCESS, (Hypothesis(said, 0.5, None, Accept.CONFIRM),))


@pytest.mark.parametrize("side", ["español", "goodbye"])
@pytest.mark.parametrize("way", ["keys", "speech"])
def test_a_secret_told_at_a_side_question_is_hidden(side: str, way: str) -> None:
    talk = checked().heard(doubtful(side))
    assert talk.dialogue.mode in ("language", "goodbye"), "asked something else first"
    talk = talk.key("4711") if way == "keys" else talk.say("four seven one one")
    assert is_hidden(talk)
    assert not [e for e in keyed(talk) if e.isdigit()]


def test_a_secret_said_again_at_the_confirmation_is_hidden() -> None:
    talk = checked().key("4711")
    assert talk.said == "Shall I check it?"
    assert is_hidden(talk.say("um it is forty seven eleven you know"))


@pytest.mark.parametrize("way", ["keys", "speech"])
def test_a_secret_told_again_while_it_is_checked_is_hidden(way: str) -> None:
    talk = checked().key("4711").say("yes")
    assert talk.dialogue.waiting == "action"
    talk = talk.key("4711") if way == "keys" else talk.say("it is forty seven eleven")
    assert is_hidden(talk)
    assert not [e for e in keyed(talk) if e.isdigit()]


def keyed(talk: Talk) -> list[str]:
    return [e.what.key for e in talk.effects if isinstance(e, Record) and isinstance(e.what, Keyed)]


def test_what_is_asked_of_a_service_is_shown_without_the_secret() -> None:
    talk = checked().key("4711").say("yes")
    perform = talk.performed[-1]
    assert perform.arguments["path"] == "/pins/4711/check" and perform.arguments["body"] == {"secret": "4711"}
    assert perform.shown["path"] == "/pins/•••/check" and perform.shown["body"] == {"secret": "•••"}
    assert perform.hidden == {"token"}


def test_a_phrase_of_the_flow_is_no_secret() -> None:
    talk = checked().say("I don't have one")
    assert "i don't have one" in shown(talk), "an agent reads what was said"
    leaving = checked().say("cancel my membership")
    assert leaving.connect.said == "cancel my membership"
