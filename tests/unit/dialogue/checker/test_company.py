"""The company file's rule: each kind of fault on its line, and mended by what the finding says."""

from __future__ import annotations

import pytest

from ivr.actions import EVERYWHERE
from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding
from tests.unit.dialogue.checker.test_identity_reached import HUMAN, UNIVERSALS

COMPANY = """
company: Doctor Molar
facts:
  patient.name: text
  patient.next: {type: date, blank: true}
actions:
  patient.identify:
    service: practice
    method: GET
    path: /patients
    query: {phone: call.caller}
    outcomes: {unknown: 404}
    facts: {caller.id: /id, patient.name: /name, patient.next: /next}
    gives: likely
  patient.check:
    service: practice
    path: /patients/{caller.id}/pin
    parameters: {pin: {type: digits, secret: true}}
    outcomes: {wrong: 403}
    gives: verified
  visit.book:
    service: practice
    path: /patients/{caller.id}/visits/{day}
    parameters: {day: date, dentist: title, note: {type: text, required: false}}
    body: {who: dentist, note: note?}
    undo: visit.cancel
  visit.cancel: {service: practice, method: DELETE, path: "/patients/{caller.id}/visits", risk: irreversible}
vocabularies:
  dentists: {service: practice, path: /dentists}
  treatments: {terms: {cleaning: [cleaning]}}
"""
MAIN = """
flow: main
start: who
variables:
  day: date
  dentist: {type: title, from: [dentists]}
states:
  who:
    when:
      - {if: filled(call.caller), goto: identify}
      - {goto: human, reason: no number}
  identify:
    action: patient.identify
    on: {ok: which, unknown: human, failed: human, timeout: human}
  which: {ask: dentist, prompt: "Hello {patient.name}. Whom?", goto: when}
  when: {ask: day, prompt: "When?", goto: book}
  book:
    action: visit.book
    with: {day: day, dentist: dentist}
    confirm: {policy: explicit, prompt: "{dentist} on {day}?"}
    on: {ok: done, failed: human, timeout: human}
  done: {prompt: "Done.", end: resolved}
"""
EVERYBODY = {signature.name: signature for signature in EVERYWHERE}
FACTS = LineFacts(EVERYBODY, services=["practice"], vocabularies={})
RULES = {
    "reserved-fact", "unused-fact", "unknown-fact", "optional-in-path", "unknown-parameter", "bad-expression",
    "unknown-action", "nobody-identified", "unknown-service", "unknown-vocabulary", "missing-key", "secret-told",
    "fact-unknown",
}  # fmt: skip


