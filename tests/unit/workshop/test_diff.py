"""What changed, in words: every kind of change is told, and nothing that did not change."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.state import State
from ivr.workshop.compare.change import marked
from ivr.workshop.compare.diff import compare
from tests.unit.workshop.reference import changed, library, reference, sources

MUTATIONS: dict[str, tuple[tuple[str, str, str], str, str]] = {
    # file, old text, new text; kind of the change that must be told; words it must contain
    "prompt": (("queue.yaml", '"Which title?"', '"Which film?"'), "prompt", "‹film?›"),
    "stale words": (("queue.yaml", '"Which title?"', '"Which film?"'), "wording-stale", "¿Qué título?"),
    "help": (("hold.yaml", "We start sending again", "We begin sending again"), "prompt", "‹begin›"),
    "edge": (("queue.yaml", "ok: at_top", "ok: at_end"), "edge", "callers of queue.to_top now go to at_end"),
    "edge words": (("queue.yaml", "is already at the top.", "is at the top already."), "prompt", "already_there"),
    "edge clear": (
        ("hold.yaml", "refused: {goto: until, clear: [day],", "refused: {goto: until,"),
        "edge-clear",
        "forgets nothing, was day",
    ),
    "edge set": (("queue.yaml", "goto: read, set: {first: 1}", "goto: read, set: {first: 2}"), "edge-set", "first: 2"),
    "human lost": (
        ("hold.yaml", 'goto: {goto: human, reason: "deliveries could not be held", skill: general}', "goto: done"),
        "human-lost",
        "now go to done instead of human",
    ),
    "handoff": (("discs.yaml", "skill: discs, priority: 8", "skill: discs, priority: 2"), "handoff", "priority"),
    "phrase gained": (
        ("main.yaml", "    - what's next\n", "    - what's next\n    - which next\n"),
        "phrases-gained",
        "which next",
    ),
    "phrase lost": (("main.yaml", "    - what is next\n", ""), "phrases-lost", "what is next"),
    "value phrase": (("discs.yaml", "        - scratched\n", ""), "phrases-lost", "scratched"),
    "key": (("notes.yaml", 'key: 3, label: "correcting', 'key: 4, label: "correcting'), "key", "from key 3 to key 4"),
    "key gone": (("notes.yaml", 'key: 3, label: "correcting', 'label: "correcting'), "key", "no key now"),
    "label": (("notes.yaml", '"correcting something"', '"making a correction"'), "label", "correct"),
    "looser": (
        ("queue.yaml", 'policy: explicit, prompt: "Take', 'policy: auto, prompt: "Take'),
        "confirm-looser",
        "loosened",
    ),
    "tighter": (
        ("queue.yaml", 'policy: auto, prompt: "Swap', 'policy: explicit, prompt: "Swap'),
        "confirm-tighter",
        "tightened",
    ),
    "confirm words": (
        ("queue.yaml", '"Swap {title} and {other}?"', '"Really swap {title} and {other}?"'),
        "prompt",
        "asks before",
    ),
    "no": (("queue.yaml", "no: {goto: kept, clear: [title]}", "no: {goto: done, clear: [title]}"), "edge", "say no"),
    "condition": (("main.yaml", '"tries < 2"', '"tries < 3"'), "condition", "tries < ‹3›"),
    "timeout": (("hold.yaml", "    ask: day\n", "    ask: day\n    timeout: 9s\n"), "timeout", "9 s"),
    "hangover": (("main.yaml", "hangover: 800ms", "hangover: 900ms"), "hangover", "0.9 s"),
    "bargein": (("hold.yaml", "    ask: day\n", "    ask: day\n    bargein: false\n"), "bargein", "off"),
    "defaults": (("hold.yaml", "start: until\n", "start: until\ndefaults: {timeout: 9s}\n"), "timeout", "9 s"),
    "default bargein": (
        ("hold.yaml", "start: until\n", "start: until\ndefaults: {bargein: false}\n"),
        "bargein",
        "off",
    ),
    "variable": (("main.yaml", "length: 5", "length: 6"), "variable", "length 6, was 5"),
    "survives": (("hold.yaml", "day: {type: date, survive: true}", "day: date"), "variable", "survives"),
    "variable added": (("notes.yaml", "  notes: text\n", "  notes: text\n  spare: text\n"), "variable-added", "text"),
    "argument": (("queue.yaml", "position: -1}", "position: -2}"), "arguments", "-2, was -1"),
    "returns": (("queue.yaml", "last: last, more: more}", "more: more}"), "returns", "last"),
    "action": (("queue.yaml", "action: queue.add_to_top", "action: queue.add"), "action", "queue.add_to_top"),
    "http": (("hold.yaml", "method: PUT", "method: POST"), "http", "POST, was PUT"),
    "http risk": (("hold.yaml", "risk: reversible", "risk: irreversible"), "risk", "irreversible"),
    "state clear": (("main.yaml", "    clear: [willing]\n", ""), "clear", "willing"),
    "state set": (("main.yaml", "set: {willing: true}", "set: {willing: false}"), "set", "no, was yes"),
    "start": (("hold.yaml", "start: until", "start: hold"), "start", "hold instead of until"),
    "end": (("human.yaml", "end: closed", "end: shut"), "end", "shut instead of closed"),
    "about": (("hold.yaml", "Hold the member's", "Holds the member's"), "about", "‹Holds›"),
    "sub-flow": (
        ("main.yaml", "hear_notes: {call: notes,", "hear_notes: {call: hold,"),
        "call",
        "hold instead of notes",
    ),
    "risk keyword": (("universals.yaml", "[cancel, ", "["), "phrases-lost", "cancel"),
    "risk skill": (("universals.yaml", "skill: retention", "skill: general"), "handoff", "general"),
    "concept": (("universals.yaml", "films, lineup]", "films]"), "phrases-lost", "lineup"),
    "spanish concept": (("universals.es-ES.yaml", "[lista, ", "[lista, fila, "), "phrases-gained", "fila"),
    "human key": (("universals.yaml", '["0", "*0", "#0"]', '["0", "*0"]'), "key", "#0"),
    "one language": (
        ("universals.yaml", "human_flow: human\n", "human_flow: human\none_language: en-US\n"),
        "one-language",
        "alone",
    ),
    "human phrase": (("universals.yaml", "    - operator\n", ""), "phrases-lost", "operator"),
    "yes": (("universals.yaml", "  - yep\n", ""), "phrases-lost", "yep"),
    "sentence": (("universals.yaml", "I didn't hear anything.", "I heard nothing."), "prompt", "‹heard"),
    "spanish": (("queue.es-ES.yaml", "¿Qué título?", "¿Cuál título?"), "prompt", "‹¿Cuál›"),
    "oregon": (("main.en-US.oregon.yaml", "Sure thing.", "You bet."), "prompt", "bet"),
    "fragment": (("requests.yaml", '      - "put {title} on top"\n', ""), "phrases-lost", "put {title} on top"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_single_change_is_told(name: str) -> None:
    change, kind, words = MUTATIONS[name]
    comparison = compare(reference(), changed(change), proof=False)
    told = [c for c in comparison.changes if c.kind == kind]
    assert told, f"{name}: only {[(c.kind, c.text) for c in comparison.changes]}"
    assert any(words in " ".join((c.text, c.was, c.now, c.effect)) for c in told), [c.text for c in told]
    expected = change[0].partition(".")[0]
    assert {c.section for c in comparison.changes} == {expected}, "nothing else is told"


def test_the_same_is_empty() -> None:
    comparison = compare(reference(), library(sources()))
    assert not comparison
    assert comparison.render() == "the same\n"


def test_comments_and_layout_are_no_change_for_callers() -> None:
    comparison = compare(reference(), changed(("hold.yaml", "states:\n", "# a thought\nstates:\n\n")))
    assert not comparison
    assert "only comments" in comparison.render()


def _renamed(old: str, new: str) -> FlowLibrary:
    return library({f: t.replace(old, new) if f.startswith("queue") else t for f, t in sources().items()})


def test_a_renamed_state_is_one_change() -> None:
    comparison = compare(reference(), _renamed("which_title", "what_title"))
    assert [(c.kind, c.place) for c in comparison.changes] == [("state-renamed", "what_title")]


def test_a_renamed_flow_is_one_change() -> None:
    texts = dict(sources())
    for file in [f for f in texts if f.startswith("notes")]:
        texts[file.replace("notes", "records", 1)] = (
            texts.pop(file).replace("flow: notes", "flow: records").replace("wording: notes", "wording: records")
        )
    texts["main.yaml"] = texts["main.yaml"].replace("call: notes", "call: records")
    assert [c.kind for c in compare(reference(), library(texts)).changes] == ["flow-renamed"]


def test_a_state_added_and_one_removed() -> None:
    new = changed(
        (
            "hold.yaml",
            "  done: {return: done}",
            '  thanks: {prompt: "Have a good trip.", goto: done}\n  done: {return: done}',
        ),
        ("hold.yaml", "goto: done\n  sorry", "goto: thanks\n  sorry"),
    )
    there = compare(reference(), new)
    assert {c.kind for c in there.changes} >= {"state-added", "edge"}
    back = compare(new, reference())
    assert {c.kind for c in back.changes} >= {"state-removed", "edge"}


def test_what_the_checker_now_says_is_told() -> None:
    comparison = compare(reference(), changed(("queue.yaml", "ok: at_top", "ok: at_end")))
    assert [c.kind for c in comparison.changes if c.section == "checker"] == ["unreachable"]


def test_only_one_flow_is_of_interest() -> None:
    change = MUTATIONS["prompt"][0], MUTATIONS["timeout"][0]
    comparison = compare(reference(), changed(*change), only={"hold"}, proof=False)
    assert {c.section for c in comparison.changes} == {"hold"}


def test_json_holds_every_change() -> None:
    comparison = compare(reference(), changed(MUTATIONS["looser"][0]), proof=False)
    assert [c.as_json()["weight"] for c in comparison.changes] == ["care"]


def test_marked_words() -> None:
    assert marked("Which title?", "Which film?") == ("Which ‹title?›", "Which ‹film?›")
    assert marked("one two", "one two") == ("one two", "one two")


# --- whatever differs is told: fields changed at random ---------------------------------------------------------------


def _field_mutations(state: State) -> list[tuple[str, dict[str, Any]]]:
    """One change for each field of a state, made on the model so that no field is forgotten."""
    found: list[tuple[str, dict[str, Any]]] = []
    for field, value in state:
        if isinstance(value, bool):
            changed_value: Any = not value
        elif isinstance(value, str):
            changed_value = f"{value}x"
        elif isinstance(value, float | int):
            changed_value = value + 1
        elif isinstance(value, tuple):
            changed_value = (*value[:-1],) if value else ("other",) if field == "clear" else None
        elif isinstance(value, dict):
            changed_value = dict(list(value.items())[:-1]) if value else None
        elif value is not None and hasattr(value, "model_copy"):
            changed_value = None
        else:
            changed_value = 7.5 if field in ("timeout", "hangover") else False if field == "bargein" else None
        if changed_value is not None or value is not None:
            found.append((field, {field: changed_value}))
    return [
        (f, c) for f, c in found if c[f] is not None or f in ("goto", "confirm", "http", "handoff", "noinput", "help")
    ]


def test_no_field_of_a_state_changes_silently() -> None:
    old = reference()
    tried: Counter[tuple[str, str]] = Counter()  # (kind of state, field)
    for flow, name in [(f, s) for f in old.flows.values() for s in f.states]:
        for field, update in _field_mutations(flow.states[name]):
            case = (flow.states[name].kinds[0], field)
            if tried[case] >= 3:
                continue
            state = flow.states[name].model_copy(update=update)
            if state == flow.states[name]:
                continue
            tried[case] += 1
            other: Flow = flow.model_copy(update={"states": {**flow.states, name: state}})
            flows = {**old.flows, flow.flow: other}
            new = FlowLibrary(
                flows,
                old.universals,
                old.wordings,
                old.signatures,
                "x",
                old.versions,
                old.sources,
                old.parsed,
                old.files,
            )
            assert compare(old, new, proof=False), f"{flow.flow}.{name}: {field} changed and nothing was said"
    fields = {field for _, field in tried}
    assert fields >= {"prompt", "set", "clear", "ask", "choices", "action", "on", "goto", "about", "timeout", "when"}
