"""Templates: each makes flows that check clean once something calls them, and whose scripts pass as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.format import format_text
from ivr.dialogue.flows.library import load_library
from ivr.errors import ConfigError
from ivr.reference import COMPANY
from ivr.workshop.scripts.model import parse_script
from ivr.workshop.scripts.runner import Runner
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.templates import TEMPLATES, new_flow
from tests.unit.workshop.reference import library, reference, sources

FACTS = LineFacts(COMPANY.all_signatures, services=("deliveries", "my_service"))
INTENT = "  hold:\n    phrases:"
CHOICE = '      - {intent: undo, key: 9, label: "undoing your last change", goto: undo}\n'
STATE = "  hear_notes: {call: notes,"


def _called(name: str) -> dict[str, str]:
    """The reference flows with main calling ``name``, as the next steps of `ivr flow new` say."""
    texts = dict(sources())
    main = texts["main.yaml"]
    for place, more in (
        (INTENT, f"  {name}: [tell me about the newcomer, newcomer please]\n"),
        (CHOICE, f'      - {{intent: {name}, key: 9, label: "something new", goto: {name}}}\n'),
        (STATE, f"  {name}: {{call: {name}, on: {{done: ask}}}}\n"),
    ):
        assert main.count(place) == 1, place
        main = main.replace(place, more + place.replace('key: 9, label: "undoing your last change", ', ""))
    texts["main.yaml"] = main
    spanish = texts["main.es-ES.yaml"]
    assert spanish.count("\nintents:\n") == spanish.count("ask.undo:") == 1
    spanish = spanish.replace("ask.undo:", f"ask.{name}:")
    texts["main.es-ES.yaml"] = spanish.replace("\nintents:\n", f"\nintents:\n  {name}: [lo recién llegado]\n")
    return texts


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_checks_clean(template: str) -> None:
    made = new_flow("newcomer", template, library=reference(), taken=sources())
    flows = {f: t for f, t in made.files.items() if not f.endswith(".test.yaml")}
    findings = check_sources({**_called("newcomer"), **flows}, FACTS).findings
    assert not findings, "\n".join(f.render() for f in findings)
    alone = check_sources({**sources(), **flows}, FACTS).findings
    assert {f.code for f in alone} <= {"unused-flow"}, "\n".join(f.render() for f in alone)


@pytest.mark.parametrize("template", TEMPLATES)
async def test_its_script_passes(template: str, scratch: Sandbox) -> None:
    made = new_flow("newcomer", template, library=reference(), taken=sources())
    flows = {f: t for f, t in made.files.items() if not f.endswith(".test.yaml")}
    name = "newcomer.test.yaml"
    report = await Runner(library({**sources(), **flows}), scratch).run([parse_script(Path(name), made.files[name])])
    assert report.results
    assert report.passed, [r.failure for r in report.results] + list(report.findings)


@pytest.mark.parametrize("template", TEMPLATES)
def test_it_is_tidy_and_commented(template: str) -> None:
    made = new_flow("newcomer", template, library=reference())
    for file, text in made.files.items():
        assert format_text(file, text).text == text, file
        assert "NAME" not in text
        assert "SERVICE" not in text
    assert made.files["newcomer.yaml"].count("# ") >= 3, "the first line and two comments at least"


def test_only_languages_of_the_folder_are_written() -> None:
    english = {f: t for f, t in sources().items() if ".es-ES." not in f}
    loaded = load_library(english, COMPANY.all_signatures)
    made = new_flow("newcomer", "menu", library=loaded.library)
    assert set(made.files) == {"newcomer.yaml", "newcomer.test.yaml"}
    assert set(new_flow("newcomer", "menu", library=reference()).files) == {
        "newcomer.yaml",
        "newcomer.es-ES.yaml",
        "newcomer.test.yaml",
    }


@pytest.mark.parametrize("name", ["Hold", "1st", "a-b", "", "human", "universals", "a/../b", "hold\n"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ConfigError):
        new_flow(name, "menu")


def test_nothing_is_overwritten() -> None:
    with pytest.raises(ConfigError, match=r"hold\.yaml"):
        new_flow("hold", "menu", library=reference(), taken=sources())