def findings(company: str = COMPANY, main: str = MAIN, facts: LineFacts = FACTS) -> list[Finding]:
    sources = {"main.yaml": main, "company.yaml": company, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    return [f for f in check_sources(sources, facts).findings if f.code in RULES]


def test_as_it_should_be() -> None:
    assert findings() == []


@pytest.mark.parametrize(
    ("was", "now", "code", "remedy"),
    [
        ("  patient.name: text", "  patient.name: text\n  hours.open: boolean", "reserved-fact", "another name"),
        ("  patient.name: text", "  patient.name: text\n  patient.owes: money", "unused-fact", "name it under"),
        ("patient.name: /name", "patient.nam: /name", "unknown-fact", "did you mean patient.name?"),
        ("/patients/{caller.id}/pin", "/patients/{caller.idd}/pin", "unknown-fact", "did you mean caller.id?"),
        ("/visits/{day}", "/visits/{dya}", "unknown-parameter", "did you mean day?"),
        ("/visits/{day}", "/visits/{note}", "optional-in-path", "remove required: false of note"),
        ("{who: dentist, note: note?}", "{who: dentists, note: note?}", "unknown-parameter", "did you mean dentist?"),
        ("{who: dentist, note: note?}", "{who: the dentist}", "bad-expression", "quote texts"),
        ("{phone: call.caller}", "{phone: weather.now}", "unknown-fact", "declare it"),
        ("undo: visit.cancel", "undo: visit.cancle", "unknown-action", "did you mean visit.cancel?"),
        ("facts: {caller.id: /id, patient", "facts: {patient", "nobody-identified", "add caller.id to its facts"),
        ("{service: practice, path: /dentists}", "{service: practise, path: /d}", "unknown-service", "practice?"),
        ("    path: /patients/{caller.id}/pin", "    path: /pins/{pin}", "secret-told", "send pin in the body"),
        ("dentists: {service: practice, path: /dentists}", "dentists: {service: practice}", "missing-key", "/dentists"),
    ],
)  # fmt: skip
def test_each_fault_on_its_line(was: str, now: str, code: str, remedy: str) -> None:
    assert COMPANY.count(was) == 1
    text = COMPANY.replace(was, now)
    found = [f for f in findings(text) if f.code == code]
    assert [f.code for f in found] == [code], findings(text)
    assert found[0].file == "company.yaml"
    wrong = "gives: likely" if code == "nobody-identified" else now.rpartition("\n")[2]
    assert wrong.strip() in text.split("\n")[found[0].line - 1]
    assert remedy in found[0].remedy


def test_nothing_is_said_of_services_while_none_is_known() -> None:
    assert (
        findings(COMPANY.replace("service: practice", "service: other"), facts=LineFacts(EVERYBODY, vocabularies={}))
        == []
    )


def test_a_title_is_one_of_a_vocabulary_that_somebody_has() -> None:
    (finding,) = findings(main=MAIN.replace("from: [dentists]", "from: [dentist]"))
    assert (finding.code, finding.text, finding.remedy) == ("unknown-vocabulary", "dentist", "did you mean dentists?")
    elsewhere = MAIN.replace("from: [dentists]", "from: [catalogue]")
    assert (
        findings(main=elsewhere, facts=LineFacts(EVERYBODY, services=["practice"], vocabularies={"catalogue": ()}))
        == []
    )
    assert findings(main=elsewhere, facts=LineFacts(EVERYBODY, services=["practice"])) == [], (
        "which there are is not known"
    )


def test_a_number_that_is_withheld_is_no_part_of_an_address() -> None:
    main = MAIN.replace("      - {if: filled(call.caller), goto: identify}\n      - {goto: human, reason: no number}",
                        "      - {goto: identify}")  # fmt: skip
    (finding,) = findings(main=main)
    assert (finding.code, finding.text, finding.file) == ("fact-unknown", "call.caller", "main.yaml")


def test_http_states_bring_facts_and_ask_by_query() -> None:
    state = """
  book:
    http: {service: practice, path: "/visits", query: {day: day, of: QUERY}, facts: {FACT: /day}}
    on: {ok: done, refused: human, failed: human, timeout: human}
"""
    before, _, after = MAIN.partition("  book:\n")
    main = before + state.lstrip("\n") + "  done:" + after.partition("  done:")[2]
    assert findings(main=main.replace("FACT", "patient.next").replace("QUERY", "caller.id")) == []
    wrong = findings(main=main.replace("FACT", "patient.nxt").replace("QUERY", "patient.naem"))
    unknown = [f.text for f in wrong if f.code == "unknown-fact"]
    assert unknown == ["patient.naem", "patient.nxt"]


@pytest.mark.parametrize("now, place", [
    ("treatments: {terms: {cleaning: [cleaning], filling: [a filling, cleening]}}", "company.yaml"),
    ("treatments: {file: treatments.csv}", "company.yaml"),
])  # fmt: skip
def test_a_way_to_say_a_term_sounds_like_no_other_term(now: str, place: str) -> None:
    text = COMPANY.replace("treatments: {terms: {cleaning: [cleaning]}}", now)
    table = "id,label,spoken\n1,cleaning,\n2,a filling,cleening|a hole\n3,cleaning,\n"  # two of one name may be
    sources = {"main.yaml": MAIN, "company.yaml": text, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    found = check_sources({**sources, "treatments.csv": table}, FACTS).findings
    (finding,) = (f for f in found if f.code == "alike-terms")
    assert (finding.file, finding.text, finding.severity) == (place, "cleening", "warning")
    assert now in text.split("\n")[finding.line - 1]
    apart = check_sources(
        {
            **sources,
            "company.yaml": text.replace("cleening", "a hole"),
            "treatments.csv": table.replace("cleening", "x"),
        },
        FACTS,
    )
    assert not [f for f in apart.findings if f.code == "alike-terms"]


def test_a_fact_that_an_action_takes_for_a_secret_is_told_nobody() -> None:
    main = MAIN.replace(
        "  done: {prompt:", "  check: {action: patient.check, with: {pin: patient.name}}\n  done: {prompt:"
    )
    main = main.replace("Hello {patient.name}. ", "")
    spoken = main.replace('prompt: "Done."', 'prompt: "Done, {patient.name}."')
    assert "secret-told" not in [f.code for f in findings(main=main)]
    (finding,) = (f for f in findings(main=spoken) if f.code == "secret-told")
    assert "patient.name is secret, and is said aloud" in finding.why


SECRET = COMPANY.replace(
    "  patient.name: text", "  patient.name: text\n  patient.pin: {type: digits, secret: true}"
).replace("patient.name: /name,", "patient.name: /name, patient.pin: /pin,")


def told(company: str, main: str = MAIN) -> list[tuple[str, str, str]]:
    return [(f.file, f.why, f.remedy) for f in findings(company, main) if f.code == "secret-told"]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ('prompt: "Done."', 'prompt: "Done, {patient.pin}."'),
        ("reason: no number", 'reason: "no number, {patient.pin}"'),
    ],
)
def test_a_fact_that_is_declared_secret_is_told_nobody(was: str, now: str) -> None:
    assert told(SECRET) == []
    ((file, why, remedy),) = told(SECRET, MAIN.replace(was, now))
    assert file == "main.yaml" and why.startswith("patient.pin is secret, and is ")
    assert remedy.startswith("leave {patient.pin} out")


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("path: /patients/{caller.id}/pin", "path: /pins/{patient.pin}"),
        ("query: {phone: call.caller}", "query: {phone: call.caller, pin: patient.pin?}"),
    ],
)
def test_a_secret_fact_is_in_no_address(was: str, now: str) -> None:
    assert SECRET.count(was) == 1
    ((file, why, remedy),) = told(SECRET.replace(was, now))
    assert (file, remedy) == ("company.yaml", "send patient.pin in the body")
    assert why == "patient.pin is secret, and is part of an address, which servers log"


