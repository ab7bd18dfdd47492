"""Facts that the company file declares secret: conditions compare them and services get them, and nobody sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ivr.dialogue.engine.contract import ActionDone, Record, Say
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.secrets import secret_names
from ivr.events import ActionResult
from ivr.identity import CALLER_IDENTITY, CALLER_TRUSTED
from tests.unit.dialogue.talk import HUMAN, ROOT, Talk, made

COMPANY = """
company: Riverside Dental
facts:
  patient.name: text
  patient.pin: {type: digits, secret: true}
  patient.word: {type: text, blank: true, secret: true}
actions:
  patient.identify:
    service: practice
    method: GET
    path: /patients
    query: {phone: call.caller}
    facts: {caller.id: /id, patient.name: /name, patient.pin: /pin, patient.word: /word}
    gives: likely
  patient.prove:
    service: practice
    path: /proofs
    parameters: {pin: {type: digits, secret: true}}
    body: {said: pin, known: patient.pin}
    outcomes: {wrong: 403}
    gives: verified
  patient.tell: {service: practice, path: /notes, parameters: {note: text, copy: text}, risk: none}
"""
MAIN = """
flow: main
start: who
variables:
  pin: {type: digits, length: 8, secret: true}
  copy: text
intents: {prove: [check me], tell: [tell them], web: [ask the web], person: [somebody else]}
states:
  who: {action: patient.identify, on: {ok: ask, failed: human, timeout: human}}
  ask:
    prompt: "Hello {patient.name}. Yours is {patient.pin|digits}, {patient.word}. What now?"
    choices:
      - {intent: prove, key: 1, label: "check {patient.pin}", goto: pin}
      - {intent: tell, key: 2, label: "tell them", goto: copied}
      - {intent: web, key: 3, label: "the web", goto: web}
      - {intent: person, key: 4, label: "somebody", goto: human, reason: "about {patient.pin}"}
  pin: {ask: pin, prompt: "Your PIN?", goto: compare}
  compare:
    when:
      - {if: "pin == patient.pin", goto: prove}
      - {goto: human, reason: "a wrong PIN"}
  prove:
    action: patient.prove
    with: {pin: patient.pin}
    on: {ok: proven, wrong: human, failed: human, timeout: human}
  proven: {prompt: "Thank you.", goto: ask}
  copied: {set: {copy: patient.pin}, goto: tell}
  tell:
    action: patient.tell
    with: {note: patient.pin, copy: copy}
    on: {ok: told, failed: human, timeout: human}
  told: {prompt: "Told: {copy}.", goto: ask}
  web:
    http: {service: practice, path: "/of/{patient.pin}", query: {pin: patient.pin}, body: {a: {b: patient.pin}}}
    on: {ok: ask, refused: human, failed: human, timeout: human}
