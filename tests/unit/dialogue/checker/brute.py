"""The checker's opponent: random small flows, and a search through every configuration a call can be in.

Written from the language's description, not from the checker: a configuration is the whole stack of (flow, state,
filled variables) with the debt to the caller, and every one that can be reached is visited. Slow, and plainly right.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ivr.dialogue.flows.library import load_library
from ivr.dialogue.flows.mixed_initiative import asks_for
from ivr.dialogue.flows.signature import ActionSignature

SIGNATURES = {
    "act": ActionSignature("act", outcomes=("ok", "no"), returns={"value": "number"}),
    "risky": ActionSignature("risky", outcomes=("ok",), risk="irreversible"),
    "callback.request": ActionSignature("callback.request", promises="callback"),
}
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
VARIABLES = ("a", "b", "c")
CONDITIONS = (
    "filled(a)", "not filled(a)", "filled(b)", "a == 1", "hours.open", "not hours.open", "call.caller",
    "filled(a) and filled(b)", "filled(a) or hours.open", "filled(c) and not filled(b)", "b != 2",
)  # fmt: skip

Spec = dict[str, Any]


def random_flows(seed: int) -> dict[str, Spec]:
    """A main flow, a human flow, and often a sub-flow that either may call."""
    dice = random.Random(seed)
    flows: dict[str, Spec] = {}
    with_sub = dice.random() < 0.6
    if with_sub:
        flows["sub"] = _flow(dice, "sub", dice.randint(1, 4), returns=True, call=False)
    flows["main"] = _flow(dice, "main", dice.randint(1, 6), returns=False, call=with_sub)
    flows["human"] = _flow(dice, "human", dice.randint(1, 4), returns=False, call=with_sub and dice.random() < 0.3)
    if dice.random() < 0.7:
        first = next(iter(flows["human"]["states"]))
        targets = [*flows["human"]["states"], "human"]
        flows["human"]["states"][first] = {
            "handoff": {}, "on": {o: _edge(dice, targets) for o in ("closed", "failed")},
        }  # fmt: skip
    if dice.random() < 0.5:
        flows["human"] = _safe_human(dice)
    return flows


def _safe_human(dice: random.Random) -> Spec:
    """A human flow as it should be, most of the time."""
    after = dice.choice(["s3", "s3", "s3", "s1", "human", "s0"])
    return {
        "flow": "human", "start": "s0", "variables": dict.fromkeys(VARIABLES, "number"), "intents": {"go": ["go on"]},
        "states": {
            "s0": {"handoff": {}, "on": {"closed": "s1", "failed": dice.choice(["s1", "s1", "s0"])}},
            "s1": {"prompt": "Text.", "ask": "a", "goto": "s2"},
            "s2": {
                "prompt": "It is {a}.", "action": "callback.request",
                "on": {"ok": "s3", "failed": after, "timeout": after},
            },
            "s3": {"prompt": "Text.", "end": "done"},
        },
    }  # fmt: skip


def _flow(dice: random.Random, name: str, size: int, *, returns: bool, call: bool) -> Spec:
    names = [f"s{i}" for i in range(size)]
    targets = [*names, *names, *names, "human", dice.choice(["human", "goodbye", "back", "again"])]
    spec: Spec = {"flow": name, "start": "s0", "variables": dict.fromkeys(VARIABLES, "number"), "intents": {}}
    if returns:
        spec["parameters"] = {"a": "number"}
        del spec["variables"]["a"]
    spec["intents"] = {"go": ["go on"], "say_b": ["it is {b}"], "other": ["something else", "{c} it is"]}
    spec["states"] = {n: _state(dice, name, targets, returns=returns, call=call) for n in names}
    return spec


def _edge(dice: random.Random, targets: list[str]) -> Any:
    edge: Spec = {"goto": dice.choice(targets)}
    if dice.random() < 0.15:
        edge["set"] = {dice.choice(VARIABLES): dice.randint(1, 3)}
    if dice.random() < 0.2:
        edge["clear"] = [dice.choice(VARIABLES)]
    if dice.random() < 0.1:
        edge["say"] = "It is {" + dice.choice(VARIABLES) + "}."
    return edge


def _state(dice: random.Random, flow: str, targets: list[str], *, returns: bool, call: bool) -> Spec:
    kinds = ["say", "ask", "choices", "action", "branch", "branch", "end", "ask"]
    kinds += ["return", "return"] if returns else []
    kinds += ["call", "call"] if call else []
    kinds += ["handoff", "callback", "callback"] if flow == "human" else []
    kind = dice.choice(kinds)
    state: Spec = {"prompt": "Text."}
    if dice.random() < 0.25:
        state["prompt"] = "It is {" + dice.choice(VARIABLES) + "}."
    if dice.random() < 0.1:
        state["clear"] = [dice.choice(VARIABLES)]
    if dice.random() < 0.1:
        state["set"] = {dice.choice(VARIABLES): 1}

    def edge() -> Any:
        return _edge(dice, targets)

    match kind:
        case "say":
            state["goto"] = edge()
        case "ask":
            state |= {"ask": dice.choice(VARIABLES), "goto": edge()}
        case "choices":
            state["choices"] = [
                {"intent": i, **edge()} for i in dice.sample(["go", "say_b", "other"], dice.randint(1, 2))
            ]
            if dice.random() < 0.5:
                state["choices"][0] |= {"key": "1", "label": "one"}
            if dice.random() < 0.3:
                state["choices"][0]["if"] = dice.choice(CONDITIONS)
        case "action":
            outcomes = ("ok", "no", "failed", "timeout")
            state |= {"action": "act", "on": {o: edge() for o in outcomes}}
            if dice.random() < 0.4:
                state["returns"] = {dice.choice(VARIABLES): "value"}
            if dice.random() < 0.2:
                state |= {"action": "risky", "confirm": {"policy": "explicit", "prompt": "Sure?", "no": edge()}}
                state.pop("returns", None)
                del state["on"]["no"]
        case "callback":
            state |= {"action": "callback.request", "on": {o: edge() for o in ("ok", "failed", "timeout")}}
        case "branch":
            cases: list[Spec] = [{"if": dice.choice(CONDITIONS), **edge()} for _ in range(dice.randint(1, 2))]
            if dice.random() < 0.85:
                cases.append(edge())
            state["when"] = cases
        case "end":
            state["end"] = "done"
        case "return":
            state["return"] = dice.choice(["done", "none"])
            if dice.random() < 0.5:
                state["values"] = {"given": dice.choice(VARIABLES)}
        case "call":
            state |= {"call": "sub", "on": {r: edge() for r in ("done", "none")}}
            if dice.random() < 0.5:
                state["with"] = {"a": dice.choice(["1", dice.choice(VARIABLES)])}
            if dice.random() < 0.5:
                state["returns"] = {dice.choice(VARIABLES): "given"}
        case "handoff":
            state |= {"handoff": {}, "on": {o: edge() for o in ("closed", "failed")}}
    return state


def as_files(flows: dict[str, Spec]) -> dict[str, str]:
    """One line a state (JSON is YAML), so that a finding's line says which state it is about."""
    files = {"universals.yaml": UNIVERSALS}
    for name, spec in flows.items():
        head = [f"{k}: {json.dumps(v)}" for k, v in spec.items() if k != "states"]
        body = [f"  {sid}: {json.dumps(state)}" for sid, state in spec["states"].items()]
        files[f"{name}.yaml"] = "\n".join([*head, "states:", *body]) + "\n"
    return files


