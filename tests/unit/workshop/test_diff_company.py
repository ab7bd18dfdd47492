"""The company file told in words, and its differences: facts, actions, vocabularies, and the terms of files."""

from __future__ import annotations

from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.workshop.compare.diff import compare
from ivr.workshop.tell.explain_company import explain_company
from tests.unit.dialogue.checker.test_identity_reached import HUMAN, UNIVERSALS

MAIN = "flow: main\nstart: bye\nstates:\n  bye: {prompt: Bye., end: resolved}\n"
COMPANY = """
company: A dentist
facts: {patient.name: text}
actions:
  patient.identify: {service: practice, method: GET, path: /patients, facts: {patient.name: /name}}
vocabularies:
  dentists: {file: dentists.csv}
"""
TERMS = "id,label,spoken\nm,Molar,\nh,Hart,\n"


def library(company: str = COMPANY, terms: str = TERMS) -> FlowLibrary:
    files = {"main.yaml": MAIN, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    if company:
        files |= {"company.yaml": company, "dentists.csv": terms}
    loaded = load_library(files, {})
    assert loaded.library is not None, loaded.findings
    return loaded.library


def told(old: FlowLibrary, new: FlowLibrary) -> dict[str, str]:
    found = compare(old, new, proof=False).changes
    return {f"{change.place}/{change.kind}": change.text for change in found if change.section == "company"}


def test_the_file_itself_comes_and_goes() -> None:
    assert "there is a company file now, of A dentist" in told(library(""), library()).values()
    assert "the company file, of A dentist, is gone" in told(library(), library("")).values()


def test_what_changed_of_an_action_and_a_fact() -> None:
    changed = COMPANY.replace("path: /patients", "path: /people").replace("patient.name: text", "patient.name: date")
    found = told(library(), library(changed))
    assert found["action patient.identify/path"] == "path is /people, was /patients"
    assert found["fact patient.name/type"] == "type is date, was text"


def test_terms_of_a_file() -> None:
    found = told(library(), library(terms="id,label,spoken\nm,Molar,\nk,Klein,\n"))
    assert found == {"vocabulary dentists/terms-new": "new: Klein", "vocabulary dentists/terms-gone": "gone: Hart"}


def test_it_is_explained() -> None:
    found = library()
    assert found.company is not None
    text = " ".join(explain_company(found, found.company).render().split())
    assert "A dentist, the company." in text
    assert "patient.name: text, brought by patient.identify." in text
    assert "patient.identify: GET /patients of the service practice; it ends in ok, or fails; it brings" in text
    assert "it changes nothing; no state uses it." in text
    assert "dentists: 2 of dentists.csv (Molar, Hart)." in text
