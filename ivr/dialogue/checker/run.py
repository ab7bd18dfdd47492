"""Runs: one flow walked in one context: the configurations reached, the moves between them, and how it is left."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ivr.dialogue.checker.graph import FlowGraph, Step, components

OWED, HANDOFF_TRIED, ASKED, RESUMED = 1, 2, 4, 8

Config = tuple[int, int, int]  # state, tracked variables filled, mode

# Where a walk can stop, besides states of the flow.
AT_HUMAN, AT_END, AT_BACK, AT_NOTHING, AT_RETURN = "human", "end", "back", "nothing", "return"


@dataclass(frozen=True, slots=True)
class Exit:
    """How a flow is left: "human", "end", "back", or "return" with its result and the names of the values given."""

    kind: str
    mode: int = 0
    result: str = ""
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Move:
    """One step taken: to a configuration or out of the flow."""

    to: Config | Exit
    step: Step
    heard: bool
    before: int = 0  # filled by what a sub-flow returned
    lost: int = 0  # and what it did not


@dataclass(slots=True)
class Run:
    """One flow, from one set of beginnings, with the desk open or closed."""

    graph: FlowGraph
    open: bool
    tracked: int
    starts: list[tuple[Config, int]]
    filled: dict[Config, int] = field(default_factory=dict)  # configuration -> filled on every path to it
    moves: dict[Config, list[Move]] = field(default_factory=dict)
    came: dict[Config, tuple[Config, str] | None] = field(default_factory=dict)
    exits: dict[Exit, bool] = field(default_factory=dict)  # -> whether nobody need be heard on the way
    exit_from: dict[Exit, tuple[Config, str]] = field(default_factory=dict)
    unfinished: list[Config] = field(default_factory=list)  # branches whose every case may be false
    calls: dict[Config, list[Run]] = field(default_factory=dict)
    promises: bool = False  # a call back can be promised somewhere in here
    overflow: bool = False

    def name(self, config: Config) -> str:
        return f"{self.graph.flow.flow}.{self.graph.nodes[config[0]].name}"

    def path_to(self, config: Config) -> tuple[str, ...]:
        """From a beginning to ``config``: states, and in brackets what leads from one to the next."""
        steps: list[str] = [self.name(config)]
        seen = {config}
        while (before := self.came.get(config)) is not None:
            config, label = before
            if config in seen:
                break
            seen.add(config)
            steps += [f"[{label}]"] if label != "then" else []
            steps.append(self.name(config))
        return tuple(reversed(steps))

    def silent_moves(self, config: Config) -> Iterator[Move]:
        return (m for m in self.moves.get(config, ()) if not m.heard)

    def listens(self, config: Config) -> bool:
        """Whether the caller is asked something here, so that three silences bring a human."""
        node = self.graph.nodes[config[0]]
        if node.kind != "question":
            return False
        return not (node.ask and (config[1] | node.fills) & node.ask)

    def circles(self) -> list[list[Move]]:
        """A shortest circle of silent moves within each component that has one."""
        configs = list(self.moves)
        index = {c: i for i, c in enumerate(configs)}
        onward = [[index[m.to] for m in self.silent_moves(c) if m.to in index] for c in configs]
        found = []
        for group in components(len(configs), onward.__getitem__):
            if len(group) > 1 or group[0] in onward[group[0]]:
                first = min(group, key=lambda i: configs[i])
                found.append(self._circle(configs[first], {configs[i] for i in group}))
        return found

    def _circle(self, first: Config, group: set[Config]) -> list[Move]:
        came: dict[Config, tuple[Config, Move]] = {}
        queue = deque([first])
        while queue:
            config = queue.popleft()
            for move in self.silent_moves(config):
                if move.to == first:
                    moves = [move]
                    while config != first:
                        config, before = came[config]
                        moves.append(before)
                    return moves[::-1]
                if isinstance(move.to, tuple) and move.to in group and move.to not in came:
                    came[move.to] = (config, move)
                    queue.append(move.to)
        return []
