"""Cards of a flow: what a picture of it shows of each state, and which ways on it draws as lines.

A card has a row for each way on. Lines are drawn for ways forward only. A way back, to a place that many lead to, or to
a human, is a sign in its row instead: it would be a long line that says no more. Calls of one sub-flow that go on alike
are stacked on one card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ivr.dialogue.flows.glossary import detail, short
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.prompt import TaperedPrompt
from ivr.dialogue.flows.state import STAYING_TARGETS, Transition

MANY = 6  # ways forward to one place, from which on each is a sign
Sign = Literal["", "human", "goodbye", "back", "again", "state", "missing"]


@dataclass(frozen=True, slots=True)
class Row:
    """Ways on that lead to the same place. ``sign`` is "" where a line is drawn."""

    transitions: tuple[Transition, ...]
    target: str
    sign: Sign
    via_human: bool = False  # the target says a sentence, then gets a human

    @property
    def failure(self) -> bool:
        return all(w.failure for w in self.transitions)

    @property
    def key(self) -> str:
        return next((w.key for w in self.transitions if w.key), "")

    @property
    def text(self) -> str:
        return " · ".join(dict.fromkeys(short(w) for w in self.transitions))


@dataclass(frozen=True, slots=True)
class Card:
    """One state, or several calls of one sub-flow. ``id`` is the first state's name."""

    states: tuple[str, ...]
    kind: str
    heading: str
    said: str
    rows: tuple[Row, ...]

    @property
    def id(self) -> str:
        return self.states[0]

    @property
    def stacked(self) -> bool:
        return len(self.states) > 1


def cards_of(library: FlowLibrary, flow: Flow) -> tuple[Card, ...]:
    """Every state of ``flow`` on exactly one card, the start first."""
    back = _back_edges(flow)
    forward: dict[str, set[str]] = {}
    for name, state in flow.states.items():
        for transition in state.transitions():
            if (name, transition.target) not in back and transition.target in flow.states:
                forward.setdefault(transition.target, set()).add(name)
    crowded = {t for t, sources in forward.items() if len(sources) >= MANY}
    names = dict.fromkeys([flow.start, *flow.states] if flow.start in flow.states else flow.states)
    singles = [_card(library, flow, name, back, crowded) for name in names]
    return tuple(_stacked(singles, flow))


def _card(library: FlowLibrary, flow: Flow, name: str, back: set[tuple[str, str]], crowded: set[str]) -> Card:
    state = flow.states[name]
    rows: dict[tuple[object, ...], Row] = {}
    for transition in state.transitions():
        sign = _sign(flow, name, transition.target, back, crowded)
        alone = (transition.name, transition.key) if transition.kind == "choice" else ()
        key = (transition.target, transition.failure, alone)
        if key in rows:
            rows[key] = replace(rows[key], transitions=(*rows[key].transitions, transition))
        else:
            human = sign != "human" and flow.leads_to_human(transition.target)
            rows[key] = Row((transition,), transition.target, sign, human)
    kind = state.kinds[0]
    return Card((name,), kind, detail(state), first_words(state.prompt), tuple(rows.values()))


def _sign(flow: Flow, name: str, target: str, back: set[tuple[str, str]], crowded: set[str]) -> Sign:
    if target in flow.states and not flow.states[name].reserves(target):
        return "state" if (name, target) in back or target in crowded else ""
    signs: dict[str, Sign] = {"human": "human", "goodbye": "goodbye", "back": "back", "machine": "back"}
    signs |= dict.fromkeys(("again", "repeat", *STAYING_TARGETS), "again")
    return signs.get(target, "missing")  # of a draft: there is no such state yet


def _stacked(singles: Sequence[Card], flow: Flow) -> list[Card]:
    """Calls of one sub-flow whose rows are signs only, and the same ones, on one card."""
    found: list[Card] = []
    stacks: dict[tuple[object, ...], int] = {}
    for card in singles:
        state = flow.states[card.id]
        plain = state.call and not state.prompt and all(row.sign for row in card.rows)
        if not plain or card.id == flow.start:
            found.append(card)
            continue
        key = (state.call, tuple((r.text, r.target) for r in card.rows))
        if key in stacks:
            known = found[stacks[key]]
            found[stacks[key]] = replace(known, states=(*known.states, *card.states))
        else:
            stacks[key] = len(found)
            found.append(card)
    return found


def _back_edges(flow: Flow) -> set[tuple[str, str]]:
    """(state, target) of the ways that close a circle, walking from the start, in the order of the file."""
    onward = {n: list(dict.fromkeys(w.target for w in s.transitions())) for n, s in flow.states.items()}
    back: set[tuple[str, str]] = set()
    done: set[str] = set()
    for root in dict.fromkeys([flow.start, *flow.states]):
        if root in done or root not in onward:
            continue
        path: dict[str, int] = {root: 0}
        while path:
            name, index = path.popitem()
            if index < len(onward[name]):
                path[name] = index + 1
                target = onward[name][index]
                if target in path:
                    back.add((name, target))
                elif target in onward and target not in done:
                    path[target] = 0
            else:
                done.add(name)
    return back


def first_words(prompt: TaperedPrompt) -> str:
    """What is said the first time, all pieces in a row."""
    items = prompt.get(min(prompt), ()) if prompt else ()
    return " / ".join(i.say or (i.variants[0] if i.variants else f"({i.audio})") for i in items if i)
