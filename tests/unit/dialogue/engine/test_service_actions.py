"""Actions of the company file in a call: what is asked of the service, and what its facts become."""

from __future__ import annotations

import pytest

from ivr.dialogue.engine.contract import ActionDone
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.events import ActionResult, Term
from ivr.identity import CALLER_IDENTITY, CALLER_TRUSTED
from tests.unit.dialogue.checker.test_identity_reached import HUMAN, UNIVERSALS
from tests.unit.dialogue.talk import Talk

COMPANY = """
company: Doctor Molar
facts:
  patient.name: text
  patient.next: {type: date, blank: true}
  patient.owes: money
actions:
  patient.identify:
    service: practice
    method: GET
    path: /patients
    query: {phone: call.caller, extra: call.nothing?}
    outcomes: {unknown: 404}
    facts: {caller.id: /id, patient.name: /name, patient.next: /next, patient.owes: /owes}
    vocabularies: {visits: {list: /visits, id: /id, label: /name}}
    gives: likely
  appointment.book:
    service: practice
    path: /patients/{caller.id}/appointments
    parameters: {day: date, dentist: title, note: {type: text, required: false}}
    body: {day: day, who: {dentist: dentist, patient: caller.id}, note: note?, by: "'phone'"}
    outcomes: {taken: [409, 4xx]}
    returns: {id: /id}
    risk: none
  patient.away:
    service: practice
    path: /away
    parameters: {from: date, class: {type: text, required: false}}
    needs: unknown
  patient.secret: {service: practice, path: /check, parameters: {pin: {type: digits, secret: true}}, needs: unknown}
vocabularies:
  dentists: {terms: {m: [Doctor Molar, molar], i: [Doctor Incisor]}}
"""
MAIN = """
flow: main
start: who
variables:
  day: date
  dentist: {type: title, from: [dentists]}
  note: text
  number: text
  pin: {type: digits, length: 4, secret: true}
intents: {book: ["see {dentist} on {day}"], check: [check me], away: ["away from {day}"]}
states:
  who:
    action: patient.identify
    on: {ok: ask, unknown: ask, failed: ask, timeout: ask}
  ask:
    prompt:
      - {if: filled(patient.name), say: "Hello {patient.name}, you owe {patient.owes}, and come on {patient.next}."}
      - "What can I do?"
    choices:
      - {intent: book, key: 1, label: "see a dentist", goto: which}
      - {intent: check, key: 2, label: "check", goto: pin}
      - {intent: away, key: 3, label: "away", goto: away}
  which: {ask: dentist, prompt: "Whom?", goto: when}
  when: {ask: day, prompt: "When?", goto: book}
  book:
    action: appointment.book
    with: {day: day, dentist: dentist, note: note?}
    returns: {number: id}
    on: {ok: ask, taken: ask, failed: human, timeout: human}
  pin: {ask: pin, prompt: "Your PIN?", goto: check}
  away: {action: patient.away, with: {from: day}, confirm: none, on: {ok: ask, failed: human, timeout: human}}
  check: {action: patient.secret, with: {pin: pin}, on: {ok: ask, failed: human, timeout: human}}
"""


WHO = {"caller.id": "", CALLER_IDENTITY: "unknown", CALLER_TRUSTED: True}


@pytest.fixture(scope="module")
def library() -> FlowLibrary:
    sources = {"main.yaml": MAIN, "company.yaml": COMPANY, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    loaded = load_library(sources, {})
    assert loaded.library is not None, loaded.findings
    return loaded.library


def calling(library: FlowLibrary, result: ActionResult) -> Talk:
    talk = Talk(library, entry="main", perform=False, facts=WHO)
    return talk.send(ActionDone(talk.performed[-1].token, result))


def known(library: FlowLibrary) -> Talk:
    facts = {"caller.id": "7", "patient.name": "Ada", "patient.next": "2026-07-04", "patient.owes": 1500}
    visits = (Term("v", "a cleaning"),)
    return calling(library, ActionResult("ok", facts=facts, vocabularies={"visits": visits}))


def test_what_is_asked_of_the_service(library: FlowLibrary) -> None:
    talk = known(library)
    (identify,) = talk.performed
    assert (identify.name, identify.arguments) == ("patient.identify", {})
    assert identify.request is not None
    assert identify.request["query"] == {"phone": talk.dialogue.facts["call.caller"]}
    assert identify.request["body"] == {}, "of a GET"
    assert identify.request["facts"] == {
        "caller.id": {"at": "/id", "type": "text", "blank": False},
        "patient.name": {"at": "/name", "type": "text", "blank": False},
        "patient.next": {"at": "/next", "type": "date", "blank": True},
        "patient.owes": {"at": "/owes", "type": "money", "blank": False},
    }
    assert identify.request["vocabularies"] == {
        "visits": {"list": "/visits", "id": "/id", "label": "/name", "spoken": ""}
    }
    talk.say("see molar on march ninth")
    book = talk.performed[-1]
    assert (book.name, book.arguments) == ("appointment.book", {"day": "2026-03-09", "dentist": "m"})
    assert book.request == {
        "service": "practice",
        "method": "POST",
        "path": "/patients/7/appointments",
        "query": {},
        "body": {"day": "2026-03-09", "who": {"dentist": "m", "patient": "7"}, "by": "phone"},
        "returns": {"id": "/id"},
        "outcomes": {"taken": ["409", "4xx"]},
        "facts": {},
        "vocabularies": {},
        "types": {"id": "text"},
    }


def test_a_parameter_may_be_called_by_a_word_of_expressions(library: FlowLibrary) -> None:
    away = known(library).say("away from march ninth").performed[-1]
    assert away.request is not None and away.request["body"] == {"from": "2026-03-09"}


def test_what_the_facts_become(library: FlowLibrary) -> None:
    talk = known(library)
    assert "Hello Ada, you owe fifteen dollars, and come on Saturday, July fourth." in talk.said
    assert talk.dialogue.facts[CALLER_IDENTITY] == "likely"
    assert talk.dialogue.facts["patient.next"] == "2026-07-04"


def test_who_is_unknown_is_not_asked_for(library: FlowLibrary) -> None:
    talk = calling(library, ActionResult("unknown"))
    talk.say("see molar on march ninth")
    assert [each.name for each in talk.performed] == ["patient.identify"], "it needs a caller who is known"
    assert talk.connect.reason == "identity not verified"


def test_what_is_secret_is_sent_and_not_shown(library: FlowLibrary) -> None:
    talk = known(library).say("check me").key("1234")
    check = talk.performed[-1]
    assert check.request is not None and check.request["body"] == {"pin": "1234"}
    assert "1234" not in str(check.shown)
