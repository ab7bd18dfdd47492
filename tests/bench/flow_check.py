"""How long a flow of 1,000 states takes to check, beside the floor: parsing its YAML alone, in the same run.

    python -m tests.bench.flow_check [STATES]

The flow is like the reference ones: questions with intents and keys, slots asked for, actions with every edge,
branches, loops back to menus. It must check clean, so that nothing is skipped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import yaml

from ivr.dialogue.checker.check import check
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.library import load_library
from ivr.dialogue.flows.signature import ActionSignature, Parameter

SIGNATURES = {
    s.name: s
    for s in (
        ActionSignature("order.place", (Parameter("title", "title"), Parameter("count", "number")), risk="reversible"),
        ActionSignature("order.read", returns={"text": "text"}),
        ActionSignature("callback.request", (Parameter("number", "digits"),), risk="reversible", promises="callback"),
    )
}
UNIVERSALS = """\
universals: true
human: {phrases: [agent, operator, a person, representative], keys: ["0", "*0", "#0"]}
repeat: {phrases: [repeat, say that again], keys: ["**"]}
help: {phrases: [help, what can i say], keys: ["*1"]}
back: {phrases: [go back, previous], keys: ["*2"]}
goodbye: {phrases: [goodbye, bye], keys: ["*9"]}
"yes": ["yes", "sure"]
"no": ["no", "nope"]
"""
HUMAN = """\
flow: human
start: desk
variables: {number: {type: digits, length: [7, 15]}}
states:
  desk: {handoff: {}, on: {closed: ask, failed: ask}}
  ask: {ask: number, prompt: "Which number should we call?", goto: promise}
  promise: {action: callback.request, with: {number: number}, on: {ok: promised, failed: sorry, timeout: sorry}}
  promised: {prompt: "We will call you back.", end: callback}
  sorry: {prompt: "We could not note that down.", end: closed}
"""
_WORDS = (
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "falcon",
    "garden",
    "harbor",
    "island",
    "jungle",
    "kettle",
    "ladder",
    "meadow",
    "nectar",
    "orchid",
    "pepper",
    "quartz",
    "ribbon",
    "saddle",
    "umbra",
    "velvet",
    "walnut",
    "yonder",
    "zephyr",
)


def words(number: int) -> str:
    """A phrase of its own for every number, none sounding like another's neighbour."""
    count = len(_WORDS)
    return f"{_WORDS[number % count]} {_WORDS[number // count % count]} {_WORDS[number // count // count % count]}"


def large_flow(states: int) -> dict[str, str]:
    """Blocks of ten states, each a menu with what it offers; ``states`` is rounded down to tens."""
    blocks = states // 10
    head = ["flow: main", "start: menu0", "variables:"]
    intents, body = ["intents:"], ["states:"]
    for b in range(blocks):
        after = (b + 1) % blocks
        head += [f"  film{b}: {{type: title, from: [catalogue]}}", f"  count{b}: {{type: number, min: 1, max: 20}}"]
        head += [f"  text{b}: text"]
        for i, name in enumerate(("order", "hear", "on")):
            said = words(b * 3 + i)
            intents.append(f'  {name}{b}: ["{said}", "i want {said}", "{name} the {said} [please]"]')
        body += [
            f"  menu{b}:",
            f'    prompt: {{1: "What about {words(b)}?", 2: "Anything else?"}}',
            f'    help: "You can say {words(b * 3)}."',
            "    choices:",
            f'      - {{intent: order{b}, key: 1, label: "{words(b * 3)}", goto: film{b}}}',
            f'      - {{intent: hear{b}, key: 2, label: "{words(b * 3 + 1)}", goto: read{b}}}',
            f'      - {{intent: on{b}, key: 3, label: "{words(b * 3 + 2)}", goto: menu{after}}}',
            f'  film{b}: {{ask: film{b}, prompt: "Which film?", goto: count{b}}}',
            f'  count{b}: {{ask: count{b}, prompt: "How many of {{film{b}}}?", goto: big{b}}}',
            f"  big{b}:",
            "    when:",
            f'      - {{if: "count{b} > 10", goto: many{b}}}',
            f"      - {{goto: place{b}}}",
            f'  many{b}: {{prompt: "That is too many.", goto: {{goto: count{b}, clear: [count{b}]}}}}',
            f"  place{b}:",
            "    action: order.place",
            f"    with: {{title: film{b}, count: count{b}}}",
            f'    confirm: {{policy: auto, prompt: "{{count{b}}} of {{film{b}}}?"}}',
            f"    on: {{ok: done{b}, failed: sorry{b}, timeout: sorry{b}}}",
            f'  done{b}: {{prompt: "{{film{b}}} is ordered.", clear: [film{b}, count{b}], goto: menu{b}}}',
            f"  read{b}:",
            "    action: order.read",
            f"    returns: {{text{b}: text}}",
            f"    on: {{ok: say{b}, failed: sorry{b}, timeout: sorry{b}}}",
            f'  say{b}: {{prompt: "{{text{b}}}", goto: menu{b}}}',
            f'  sorry{b}: {{prompt: "Something is broken.", goto: human}}',
        ]
    return {
        "universals.yaml": UNIVERSALS,
        "human.yaml": HUMAN,
        "main.yaml": "\n".join([*head, *intents, *body]) + "\n",
    }


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of several runs."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


def main() -> int:
    states = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    sources = large_flow(states)
    text = sources["main.yaml"]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    floor = best(lambda: sum(1 for _ in yaml.parse(text, Loader=loader)))
    load = best(lambda: load_library(sources, SIGNATURES))
    library = load_library(sources, SIGNATURES).library
    assert library is not None, [f.render() for f in load_library(sources, SIGNATURES).findings]
    findings = check(library, LineFacts())
    assert not findings, "\n".join(f.render() for f in findings[:5])
    checked = best(lambda: check(library, LineFacts()))
    count = sum(len(f.states) for f in library.flows.values())
    print(f"{count} states, {len(text):,} characters")
    print(f"parse alone (floor)  {floor:7.3f} s")
    print(f"load (parse + model) {load:7.3f} s   {load / floor:5.1f} x floor")
    print(f"check                {checked:7.3f} s   {checked / floor:5.1f} x floor")
    print(f"load and check       {load + checked:7.3f} s   limit 1 s: {'met' if load + checked < 1 else 'MISSED'}")
    return 0 if load + checked < 1 else 1


if __name__ == "__main__":
    raise SystemExit(main())
