"""DTMF grammars: whatever can be said can be keyed, and no key means two things."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.graph import components
from ivr.dialogue.flows.model import UNIVERSALS, Flow, Universal
from ivr.dialogue.flows.model_errors import listing
from ivr.dialogue.flows.state import STAYING_TARGETS, State

MOST_KEYS = 9


def check_dtmf_grammars(findings: Findings) -> None:
    taken = _universal_keys(findings)
    reaches = _Reaches(findings)
    for name, flow in findings.library.flows.items():
        for sid, state in flow.states.items():
            if state.kinds[0] in ("question", "wait"):
                _question(findings, name, flow, sid, state, taken)
                _keyless(findings, name, sid, state, reaches)


def _universal_keys(findings: Findings) -> dict[str, str]:
    universals = findings.library.universals
    taken: dict[str, str] = {}
    everywhere: list[tuple[tuple[str, ...], str, Universal]]
    everywhere = [((name,), name, getattr(universals, name)) for name in UNIVERSALS]
    everywhere += [(("languages", name), f"speaking {name}", spec) for name, spec in universals.languages.items()]
    for path, name, universal in everywhere:
        if path[0] == "languages" and not universal.keys:
            why = f"{name} can be said but not keyed, and who speaks no other language may not be understood"
            place = findings.universals(*path, key=True)
            findings.add("no-key", place, why, 'add keys: ["*3"], or another that is free', text=path[-1])
        for index, key in enumerate(universal.keys):
            place = findings.universals(*path, "keys", index)
            if not re.fullmatch(r"[0-9*#]{1,2}", key):
                findings.add("bad-key", place, f"{key} is not a key", "use one or two of 0-9, * and #", text=key)
            elif key in taken:
                why = f"{key} means both {taken[key]} and {name}"
                findings.add("key-collision", place, why, "give one of them another key", text=key)
            elif key in "123456789":
                why = f"{key} belongs to the choices of questions, so {name} cannot have it"
                findings.add("key-collision", place, why, "use 0, or a key after *", text=key)
            taken.setdefault(key, name)
    if "0" not in universals.human.keys:
        place = findings.universals("human", key=True)
        findings.add("no-zero", place, "0 does not bring a human", 'add "0" to the keys of human', text="human")
    return taken


def _question(findings: Findings, name: str, flow: Flow, sid: str, state: State, taken: dict[str, str]) -> None:
    keys: dict[str, str] = {}
    intents: dict[str, int] = {}  # -> the first choice that has it
    for index, choice in enumerate(state.choices):
        path = ("states", sid, "choices", index)
        if choice.intent in intents and not choice.condition:
            why = f"{choice.intent} is a choice of {sid} twice; the first is always taken"
            findings.add("duplicate-choice", findings.at(name, *path, "intent"), why, "keep one")
        intents.setdefault(choice.intent, index)
        if not choice.key:
            continue
        place = findings.at(name, *path, "key")
        if choice.key in keys and not choice.condition:
            why = f"key {choice.key} means both {keys[choice.key]} and {choice.intent}"
            findings.add("key-collision", place, why, f"give {choice.intent} another key")
        elif choice.key in taken:
            why = f"key {choice.key} already means {taken[choice.key]} everywhere"
            findings.add("key-collision", place, why, f"give {choice.intent} another key")
        keys.setdefault(choice.key, choice.intent)
        if not choice.label:
            why = f"the key menu cannot name {choice.intent}: it has no label"
            findings.add("no-label", findings.at(name, *path), why, "add label:", text=choice.intent)
    spec = flow.slots.get(state.ask)
    if spec is None:
        return
    if keys:
        index = next(i for i, c in enumerate(state.choices) if c.key)
        why = f"in {sid} keys enter {state.ask}, so they cannot choose as well"
        remedy = f"remove the keys of its choices, or ask for {state.ask} in a state of its own"
        findings.add("ask-key-clash", findings.at(name, "states", sid, "choices", index, "key"), why, remedy)
    if spec.type == "boolean" and (answers := [i for name, i in intents.items() if name in ("yes", "no")]):
        why = f"yes and no answer {state.ask} here, so they cannot be choices as well"
        remedy = f"branch on {state.ask} in the next state, or drop the ask"
        findings.add("duplicate-choice", findings.at(name, "states", sid, "choices", answers[0], "intent"), why, remedy)
    if spec.type == "choice" and len(spec.values) > MOST_KEYS:
        why = f"{state.ask} has {len(spec.values)} values, but there are {MOST_KEYS} keys"
        place = findings.at(name, "states", sid, "ask")
        findings.add("no-key", place, why, f"ask in two steps, with {MOST_KEYS} values at most")


def _keyless(findings: Findings, name: str, sid: str, state: State, reaches: _Reaches) -> None:
    """A choice without a key is fine where all it can do is also done by something that has one."""
    if all(c.key for c in state.choices):
        return
    keyed = {c.goto for c in state.choices if c.key}
    stays = STAYING_TARGETS if state.line is not None else frozenset[str]()
    if state.ask and state.goto is not None:
        keyed.add(state.goto.goto)
    known = frozenset[str]().union(*(reaches.effects(name, target) for target in keyed))
    for index, choice in enumerate(state.choices):
        if choice.key:
            continue
        lost = reaches.effects(name, choice.goto) - known
        lost |= {choice.goto} & stays - keyed
        if not lost and (keyed or state.ask or choice.goto == "human"):
            continue
        what = f", and nothing that has a key does {listing(sorted(lost))}" if lost else ""
        why = f"{choice.intent} can be said but not keyed{what}"
        free = [k for k in "123456789" if k not in {c.key for c in state.choices}]
        remedy = "move it behind a choice that has a key"
        if free and not state.ask:
            remedy = f"add key: {free[0]} and a label"
        findings.add("no-key", findings.at(name, "states", sid, "choices", index), why, remedy, text=choice.intent)


class _Reaches:
    """What can be done from a state on: the actions and services on all ways from it, sub-flows included.

    From a question on, only what has a key counts. Computed for all states at once, component by component."""

    def __init__(self, findings: Findings) -> None:
        self.flows = findings.library.flows
        places = [(f, s) for f, flow in self.flows.items() for s in flow.states]
        self._number = {place: n for n, place in enumerate(places)}
        onward = [list(self._onward(*place)) for place in places]
        self._effects: list[frozenset[str]] = [frozenset()] * len(places)
        for group in components(len(places), onward.__getitem__):
            own = {effect for n in group for effect in self._own(*places[n])}
            shared = frozenset(own).union(*(self._effects[after] for n in group for after in onward[n]))
            for n in group:
                self._effects[n] = shared

    def effects(self, flow: str, target: str) -> frozenset[str]:
        number = self._number.get((flow, target))
        return frozenset() if number is None else self._effects[number]

    def _own(self, flow: str, sid: str) -> Iterator[str]:
        state = self.flows[flow].states[sid]
        if state.action:
            yield state.action
        if state.http is not None:
            yield f"{state.http.service}{state.http.path}"

    def _onward(self, flow: str, sid: str) -> Iterator[int]:
        state = self.flows[flow].states[sid]
        question = bool(state.choices) and not state.ask and state.line is None
        for transition in state.transitions():
            counts = bool(transition.key) if question else transition.kind != "universal"
            if counts and (flow, transition.target) in self._number:
                yield self._number[flow, transition.target]
        if state.call in self.flows and (state.call, self.flows[state.call].start) in self._number:
            yield self._number[state.call, self.flows[state.call].start]
