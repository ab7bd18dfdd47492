"""Traffic: how often calls went from state to state, counted from the calls' records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

Visit = tuple[str, str]
"""(call id, "flow.state")"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """``visits``: times each "flow.state" was entered. ``steps``: times one followed another, directly or, within one
    flow, with a sub-flow in between. ``calls``: how many calls were counted."""

    calls: int = 0
    visits: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def step(self, source: str, target: str) -> int:
        return self.steps.get((source, target), 0)

    def visited(self, state: str) -> int:
        return self.visits.get(state, 0)


def count(visits: Iterable[Visit]) -> Traffic:
    """``visits`` by call, each call's in the order they happened."""
    entered: Counter[str] = Counter()
    steps: Counter[tuple[str, str]] = Counter()
    calls = 0
    for _, visits_of_call in groupby(visits, key=itemgetter(0)):
        calls += 1
        states = [state for _, state in visits_of_call]
        entered.update(states)
        steps.update(_steps(states))
    return Traffic(calls, dict(entered), dict(steps))


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
