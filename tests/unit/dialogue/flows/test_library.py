"""Files put together: fragments, overlays, versions, and what makes a directory unusable."""

from __future__ import annotations

import pytest

from ivr.dialogue.flows.library import load_library
from ivr.dialogue.flows.wording import Wordings

UNIVERSALS = """\
universals: true
human: {phrases: [agent], keys: ["0"]}
repeat: {phrases: [repeat]}
help: {phrases: [help]}
back: {phrases: [go back]}
goodbye: {phrases: [goodbye]}
"yes": ["yes"]
"no": ["no"]
"""
HUMAN = """\
flow: human
start: desk
states:
  desk: {handoff: {}, on: {closed: bye, failed: bye}}
  bye: {end: x}
"""
MAIN = """\
flow: main
use: [words]
start: ask
states:
  ask: {prompt: "Yes?", choices: [{intent: stop, key: 1, goto: bye}]}
"""
WORDS = """\
fragment: words
intents: {stop: [stop it]}
states:
  bye: {prompt: "Bye.", end: done}
  spare: {prompt: "Spare.", goto: bye}
"""
SPANISH = """\
wording: words
language: es-ES
prompts: {bye: "Adiós.", spare: "Otro."}
"""
MAIN_SPANISH = """\
wording: main
language: es-ES
prompts: {ask: "¿Sí?", spare: "Mío."}
"""
FILES = {
    "universals.yaml": UNIVERSALS,
    "human.yaml": HUMAN,
    "main.yaml": MAIN,
    "words.yaml": WORDS,
    "words.es-ES.yaml": SPANISH,
    "main.es-ES.yaml": MAIN_SPANISH,
}


def test_fragments_and_overlays_are_merged() -> None:
    loaded = load_library(FILES, {})
    assert loaded.findings == ()
    library = loaded.library
    assert library is not None
    main = library.flows["main"]
    assert set(main.states) == {"ask", "bye", "spare"}
    assert main.intents["stop"].phrases == ("stop it",)
    overlay = library.wordings["main", "es-ES", "neutral"]
    assert {k: v[1][0].say for k, v in overlay.prompts.items()} == {"bye": "Adiós.", "spare": "Mío.", "ask": "¿Sí?"}
    assert library.key_place("main", "states", "bye").file == "words.yaml"
    assert library.key_place("main", "states", "ask").file == "main.yaml"
    assert library.voices == (("en-US", "neutral"), ("es-ES", "neutral"))


def test_what_a_fragment_teaches_in_another_language_reaches_its_flows() -> None:
    taught = "intents: {stop: [pare]}\nexamples: {stop: [ya no siga]}\nnot: {stop: [no pare]}\n"
    library = load_library({**FILES, "words.es-ES.yaml": SPANISH + taught}, {}).library
    assert library is not None
    words = Wordings(library, "es-ES", "neutral")
    assert words.phrases("main", "stop") == ("pare",)
    assert words.examples("main", "stop") == ("ya no siga",)
    assert words.contrast("main", "stop") == {"": ("no pare",)}


def test_a_flow_may_override_its_fragment() -> None:
    mine = MAIN + '  bye: {prompt: "So long.", end: done}\n'
    library = load_library(FILES | {"main.yaml": mine}, {}).library
    assert library is not None
    assert library.flows["main"].states["bye"].prompt[1][0].say == "So long."


def test_versions_are_hashes_of_what_concerns_a_flow() -> None:
    first = load_library(FILES, {}).library
    again = load_library(dict(reversed(FILES.items())), {}).library
    other = load_library(FILES | {"words.es-ES.yaml": SPANISH.replace("Adiós", "Hasta luego")}, {}).library
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.version == again.version != other.version
    assert first.versions["main"] != other.versions["main"]
    assert first.versions["human"] == other.versions["human"]


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "line"),
    [
        ("main.yaml", "goto: bye", "goto: bey", "unknown-target", 5),
        ("main.yaml", "start: ask", "start: aks", "unknown-start", 3),
        ("main.yaml", "use: [words]", "use: [wrods]", "unknown-fragment", 2),
        ("human.yaml", "bye: {end: x}", "bye: {call: mian, on: {}}", "unknown-flow", 5),
        ("human.yaml", "bye: {end: x}", "bye: {prompt: x}", "dead-end", 5),
        ("human.yaml", "bye: {end: x}", "bye: {about: x}", "no-kind", 5),
        ("human.yaml", "bye: {end: x}", "bye: {end: x, resume: true}", "several-kinds", 5),
        ("human.yaml", "flow: human", "flow: humans", "no-human-flow", 1),
        ("human.yaml", "flow: human", "flow: humans", "file-name", 1),
        ("human.yaml", "flow: human", "flow: main", "duplicate-name", 1),
        ("main.es-ES.yaml", "wording: main", "wording: mian", "unknown-flow", 1),
        ("main.es-ES.yaml", "wording: main", "wording: words", "duplicate-name", 1),
        ("main.es-ES.yaml", "language: es-ES", "language: es-MX", "file-name", 2),
        ("human.yaml", "bye: {end: x}", "back: {end: x}", "bad-name", 5),
    ],
)
def test_unusable(file: str, old: str, new: str, code: str, line: int) -> None:
    assert old in FILES[file]
    loaded = load_library(FILES | {file: FILES[file].replace(old, new)}, {})
    assert loaded.library is None
    found = [(f.code, f.line) for f in loaded.findings if f.file == file or not f.line or code.startswith("no-")]
    assert (code, line) in found, [f.render() for f in loaded.findings]


def test_without_universals_or_flows_nothing_works() -> None:
    codes = {f.code for f in load_library({}, {}).findings}
    assert codes == {"no-universals", "no-flow"}


def test_a_misspelt_key_leaves_a_draft_to_check() -> None:
    loaded = load_library(FILES | {"main.yaml": MAIN.replace("prompt", "promt")}, {})
    assert loaded.library is None
    assert [f.code for f in loaded.errors] == ["unknown-key"]
    assert loaded.draft is not None
    assert "ask" in loaded.draft.flows["main"].states
