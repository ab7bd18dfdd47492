"""The GetHuman profile: each rule that flow files can break is found broken, and the reference flows keep them."""

from __future__ import annotations

import re

import pytest

from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding
from tests.unit.dialogue.checker.corpus import SIGNATURES, good


def profiled(changes: dict[tuple[str, str], str]) -> list[Finding]:
    sources = good()
    for (file, old), new in changes.items():
        assert old in sources[file]
        sources[file] = sources[file].replace(old, new)
    found = check_sources(sources, LineFacts(SIGNATURES, entries=("main",)), profile="gethuman-1.0").findings
    return [f for f in found if f.code.startswith("gethuman")]


def test_the_good_flows_keep_the_standard() -> None:
    assert [f.render() for f in profiled({})] == []


LONG = "We are so glad that you are calling us on this lovely day of all days and " * 3


@pytest.mark.parametrize(
    ("changes", "code", "file"),
    [
        ({("universals.yaml", '["0", "*0", "#0"]'): '["*0", "#0"]'}, "gethuman-1", "universals.yaml"),
        ({("universals.yaml", "[agent, operator,"): "[agent,"}, "gethuman-1", "universals.yaml"),
        ({("main.yaml", "    call: size\n"): "    call: size\n    set: {count: 1}\n"}, "gethuman-3", "main.yaml"),
        ({("main.yaml", "this is the film line."): LONG}, "gethuman-6", "main.yaml"),
        ({("main.yaml", "    help: "): "    bargein: false\n    help: "}, "gethuman-7", "main.yaml"),
    ],
)
def test_a_broken_rule_is_found(changes: dict[tuple[str, str], str], code: str, file: str) -> None:
    found = profiled(changes)
    assert {(f.code, f.file) for f in found} == {(code, file)}
    assert all(f.remedy for f in found)


def in_english(universals: str = "") -> list[Finding]:
    """The good files without their Spanish."""
    sources = {name: text for name, text in good().items() if name.count(".") == 1}
    sources["universals.yaml"] = re.sub(r"\nlanguages:\n(  .*\n)+", "\n", sources["universals.yaml"])
    sources["universals.yaml"] += universals
    found = check_sources(sources, LineFacts(SIGNATURES, entries=("main",)), profile="gethuman-1.0").findings
    return [f for f in found if f.code in ("gethuman-9", "one-language", "unknown-language")]


def test_a_second_language_is_asked_for_or_the_word_that_callers_have_none() -> None:
    (asked,) = in_english()
    assert (asked.code, asked.severity) == ("gethuman-9", "error")
    assert asked.remedy.endswith("or declare that they have none: one_language: en-US")
    (told,) = in_english("\none_language: en-US\n")
    assert (told.code, told.severity, told.text) == ("gethuman-9", "note", "en-US")
    assert told.why.startswith("declared: one language, en-US")
    assert in_english("\none_language: en-GB\n")[0].severity == "note", "it is one language still"


def test_that_word_holds() -> None:
    (wrong, *_) = in_english("\none_language: es-ES\n")
    assert (wrong.code, wrong.severity, wrong.text) == ("one-language", "error", "es-ES")
    assert wrong.remedy == "write en-US, which is spoken here"
    sources = {**good(), "universals.yaml": good()["universals.yaml"] + "\none_language: en-US\n"}
    found = check_sources(sources, LineFacts(SIGNATURES, entries=("main",))).findings
    assert [(f.code, f.text) for f in found] == [("one-language", "en-US")], "whatever the profile"
    assert "files speak es-ES" in found[0].why and "remove it" in found[0].remedy


def test_a_call_back_is_offered_when_nobody_answers_too() -> None:
    human = """\
flow: human
start: desk
variables: {number: {type: digits, length: [7, 15]}}
states:
  desk:
    when:
      - {if: "hours.open", goto: connect}
      - {goto: ask}
  connect: {handoff: {}, on: {closed: wait, failed: wait}}
  wait:
    prompt: "Nobody answers. Shall I try again?"
    choices:
      - {intent: "yes", key: 1, label: "another try", goto: connect}
      - {intent: "no", key: 2, label: "goodbye", goto: bye}
  ask: {ask: number, prompt: "Which number should we call?", goto: promise}
  promise: {action: callback.request, with: {number: number}, on: {ok: bye, failed: ask, timeout: ask}}
  bye: {prompt: "Goodbye.", end: done}
"""
    sources = {n: t for n, t in good().items() if n.count(".") == 1} | {"human.yaml": human}
    found = check_sources(sources, LineFacts(SIGNATURES, entries=("main",)), profile="gethuman-1.0").findings
    assert "gethuman-4" in {f.code for f in found}
    assert "no-callback" not in {f.code for f in found}
