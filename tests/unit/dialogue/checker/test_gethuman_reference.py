"""The GetHuman profile on the reference flows: they keep it, and whatever is taken from them is missed."""

from __future__ import annotations

import re

import pytest

from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.source import read_directory
from ivr.reference import COMPANY
from tests.flows.reference import FLOWS

SOURCES = read_directory(FLOWS)
FACTS = LineFacts(COMPANY.all_signatures, entries=("main",))


def found(sources: dict[str, str]) -> dict[str, str]:
    """Codes, and the file each stands in."""
    findings = check_sources(sources, FACTS, profile="gethuman-1.0").findings
    assert all(f.remedy for f in findings)
    assert all(f.line for f in findings if f.code.startswith("gethuman"))
    return {f.code: f.file for f in findings}


def test_the_reference_flows_keep_to_it() -> None:
    assert found(SOURCES) == {}


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("hold.yaml", "Until which day should we", f"{'Well, ' * 45} until which day should we", "gethuman-6"),
        ("hold.yaml", "    ask: day\n", "    ask: day\n    bargein: false\n", "gethuman-7"),
    ],
)
def test_each_rule_finds_its_fault(file: str, old: str, new: str, code: str) -> None:
    assert old in SOURCES[file]
    assert found({**SOURCES, file: SOURCES[file].replace(old, new, 1)}) == {code: file}


def test_a_question_for_voices_only_is_found() -> None:
    """Rule 5 is proved for every flow: a choice that can only be said is an error without any profile."""
    sources = {**SOURCES, "main.yaml": re.sub(r"key: \d, ", "", SOURCES["main.yaml"])}
    assert found(sources)["no-key"] == "main.yaml"


def test_a_call_back_must_be_offered() -> None:
    sources = {name: text.replace("callback.request", "notes.delete_all") for name, text in SOURCES.items()}
    sources = {name: text.replace("no_number:", "none:") for name, text in sources.items()}
    assert found(sources)["gethuman-4"] == "human.yaml"


def test_a_second_language_must_be_there() -> None:
    sources = {name: text for name, text in SOURCES.items() if "es-ES" not in name}
    assert found(sources)["gethuman-9"] == "universals.yaml"


def test_a_second_language_must_be_within_reach() -> None:
    universals = re.sub(r"^languages:\n(?:(?: .*)?\n)*", "", SOURCES["universals.yaml"], flags=re.MULTILINE)
    main = SOURCES["main.yaml"].replace("language: es-ES, goto: welcome", "goto: welcome")
    assert found({**SOURCES, "universals.yaml": universals, "main.yaml": main}) == {"gethuman-9": "universals.yaml"}


def test_words_said_in_one_breath_are_counted_together() -> None:
    """Three pieces of a prompt that are always said, each short enough by itself."""
    piece = "{say: " + "word " * 16 + "}"
    sources = {
        **SOURCES,
        "hold.yaml": re.sub(
            r'    prompt: "Until which day.*', f"    prompt: [{piece}, {piece}, {piece}]", SOURCES["hold.yaml"]
        ),
    }
    assert "gethuman-6" in found(sources)
    exclusive = piece.replace("{say", "{if: hours.open, say")
    sources["hold.yaml"] = sources["hold.yaml"].replace(f"{piece}, {piece}]", f"{exclusive}, {exclusive}]")
    assert "gethuman-6" not in found(sources)


def test_what_does_not_load_is_the_checkers_business() -> None:
    assert not any(code.startswith("gethuman") for code in found({"main.yaml": "flow: [\n"}))