def test_nor_in_that_of_an_http_state() -> None:
    edges = "{ok: done, refused: human, failed: human, timeout: human}"
    state = f"http: {{service: practice, path: /x, query: {{pin: patient.pin}}}}\n    on: {edges}"
    main = MAIN.replace('  done: {prompt: "Done."', f'  other:\n    {state}\n  done: {{prompt: "Done."')
    assert told(SECRET, main) == [
        (
            "main.yaml",
            "patient.pin is secret, and is part of an address, which servers log",
            "send patient.pin in the body",
        )
    ]


def test_a_fact_that_is_taken_for_a_secret_is_declared_one() -> None:
    sources = {"human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    main = MAIN.replace(
        "  done: {prompt:", "  check: {action: patient.check, with: {pin: patient.pin}}\n  done: {prompt:"
    )

    def undeclared(company: str, main: str = main) -> list[Finding]:
        found = check_sources({**sources, "main.yaml": main, "company.yaml": company}, FACTS).findings
        return [f for f in found if f.code == "undeclared-secret"]

    assert undeclared(SECRET) == []
    (finding,) = undeclared(SECRET.replace("{type: digits, secret: true}\n  patient.next", "digits\n  patient.next"))
    assert (finding.file, finding.text) == ("company.yaml", "patient.pin")
    assert finding.remedy == "write patient.pin: {type: digits, secret: true}"
    kept = MAIN.replace("  day: date\n", "  day: date\n  code: {type: digits, secret: true}\n")
    kept = kept.replace('done: {prompt: "Done."', 'done: {set: {code: patient.pin}, prompt: "Done."')
    open_now = SECRET.replace("{type: digits, secret: true}\n  patient.next", "digits\n  patient.next")
    assert [f.text for f in undeclared(open_now, kept)] == ["patient.pin"] and undeclared(open_now, MAIN) == []


def test_it_goes_into_bodies_and_verification() -> None:
    company = SECRET.replace(
        "    outcomes: {wrong: 403}", "    body: {said: pin, is: patient.pin}\n    outcomes: {wrong: 403}"
    )
    check = "  check: {action: patient.check, with: {pin: patient.pin}}\n  done: {prompt:"
    assert told(company, MAIN.replace("  done: {prompt:", check)) == []


@pytest.mark.parametrize(
    ("spec", "condition", "wrong"),
    [
        ("digits", "pin == patient.pin", True),
        ("digits", "filled(day) and patient.pin != pin", True),
        ("{type: digits, secret: true}", "pin == patient.pin", False),
        ("digits", "pin == '1' and filled(patient.pin)", False),
    ],
)
def test_what_is_compared_with_a_secret_is_one(spec: str, condition: str, wrong: bool) -> None:
    main = MAIN.replace("  day: date\n", f"  day: date\n  pin: {spec}\n").replace(
        "goto: when}", "goto: code}\n  code: {ask: pin, prompt: Your code?, goto: compare}\n"
        f'  compare: {{when: [{{if: "{condition}", goto: when}}, {{goto: human, reason: no}}]}}',
    )  # fmt: skip
    found = told(SECRET, main)
    assert [remedy for _, _, remedy in found] == (["write pin: {type: digits, secret: true}"] if wrong else [])


def test_an_answer_is_kept_by_whoever_asks_for_it_and_read() -> None:
    company = COMPANY.replace("    undo: visit.cancel", "    returns: {number: /number}\n    undo: visit.cancel")

    def unread(main: str) -> list[tuple[str, str, str]]:
        sources = {"main.yaml": main, "company.yaml": company, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
        found = check_sources(sources, FACTS).findings
        return [(f.file, f.text, f.remedy) for f in found if f.code == "unused-value"]

    assert unread(MAIN) == [
        ("company.yaml", "number", "add returns: {YOUR_VARIABLE: number} to main.book, or remove it here")
    ]
    kept = MAIN.replace("  day: date\n", "  day: date\n  visit: text\n").replace(
        "    confirm: {policy", "    returns: {visit: number}\n    confirm: {policy"
    )
    assert unread(kept) == [
        ("main.yaml", "visit", "say {visit} or pass it on with: in a state after book, or remove it here")
    ]
    assert unread(kept.replace('"Done."', '"Done: {visit}."')) == []
    assert (
        unread(
            MAIN.replace("action: visit.book", "action: patient.check").replace(
                "{day: day, dentist: dentist}", "{pin: day}"
            )
        )
        == []
    )