def line_of(flows: dict[str, Spec], flow: str, state: str) -> int:
    spec = flows[flow]
    return len(spec) - 1 + 1 + list(spec["states"]).index(state) + 1


Frames = tuple[tuple[str, str, frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class Where:
    frames: Frames
    owed: bool
    tried: bool
    asked: bool


@dataclass
class Verdict:
    """What the search found: states by (flow, state)."""

    visited: set[tuple[str, str]] = field(default_factory=set)
    unfilled: set[tuple[str, str, str]] = field(default_factory=set)
    hangs_up: set[tuple[str, str]] = field(default_factory=set)
    nothing_before: set[tuple[str, str]] = field(default_factory=set)
    no_else: set[tuple[str, str]] = field(default_factory=set)
    loops: bool = False
    not_reached: set[tuple[str, str]] = field(default_factory=set)
    promised: bool = False
    goodbyes: int = 0


def search(flows: dict[str, Spec]) -> Verdict:
    verdict = Verdict()
    called = {s["call"] for f in flows.values() for s in f["states"].values() if "call" in s}
    roots = [f for f in flows if f not in called]
    for hours in (True, False):
        for root in roots:
            _Search(flows, hours, verdict).run(root)
    _first_stops(flows, verdict)
    return verdict


def holds(condition: str, filled: frozenset[str], hours: bool) -> bool | None:
    """The few conditions the generator writes."""
    facts = {"hours.open": hours, "not hours.open": not hours, "call.caller": None}
    if condition in facts:
        return facts[condition]
    match condition:
        case "filled(a)":
            return "a" in filled
        case "not filled(a)":
            return "a" not in filled
        case "filled(b)":
            return "b" in filled
        case "a == 1":
            return None if "a" in filled else False
        case "b != 2":
            return None if "b" in filled else False
        case "filled(a) and filled(b)":
            return {"a", "b"} <= filled
        case "filled(a) or hours.open":
            return "a" in filled or hours
        case "filled(c) and not filled(b)":
            return "c" in filled and "b" not in filled
    raise AssertionError(condition)


class _Search:
    def __init__(self, flows: dict[str, Spec], hours: bool, verdict: Verdict) -> None:
        self.flows, self.hours, self.verdict = flows, hours, verdict
        self.silent: dict[Where, list[Where]] = {}
        library = load_library(as_files(flows), SIGNATURES).library
        assert library is not None
        self.asked = {name for name in VARIABLES if asks_for(library.flows, "sub", name)}

    def run(self, root: str) -> None:
        start = Where(((root, self.flows[root]["start"], frozenset()),), True, False, False)
        queue, seen = deque([start]), {start}
        while queue:
            here = queue.popleft()
            self.silent[here] = []
            for after, heard in self.steps(here):
                if not heard:
                    self.silent[here].append(after)
                if after not in seen:
                    seen.add(after)
                    queue.append(after)
        if _has_cycle(self.silent):
            self.verdict.loops = True

    # Every way on from a configuration, noting on the way what is wrong.
    def steps(self, here: Where) -> Iterator[tuple[Where, bool]]:
        flow, sid, filled = here.frames[-1]
        state = self.flows[flow]["states"][sid]
        self.verdict.visited.add((flow, sid))
        filled = filled | set(state.get("set", {}))
        ask = state.get("ask")
        if ask and ask in filled:
            yield from self.take(here, filled, state["goto"], heard=False)
            return
        self.text(state.get("prompt", ""), filled, flow, sid)
        if ask or "choices" in state:
            yield from self.question(here, filled, state)
        elif "action" in state:
            yield from self.action(here, filled, state)
        elif "when" in state:
            for case in state["when"]:
                truth = holds(case["if"], filled, self.hours) if "if" in case else True
                if truth is not False:
                    yield from self.take(here, filled, case, heard=False)
                if truth:
                    return
            self.verdict.no_else.add((flow, sid))
        elif "end" in state:
            if here.owed:
                self.verdict.hangs_up.add((flow, sid))
        elif "return" in state:
            yield from self.give_back(here, filled, state)
        elif "call" in state:
            given = state.get("with", {})
            for name, value in given.items():
                if name not in self.asked:  # else the sub-flow asks for what it is not given
                    self.use(value, filled, flow, sid)
            empty = {n for n, value in given.items() if n in self.asked and value in VARIABLES and value not in filled}
            inside = ("sub", self.flows["sub"]["start"], frozenset(given) - empty)
            yield Where((*here.frames[:-1], (flow, sid, filled), inside), here.owed, here.tried, here.asked), False
        elif "handoff" in state:
            for edge in state["on"].values():
                yield from self.take(here, filled, edge, heard=False, owed=True, tried=True)
        else:
            yield from self.take(here, filled, state["goto"], heard=False)

    def question(self, here: Where, filled: frozenset[str], state: Spec) -> Iterator[tuple[Where, bool]]:
        flow = here.frames[-1][0]
        if state.get("ask"):
            yield from self.take(here, filled | {state["ask"]}, state["goto"], heard=True, owed=False, asked=True)
        slots: dict[str, list[set[str]]] = {"go": [set()], "say_b": [{"b"}], "other": [set(), {"c"}]}
        for choice in state.get("choices", ()):
            if "if" in choice and holds(choice["if"], filled, self.hours) is False:
                continue
            ways: list[frozenset[str]] = [frozenset(s) for s in slots[choice["intent"]]] + (
                [frozenset()] if "key" in choice else []
            )
            for way in ways:
                yield from self.take(here, filled | way, choice, heard=True, owed=False, asked=True)
        assert flow in self.flows
        yield from self.take(here, filled, {"goto": "human"}, heard=True)

    def action(self, here: Where, filled: frozenset[str], state: Spec) -> Iterator[tuple[Where, bool]]:
        name = state["action"]
        explicit = name == "risky"
        returned = set(state.get("returns", {}))
        for outcome, edge in state["on"].items():
            owed = False if explicit else here.owed
            after = filled | returned
            if outcome in ("failed", "timeout"):
                owed = True
                after = filled - returned
                if name == "callback.request" and here.tried:
                    owed = False
            elif name == "callback.request":
                owed = False
                self.verdict.promised |= not self.hours and here.frames[0][0] == "human"
            yield from self.take(here, after, edge, heard=explicit, owed=owed)
        if name == "callback.request" and not self.hours and here.frames[0][0] == "human":
            self.verdict.promised = True
        if explicit:
            yield from self.take(here, filled, state["confirm"]["no"], heard=True, owed=False)

    def give_back(self, here: Where, filled: frozenset[str], state: Spec) -> Iterator[tuple[Where, bool]]:
        flow, sid, _ = here.frames[-1]
        values = state.get("values", {})
        for value in values.values():
            self.use(value, filled, flow, sid)
        if len(here.frames) < 2:
            return
        above, caller, known = here.frames[-2]
        calling = self.flows[above]["states"][caller]
        returns = calling.get("returns", {})
        known = (known - set(returns)) | {mine for mine, theirs in returns.items() if theirs in values}
        outer = Where(here.frames[:-1], here.owed, here.tried, here.asked)
        yield from self.take(outer, known, calling["on"][state["return"]], heard=False)

    def take(
        self, here: Where, filled: frozenset[str], edge: Any, *, heard: bool,
        owed: bool | None = None, tried: bool | None = None, asked: bool = False,
    ) -> Iterator[tuple[Where, bool]]:  # fmt: skip
        flow, sid, _ = here.frames[-1]
        state = self.flows[flow]["states"][sid]
        edge = {"goto": edge} if isinstance(edge, str) else edge
        if "say" in edge:
            self.text(edge["say"], filled, flow, sid)
        filled = (filled | set(edge.get("set", {}))) - set(edge.get("clear", ())) - set(state.get("clear", ()))
        owes = here.owed if owed is None else owed
        tries = here.tried if tried is None else tried
        asks = here.asked or asked
        match edge["goto"]:
            case "human":
                if here.frames[0][0] == "human":
                    start = self.flows["human"]["start"]
                    yield Where((("human", start, frozenset()),), True, tries, asks), heard
            case "goodbye":
                self.verdict.goodbyes += 1
                if owes:
                    self.verdict.hangs_up.add((flow, sid))
            case "back":
                if not asks:
                    self.verdict.nothing_before.add((flow, sid))
            case "again":
                yield Where((*here.frames[:-1], (flow, sid, filled)), owes, tries, asks), heard
            case target:
                yield Where((*here.frames[:-1], (flow, target, filled)), owes, tries, asks), heard

    def text(self, text: str, filled: frozenset[str], flow: str, sid: str) -> None:
        if "{" in text:
            self.use(text[text.index("{") + 1], filled, flow, sid)

    def use(self, name: object, filled: frozenset[str], flow: str, sid: str) -> None:
        if isinstance(name, str) and name in VARIABLES and name not in filled:
            self.verdict.unfilled.add((flow, sid, name))


def _has_cycle(onward: dict[Where, list[Where]]) -> bool:
    done: set[Where] = set()
    for root in onward:
        if root in done:
            continue
        path: list[tuple[Where, Iterator[Where]]] = [(root, iter(onward[root]))]
        on_path = {root}
        while path:
            node, rest = path[-1]
            for after in rest:
                if after in on_path:
                    return True
                if after not in done:
                    on_path.add(after)
                    path.append((after, iter(onward[after])))
                    break
            else:
                done.add(node)
                on_path.discard(node)
                path.pop()
    return False


def _first_stops(flows: dict[str, Spec], verdict: Verdict) -> None:
    """With the desk open: where a silent caller in the human flow stops before any handoff was tried."""
    finder = _Search(flows, True, Verdict())
    start = Where((("human", flows["human"]["start"], frozenset()),), True, False, False)
    queue, seen = deque([start]), {start}
    while queue:
        here = queue.popleft()
        flow, sid, filled = here.frames[-1]
        state = flows[flow]["states"][sid]
        if here.tried or "handoff" in state:
            continue
        if "end" in state:
            verdict.not_reached.add((flow, sid))
            continue
        filled = filled | set(state.get("set", {}))
        asks = ("ask" in state and state["ask"] not in filled) or "choices" in state or state.get("action") == "risky"
        if asks:
            verdict.not_reached.add((flow, sid))
            continue
        finder.verdict = Verdict()
        after = [w for w, heard in finder.steps(here) if not heard]
        if finder.verdict.hangs_up or finder.verdict.nothing_before or finder.verdict.goodbyes:
            verdict.not_reached.add((flow, sid))
        for where in after:
            if where not in seen:
                seen.add(where)
                queue.append(where)
