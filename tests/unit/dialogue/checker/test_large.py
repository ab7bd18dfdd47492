"""Flows with more variables than are tracked at once: still no false alarm, and still every real one."""

from __future__ import annotations

from ivr.dialogue.checker.check import check
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import load_library
from tests.bench.flow_check import HUMAN, SIGNATURES, UNIVERSALS, large_flow, words


def hub(spokes: int, change: tuple[str, str] = ("", "")) -> tuple[Finding, ...]:
    """A menu from which ``spokes`` slots are asked for, in any order, and never forgotten."""
    head = ["flow: main", "start: menu", "variables:"]
    head += [f"  v{i}: {{type: title, from: [catalogue]}}" for i in range(spokes)]
    intents = ["intents:", *(f'  go{i}: ["{words(i)}"]' for i in range(spokes))]
    body = ["states:", "  menu:", '    prompt: "What?"', "    choices:"]
    for i in range(spokes):
        key = f'key: {i + 1}, label: "{words(i)}", ' if i < 9 else ""
        body.append(f"      - {{intent: go{i}, {key}goto: ask{i}}}")
    for i in range(spokes):
        body.append(f'  ask{i}: {{ask: v{i}, prompt: "Which?", goto: say{i}}}')
        body.append(f'  say{i}: {{prompt: "It is {{v{i}}}.", goto: menu}}')
    main = "\n".join([*head, *intents, *body, ""])
    old, new = change
    assert old in main
    sources = {"universals.yaml": UNIVERSALS, "human.yaml": HUMAN, "main.yaml": main.replace(old, new, 1)}
    library = load_library(sources, SIGNATURES).library
    assert library is not None
    return check(library, LineFacts())


def test_a_good_hub_is_clean_whatever_its_size() -> None:
    assert [[f.render() for f in hub(n)] for n in (4, 10, 11, 30)] == [[]] * 4


def test_a_loop_through_a_filled_slot_is_found_among_many() -> None:
    for spokes in (9, 30):
        found = hub(spokes, ('It is {v3}.", goto: menu}', 'It is {v3}.", goto: ask3}'))
        assert {f.code for f in found} == {"silent-loop"}


def test_a_slot_used_too_early_is_found_among_many() -> None:
    for spokes in (9, 30):
        found = hub(spokes, ('ask5: {ask: v5, prompt: "Which?"', 'ask5: {ask: v5, prompt: "Not {v6}?"'))
        assert {f.code for f in found} == {"not-filled"}
        assert found[0].path[-1] == "main.ask5"


def test_the_bench_flow_is_clean_and_faults_in_it_are_found() -> None:
    sources = large_flow(300)
    library = load_library(sources, SIGNATURES).library
    assert library is not None
    assert check(library, LineFacts()) == ()
    broken = sources["main.yaml"].replace("clear: [count7]}", "clear: []}")
    library = load_library(sources | {"main.yaml": broken}, SIGNATURES).library
    assert library is not None
    found = check(library, LineFacts())
    assert {f.code for f in found} == {"silent-loop"}
    assert "main.count7" in found[0].path
