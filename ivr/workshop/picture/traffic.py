"""Traffic: how often calls went from state to state, and where callers hung up, counted from the calls' records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from ivr.dialogue.flows.library import FlowLibrary

Visit = tuple[str, str]
"""(call id, "flow.state")"""

THIN, BROAD = 1.2, 5.0  # pixels: of a line nobody took, and what the busiest has more


@dataclass(frozen=True, slots=True)
class Traffic:
    """``visits``: times each "flow.state" was entered. ``steps``: times one followed another, directly or, within one
    flow, with a sub-flow in between. ``left``: calls whose callers hung up there. ``calls``: how many calls were
    counted."""

    calls: int = 0
    visits: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[tuple[str, str], int] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)

    def step(self, source: str, target: str) -> int:
        return self.steps.get((source, target), 0)

    def visited(self, state: str) -> int:
        return self.visits.get(state, 0)

    def to_human(self, source: str, human_flow: str) -> int:
        """From ``source`` into the flow that gets a human."""
        into = f"{human_flow}."
        return sum(n for (one, other), n in self.steps.items() if one == source and other.startswith(into))


def count(visits: Iterable[Visit], abandoned: Collection[str] = ()) -> Traffic:
    """``visits`` by call, each call's in the order they happened. ``abandoned``: the calls whose callers hung up."""
    entered: Counter[str] = Counter()
    steps: Counter[tuple[str, str]] = Counter()
    left: Counter[str] = Counter()
    calls = 0
    for call, visits_of_call in groupby(visits, key=itemgetter(0)):
        calls += 1
        states = [state for _, state in visits_of_call]
        entered.update(states)
        steps.update(_steps(states))
        if call in abandoned:
            left[states[-1]] += 1
    return Traffic(calls, dict(entered), dict(steps), dict(left))


def weight(times: int, busiest: int) -> float:
    """A line's width in pixels."""
    return THIN + BROAD * (times / busiest) ** 0.5 if times and busiest else THIN


def traffic_of(traffic: Traffic, library: FlowLibrary, flow: str) -> Mapping[str, Any]:
    """As JSON, of one flow: ``states`` by name with ``entered`` and ``left``; ``ways`` that were taken, with how often,
    their share of those who were in the state (0 to 1), and how wide they are drawn."""
    owner, human = library.flows[flow], library.universals.human_flow
    taken: dict[tuple[str, str], int] = {}
    for name, state in owner.states.items():
        here = f"{flow}.{name}"
        for way in state.transitions():
            times = traffic.step(here, f"{flow}.{way.target}")
            if way.target == "human" and way.target not in owner.states:
                times = traffic.to_human(here, human)
            taken[name, way.target] = times
    busiest = max(taken.values(), default=0)
    return {
        "flow": flow,
        "calls": traffic.calls,
        "states": {
            name: {"entered": entered, "left": traffic.left.get(f"{flow}.{name}", 0)}
            for name in owner.states
            if (entered := traffic.visited(f"{flow}.{name}"))
        },
        "ways": [
            {
                "from": source,
                "to": target,
                "times": times,
                "share": round(times / max(times, traffic.visited(f"{flow}.{source}")), 3),
                "width": round(weight(times, busiest), 1),
            }
            for (source, target), times in taken.items()
            if times
        ],
    }


def _steps(states: Iterable[str]) -> Iterator[tuple[str, str]]:
    before = ""
    latest: dict[str, str] = {}  # by flow
    for state in states:
        flow = state.partition(".")[0]
        if before:
            yield before, state
        if flow in latest and latest[flow] != before:
            yield latest[flow], state
        latest[flow] = before = state
