"""The GetHuman profile: each of its rules finds its fault, and nothing in the reference flows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivr.dialogue.flows.source import read_directory
from ivr.workshop.folder import Folder
from ivr.workshop.profiles import GETHUMAN
from tests.flows.reference import FLOWS

SOURCES = read_directory(FLOWS)


def found(sources: dict[str, str], chosen: frozenset[str] = frozenset()) -> list[str]:
    findings = GETHUMAN.examine(Folder(Path("flows"), sources, chosen))
    assert all(f.file.startswith("flows/") and f.line and f.remedy for f in findings)
    return [f.code for f in findings]


def test_the_reference_flows_keep_to_it() -> None:
    assert found(SOURCES) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("hold.yaml", "Until which day should we", f"{'Well, ' * 45} until which day should we", "gethuman-verbose"),
        ("hold.yaml", "    ask: day\n", "    ask: day\n    bargein: false\n", "gethuman-bargein"),
    ],
)
def test_each_rule_finds_its_fault(file: str, old: str, new: str, code: str) -> None:
    assert old in SOURCES[file]
    broken = {**SOURCES, file: SOURCES[file].replace(old, new, 1)}
    assert found(broken) == [code]
    assert found(broken, frozenset({"queue.yaml"})) == [], "of another file nothing is said"


def test_a_question_for_voices_only_is_found() -> None:
    sources = {**SOURCES, "main.yaml": re.sub(r"key: \d, ", "", SOURCES["main.yaml"])}
    assert set(found(sources)) == {"gethuman-keys"}


def test_a_call_back_must_be_offered() -> None:
    sources = {name: text.replace("callback.request", "notes.delete_all") for name, text in SOURCES.items()}
    sources = {name: text.replace("no_number:", "none:") for name, text in sources.items()}
    assert "gethuman-callback" in found(sources)


def test_a_second_language_must_be_there() -> None:
    sources = {name: text for name, text in SOURCES.items() if "es-ES" not in name}
    assert found(sources) == ["gethuman-language"]


def test_what_does_not_load_is_the_checkers_business() -> None:
    assert found({"main.yaml": "flow: [\n"}) == []
