"""The company file: what it makes of actions, facts and vocabularies, and what is said of it where it is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.dialogue.flows.company_file import CompanyFile
from ivr.dialogue.flows.library import load_library
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.dialogue.flows.source import parse, read_directory
from ivr.events import Term
from ivr.identity import Identity, IdentityLevel
from tests.unit.dialogue.checker.test_identity_reached import HUMAN, UNIVERSALS

MAIN = "flow: main\nstart: bye\nstates:\n  bye: {prompt: Bye., end: resolved}\n"
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
    outcomes: {unknown: 404, several: [409, 423]}
    facts: {caller.id: /id, patient.name: /name, patient.next: /next}
    gives: likely
    by: number on file
  appointment.book:
    about: Book it.
    service: practice
    path: /patients/{caller.id}/appointments
    parameters: {day: date, note: {type: text, required: false}, pin: {type: digits, secret: true}}
    returns: {id: /id, fee: {at: /fee, type: money}}
    undo: appointment.cancel
  appointment.cancel: {service: practice, method: DELETE, path: "/appointments/{caller.id}", risk: irreversible}
vocabularies:
  treatments: {terms: {cleaning: [a cleaning, hygienist], filling: [a filling]}}
  dentists: dentists.csv
  products: {service: shop, path: /products, list: /items, id: /sku, label: /name, refresh: 1h}
"""


def company(text: str = COMPANY) -> CompanyFile:
    parsed = parse("company.yaml", text)
    assert isinstance(parsed.model, CompanyFile), parsed.findings
    return parsed.model


def loaded(text: str = COMPANY, **files: str) -> Any:
    sources = {"main.yaml": MAIN, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    sources |= {"company.yaml": text}
    return load_library({**sources, **{name.replace("_", "."): body for name, body in files.items()}}, {})


DENTISTS = "id,label,spoken\nm,Doctor Molar,molar\n"


def test_actions_are_signatures() -> None:
    signatures = company().signatures
    assert signatures["patient.identify"] == ActionSignature(
        "patient.identify",
        outcomes=("ok", "unknown", "several"),
        facts=("caller.id", "patient.name", "patient.next"),
        blank=("patient.next",),
        risk="none",
        gives={"ok": Identity(IdentityLevel.LIKELY, "number on file")},
    )
    assert signatures["appointment.book"] == ActionSignature(
        "appointment.book",
        (Parameter("day", "date"), Parameter("note", "text", required=False), Parameter("pin", "digits", secret=True)),
        returns={"id": "text", "fee": "money"},
        risk="reversible",
        about="Book it.",
        undo="appointment.cancel",
    )
    assert signatures["appointment.cancel"].risk == "irreversible"


def test_vocabularies_stand_in_the_file_beside_it_or_come_from_a_service() -> None:
    library = loaded(dentists_csv=DENTISTS).library
    assert library is not None and library.company is not None
    assert library.vocabularies == {
        "treatments": (Term("cleaning", "a cleaning", ("hygienist",)), Term("filling", "a filling")),
        "dentists": (Term("m", "Doctor Molar", ("molar",)),),
    }
    products = library.company.vocabularies["products"]
    assert (products.service, products.refresh) == ("shop", 3600.0)
    assert "patient.identify" in library.signatures


def test_a_version_is_its_vocabularies_too() -> None:
    one, other = loaded(dentists_csv=DENTISTS), loaded(dentists_csv=DENTISTS + "i,Doctor Incisor,\n")
    assert one.library.version != other.library.version


def test_what_the_files_lack_is_said() -> None:
    assert [(f.code, f.file) for f in loaded().findings] == [("no-vocabulary-file", "company.yaml")]
    assert [(f.code, f.file) for f in loaded(dentists_csv="id\n1\n").findings] == [("no-label-column", "dentists.csv")]
    twice = loaded(dentists_csv=DENTISTS, office_yaml="company: Another\n")
    assert [f.code for f in twice.findings] == ["duplicate-name", "file-name"]
    ours = {"patient.identify": ActionSignature("patient.identify")}
    sources = {"main.yaml": MAIN, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS, "dentists.csv": DENTISTS}
    clash = load_library({**sources, "company.yaml": COMPANY.replace("[409, 423]", "409")}, ours)
    assert [(f.code, f.text) for f in clash.findings] == [("duplicate-name", "patient.identify")]


@pytest.mark.parametrize(
    ("was", "now", "why"),
    [
        ("unknown: 404", "ok: 404", "every action has the outcome ok"),
        ("unknown: 404", "not_verified: 404", "every action has the outcome not_verified"),
        ("unknown: 404", "unknown: 500", "500 is no status that a service says no with"),
        ("unknown: 404", "unknown: 423", "two outcomes have the status 423"),
        ("/next}", "next}", "'next' is no place in a JSON answer"),
        ("patient.name: text", "name: text", "name"),
        ("patient.name: text", "patient.name: date_range", "declare the first day and the last, two of type date"),
        ("{at: /fee, type: money}", "{at: /fee, type: date_range}", "two of type date, such as stay.first and"),
        ("dentists: dentists.csv", "dentists: ../dentists.csv", "dentists.csv"),
        ("dentists: dentists.csv", "dentists: {file: d.csv, service: shop, path: /d}", "either terms:, a file: or"),
        ("filling: [a filling]", "filling: ['']", "filling has a name that is blank"),
        ("path: /products", "path: /products?x=1", "name what stands behind a ? under query:"),
        ("path: /patients\n", "path: patients\n", "begin it with /"),
        ("refresh: 1h", "refresh: 1s", "greater than or equal to 5"),
        ("gives: likely", "gives: surely", "surely is not one of unverified, likely, verified"),
        ("method: GET", "method: FETCH", "FETCH is not one of GET"),
    ],
)
def test_what_is_wrong_is_said_in_its_place(was: str, now: str, why: str) -> None:
    text = COMPANY
    assert was in text
    parsed = parse("company.yaml", text.replace(was, now))
    assert parsed.model is None
    (finding,) = parsed.findings
    assert why in f"{finding.why} {finding.text}"
    lines = text.replace(was, now).split("\n")
    assert now.strip() in lines[finding.line - 1]


def test_a_folder_is_read_with_its_vocabularies_and_without_its_mocks(tmp_path: Any) -> None:
    for name in (
        "company.yaml",
        "dentists.csv",
        "main.test.yaml",
        "practice.mock.yaml",
        ".~lock.dentists.csv",
        "a.txt",
    ):
        (tmp_path / name).write_text("x")
    assert list(read_directory(tmp_path)) == ["company.yaml", "dentists.csv"]
