"""Whole lines from templates: every template in every set of languages checks clean and passes its scripts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ivr.__main__ import main
from ivr.dialogue.flows.format import format_text
from ivr.dialogue.flows.library import load_library
from ivr.dialogue.flows.wording import Wordings
from ivr.embedding.installation import installed
from ivr.errors import ConfigError
from ivr.workshop.folder import folders
from ivr.workshop.lines import LANGUAGES, TEMPLATES, NewLine
from ivr.workshop.lines.opening_hours import OpeningHours

LONGEST = 350  # lines of YAML in one language
WITH_SLOTS_ONLY = {"department", "person", "numbered", "no_number"}
"""Intents without examples: who asks for somebody says their name."""


def made(template: str, *languages: str) -> list[str]:
    return ["new", "line", "--template", template, "--company", "Riverside House", "--languages", ",".join(languages)]


@pytest.mark.parametrize("languages", [("en-US",), ("en-US", "es-ES"), ("es-ES",)], ids="+".join)
@pytest.mark.parametrize("template", TEMPLATES)
def test_it_checks_clean_and_its_scripts_pass(
    template: str,
    languages: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(made(template, *languages)) == 0
    monkeypatch.chdir(tmp_path / "line")
    assert main(["flow", "check", "--strict", "--profile", "gethuman-1.0"]) == 0
    assert ("declared: one language, en-US" in capsys.readouterr().out) is (languages == ("en-US",))
    assert main(["flow", "test", "--least", "95"]) == 0
    assert "unused-answer" not in capsys.readouterr().out


@pytest.mark.parametrize("template", TEMPLATES)
def test_it_is_laid_out_as_the_formatter_does(template: str) -> None:
    for path, text in NewLine("Riverside House", template, LANGUAGES).files().items():
        if path.endswith(".yaml"):
            assert format_text(path, text).text == text, path


@pytest.mark.parametrize("language", ["en-US", "es-ES"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_what_people_say_otherwise_is_asked_about(
    template: str, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each intent of the open question has examples, in each language, and each of them is asked about as that."""
    found = installed()
    assert found.key, f"the sentence embedding is {found.trouble}: run make, or ivr models get sentence-embedding"
    monkeypatch.chdir(tmp_path)
    assert main(made(template, "en-US", "es-ES")) == 0
    monkeypatch.chdir(tmp_path / "line")
    (folder,) = folders([Path("flows")], None)
    library = load_library(folder.sources, folder.company.all_signatures).library
    assert library is not None
    words = Wordings(library, language, "neutral")
    without = {intent for intent in library.flows["main"].intents if not words.examples("main", intent)}
    assert without <= WITH_SLOTS_ONLY
    calls = [
        {
            "name": f"{intent}: {example}",
            "from": "5035550101",
            "language": language,
            "steps": [{"say": example}, {"expect": {"asks": intent}}],
        }
        for intent in library.flows["main"].intents
        for example in words.examples("main", intent)
    ]
    assert len(calls) >= 8
    Path("flows/examples.test.yaml").write_text(json.dumps({"tests": "main", "at": "2026-03-03T10:00", "calls": calls}))
    assert main(["flow", "test", "flows/examples.test.yaml"]) == 0


@pytest.mark.parametrize("template", TEMPLATES)
def test_it_is_read_in_five_minutes(template: str) -> None:
    files = NewLine("Riverside House", template).files()
    assert not [path for path, text in files.items() if "@COMPANY@" in text or re.search(r"#(es|[a-z]+)$", text, re.M)]
    flows = [text for path, text in files.items() if path.endswith(".yaml") and ".test." not in path]
    assert sum(len(text.splitlines()) for text in flows) <= LONGEST


def test_nothing_that_is_there_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line").mkdir()
    (tmp_path / "line" / "config.toml").write_text("mine")
    assert main(made("shop", "en-US")) == 2
    assert [path.name for path in (tmp_path / "line").iterdir()] == ["config.toml"]
    assert (tmp_path / "line" / "config.toml").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["line"]


@pytest.mark.parametrize("name", ["Yes", "123", "Molar: teeth", "O'Brien's", "Año Nuevo", "- dash"])
def test_names_are_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever YAML would make of them."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "line", "--template", "reception", "--company", name]) == 0
    monkeypatch.chdir(tmp_path / "line")
    assert main(["flow", "check", "--strict"]) == 0


@pytest.mark.parametrize("command", [["flow", "check"], ["flow", "test"], ["flow", "simulate", "main"], ["serve"]])
@pytest.mark.parametrize("flows", [False, True], ids=["empty", "empty flows"])
def test_an_empty_folder_says_how_to_begin(
    command: list[str],
    flows: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if flows:
        (tmp_path / "flows").mkdir()
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "There is no line here yet" in told and "ivr new . begins one" in told


@pytest.mark.parametrize(
    "wrong",
    [
        {"company": "{caller.id}"},
        {"company": "Smith & Sons"},
        {"company": "Dr. Molar"},
        {"company": "RDX"},
        {"template": "bank"},
        {"languages": ("fr-FR",)},
        {"human": "3001"},
        {"number": "x"},
    ],
    ids=str,
)
def test_what_can_not_be(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"company": "Riverside", "template": "shop", **wrong}
    with pytest.raises(ConfigError):
        NewLine(**given)


def test_hours_are_said() -> None:
    hours = OpeningHours.of("mon-fri 08:30-13:00, sat 09:00-12:00")
    assert hours.said("en-US") == (
        "Monday to Friday from eight thirty in the morning to one in the afternoon"
        " and on Saturday from nine in the morning to twelve in the afternoon"
    )
    assert hours.said("es-ES").startswith("de lunes a viernes de las ocho y media de la mañana a la una de la tarde")
    assert hours.toml().count("08:30-13:00") == 5
    for wrong in ("mon-fri", "mon 9-17", "mon 17:00-09:00", "mon 09:00-10:00, mon 11:00-12:00"):
        with pytest.raises(ConfigError):
            OpeningHours.of(wrong)