"""
PIN, WORD = "47118635", "marzipan"
WHO = {"caller.id": "", CALLER_IDENTITY: "unknown", CALLER_TRUSTED: True}
KNOWN = {"caller.id": "7", "patient.name": "Ada", "patient.pin": PIN, "patient.word": WORD}
FORMS = (PIN, "4 7 1 1", "four seven one one", "cuatro siete uno uno", WORD)


@pytest.fixture(scope="module")
def library() -> FlowLibrary:
    universals = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    return made({"main.yaml": MAIN, "company.yaml": COMPANY, "human.yaml": HUMAN, **universals}, {})


def known(library: FlowLibrary, language: str = "en-US") -> Talk:
    talk = Talk(library, entry="main", perform=False, facts=WHO, language=language)
    return done(talk, ActionResult("ok", facts=KNOWN))


def done(talk: Talk, result: ActionResult) -> Talk:
    return talk.send(ActionDone(talk.performed[-1].token, result))


def shown(talk: Talk) -> str:
    """All that anybody else than the caller, and the services, gets to see or keep."""
    dialogue = talk.dialogue
    records = [effect.what for effect in talk.effects if isinstance(effect, Record)]
    kept = (records, dialogue.transcript, dialogue.slots, dialogue.facts, dialogue.tried, dialogue.also)
    asked = [(each.name, each.shown) for each in talk.performed]
    return repr((*kept, dialogue.snapshot(), dialogue.kept(), asked, talk.connects)).lower()


def is_hidden(talk: Talk) -> bool:
    return not any(form in shown(talk) for form in FORMS)


@pytest.mark.parametrize(("language", "said"), [("en-US", "four seven one one"), ("es-ES", "cuatro siete uno uno")])
def test_a_prompt_says_it_to_the_caller_and_to_nobody_else(library: FlowLibrary, language: str, said: str) -> None:
    talk = known(library, language)
    assert said in talk.said and WORD in talk.said
    assert is_hidden(talk) and "•••" in shown(talk)
    spoken = [words for e in talk.effects if isinstance(e, Say) for words in e.words if said in words.text]
    assert spoken and all(words.masked is not None and said not in words.masked for words in spoken)


def test_it_is_masked_where_facts_are_read_and_blank_stays_blank(library: FlowLibrary) -> None:
    talk = known(library)
    assert talk.dialogue.facts["patient.pin"] == "•••" and talk.dialogue.facts["patient.name"] == "Ada"
    assert talk.dialogue.facts_for_actions["patient.pin"] == PIN
    nothing = Talk(library, entry="main", perform=False, facts=WHO)
    done(nothing, ActionResult("ok", facts={**KNOWN, "patient.word": ""}))
    assert nothing.dialogue.facts["patient.word"] == ""


def test_it_is_compared_and_sent(library: FlowLibrary) -> None:
    talk = known(library).say("check me").key(PIN)
    (prove,) = talk.performed[1:]
    assert prove.request is not None and prove.request["body"] == {"said": PIN, "known": PIN}
    assert is_hidden(talk)
    done(talk, ActionResult("ok"))
    assert talk.dialogue.facts[CALLER_IDENTITY] == "verified"
    wrong = known(library).say("check me").key("47118636")
    assert wrong.connect.reason == "a wrong PIN" and is_hidden(wrong)


def test_an_argument_and_a_copy_are_masked_too(library: FlowLibrary) -> None:
    talk = known(library).say("tell them")
    tell = talk.performed[-1]
    assert tell.arguments == {"note": PIN, "copy": PIN}
    assert tell.shown == {"note": "•••", "copy": "•••"}
    assert "Told: four" not in shown(done(talk, ActionResult("ok"))) and is_hidden(talk)
    assert talk.dialogue.slots["copy"] == "•••"


def test_it_stays_one_in_the_flows_that_it_is_passed_to(library: FlowLibrary) -> None:
    inner = (
        "flow: inner\nstart: end\nparameters: {given: text}\nstates:\n  end: {return: done, values: {back: given}}\n"
    )
    call = "call: inner\n    with: {given: patient.pin}\n    returns: {copy: back}\n    on: {done: tell}"
    main = MAIN.replace("copied: {set: {copy: patient.pin}, goto: tell}", f"copied:\n    {call}")
    flows = made({**library.sources, "main.yaml": main, "inner.yaml": inner}, {})
    secret = secret_names(flows)
    assert "given" in secret["inner"] and "copy" in secret["main"] and "patient.pin" in secret["inner"]
    talk = known(flows).say("tell them")
    assert talk.performed[-1].arguments == {"note": PIN, "copy": PIN} and is_hidden(talk)


def test_path_query_and_body_of_an_http_state_are_masked(library: FlowLibrary) -> None:
    web = known(library).say("ask the web").performed[-1]
    assert (web.arguments["path"], web.arguments["query"]) == (f"/of/{PIN}", {"pin": PIN})
    assert web.shown["path"] == "/of/•••"
    assert web.shown["query"] == {"pin": "•••"} and web.shown["body"] == {"a": "•••"}


def test_the_human_gets_no_secret_as_a_reason(library: FlowLibrary) -> None:
    talk = known(library).say("somebody else")
    assert talk.connect.reason == "about •••" and is_hidden(talk)


def taken_over(talk: Talk) -> Any:
    return json.loads(json.dumps(talk.dialogue.kept()))


def test_a_call_that_is_taken_over_begins_again_to_know_it(library: FlowLibrary) -> None:
    first = known(library).say("check me")
    found = taken_over(first)
    assert PIN not in json.dumps(found) and WORD not in json.dumps(found)
    second = Talk(library, entry="main", perform=False, facts=WHO, kept=found)
    assert second.said.startswith("One moment.")
    assert [each.name for each in second.performed] == ["patient.identify"]
    done(second, ActionResult("ok", facts=KNOWN)).say("check me").key(PIN)
    assert second.performed[-1].name == "patient.prove" and not second.errors


def test_who_waits_for_a_human_waits_on(library: FlowLibrary) -> None:
    second = Talk(library, entry="main", perform=False, facts=WHO, kept=taken_over(known(library).key("0")))
    assert second.connects and not second.performed


def test_a_call_without_one_goes_on_where_it_was(library: FlowLibrary) -> None:
    talk = Talk(library, entry="main", perform=False, facts=WHO)
    done(talk, ActionResult("ok", facts={"caller.id": "7", "patient.name": "Ada"})).say("check me")
    second = Talk(library, entry="main", perform=False, facts=WHO, kept=taken_over(talk))
    assert second.said == "One moment. Your PIN?"
