"""Coverage: which states were entered and which edges taken, and which never were."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ivr.dialogue.engine.compilation import Cursor, TransitionTable, compiled
from ivr.dialogue.flows.glossary import written
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.understanding.classifier import Classifiers

Edge = tuple[str, str]
"""("flow.state", trigger): "goto", "on.OUTCOME", "choice.N", "when.N", "no", "universal.NAME"."""


class _Observed(TransitionTable):
    """The transition table of a library, telling which edges are taken."""

    def __init__(self, table: TransitionTable, taken: set[Edge], entered: set[str]) -> None:
        self._table = table
        self._taken = taken
        self._entered = entered

    def take(self, cursor: Cursor, trigger: str) -> str:
        self._taken.add((cursor.state, trigger))
        return self._table.take(cursor, trigger)

    def place(self, cursor: Cursor, state: str) -> None:
        self._entered.add(state)
        self._table.place(cursor, state)


@dataclass(frozen=True, slots=True)
class Coverage:
    """States ("flow.state") and edges there are, and those that calls have seen."""

    states: frozenset[str]
    edges: Mapping[Edge, str]
    entered: frozenset[str]
    taken: frozenset[Edge]

    def of(self, flows: Collection[str]) -> Coverage:
        """The same for some flows only."""
        return Coverage(
            frozenset(s for s in self.states if _flow(s) in flows),
            {edge: name for edge, name in self.edges.items() if _flow(edge[0]) in flows},
            frozenset(s for s in self.entered if _flow(s) in flows),
            frozenset(e for e in self.taken if _flow(e[0]) in flows),
        )

    @property
    def unvisited(self) -> list[str]:
        return sorted(self.states - self.entered)

    def unvisited_by_flow(self) -> dict[str, list[str]]:
        """The same, without the flow's name before each."""
        found: dict[str, list[str]] = {}
        for state in self.unvisited:
            flow, _, name = state.partition(".")
            found.setdefault(flow, []).append(name)
        return found

    @property
    def untaken(self) -> list[str]:
        """In words: "queue.remove: on failed"."""
        return [name for edge, name in self.edges.items() if edge not in self.taken]

    @property
    def state_share(self) -> float:
        """0..1."""
        return len(self.entered) / len(self.states) if self.states else 1.0

    @property
    def edge_share(self) -> float:
        """0..1."""
        return len(self.taken) / len(self.edges) if self.edges else 1.0

    def summary(self) -> str:
        states = f"states {len(self.entered)} of {len(self.states)} ({self.state_share:.0%})"
        return f"{states}, edges {len(self.taken)} of {len(self.edges)} ({self.edge_share:.0%})"


class Observation:
    """What the calls inside ``watching`` saw, however many libraries' versions of it they ran on."""

    def __init__(self, library: FlowLibrary, classifiers: Classifiers | None = None) -> None:
        self._library, self._classifiers = library, classifiers
        self._taken: set[Edge] = set()
        self._entered: set[str] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Every call on this library with these classifiers, in this process, is observed meanwhile."""
        shared = compiled(self._library, self._classifiers)
        before = shared.table
        shared.table = _Observed(before, self._taken, self._entered)
        try:
            yield
        finally:
            shared.table = before

    def coverage(self) -> Coverage:
        flows = self._library.flows.values()
        states = frozenset(f"{flow.flow}.{name}" for flow in flows for name in flow.states)
        named = {
            (f"{flow.flow}.{name}", transition.trigger): f"{flow.flow}.{name}: {written(transition)}"
            for flow in flows
            for name, state in flow.states.items()
            for transition in state.transitions()
        }
        return Coverage(states, named, states & self._entered, frozenset(self._taken & named.keys()))


def _flow(state: str) -> str:
    return state.partition(".")[0]


def lines(coverage: Coverage, flows: Iterable[str]) -> Iterator[str]:
    """The report: a line a flow, then what no script has seen."""
    for flow in flows:
        own = coverage.of((flow,))
        yield f"{flow}: {own.summary()}"
        yield from (f"    never entered: {state}" for state in own.unvisited)
        # an edge out of a state that nobody entered goes without saying
        unvisited = set(own.unvisited)
        yield from (f"    never taken: {name}" for name in own.untaken if name.partition(":")[0] not in unvisited)
