"""A flow as a graph of what can happen next, compiled once for all walks, and the runs through it.

Nodes are states; a ``Step`` is one way on. A step is *heard* when the caller had a say on the way (a
question answered, a confirmation given, silence or nonsense three times over) and *silent* when it happens whatever the
caller does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from ivr.dialogue.flows.condition import Around, Test
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.signature import IMPLICIT_OUTCOMES
from ivr.dialogue.flows.state import Path, State, Transition
from ivr.identity import IdentityLevel

HUMAN, END, BACK = -1, -2, -3
HTTP_OUTCOMES = ("ok", "refused", *IMPLICIT_OUTCOMES)
HANDOFF_OUTCOMES = ("closed", "failed", "dropped")

Debt = Enum("Debt", "KEEP OWE SETTLE TRIED CALLBACK_FAILED")
"""What a step does to the debt of a human owed to the caller."""


@dataclass(frozen=True, slots=True)
class Use:
    """Variables that must be filled here: in ``overlay`` (None: the flow itself) at ``path``."""

    need: int
    path: Path
    overlay: tuple[str, str, str] | None = None
    guard: Test | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One way on. ``before`` is filled by what led here (slots, returned values) when ``uses`` are resolved."""

    target: int
    label: str
    heard: bool
    before: int = 0
    gen: int = 0
    kill: int = 0
    debt: Debt = Debt.KEEP
    guard: Test | None = None
    uses: tuple[Use, ...] = ()
    lost: int = 0  # emptied by what led here, before ``uses``
    gives: IdentityLevel | None = None  # the identity level that what led here gives


@dataclass(slots=True)
class Node:
    """One state. ``steps`` for every kind but calls, whose ways on depend on the sub-flow's results."""

    name: str
    state: State
    kind: str
    transitions: tuple[Transition, ...]
    fills: int = 0  # by ``set``, on entering
    ask: int = 0
    uses: list[Use] = field(default_factory=list)  # once entered
    asks: list[Use] = field(default_factory=list)  # only where the caller is really asked
    steps: list[Step] = field(default_factory=list)
    passed: Step | None = None  # an ask that is filled already
    call: str = ""
    given: frozenset[str] = frozenset()
    perhaps: frozenset[str] = frozenset()  # parameters given from facts, which may be missing
    steps_by_result: dict[str, Step] = field(default_factory=dict)
    otherwise: Step | None = None
    returned: frozenset[str] = frozenset()
    promises: bool = False  # its outcome "ok" is a promise to call back
    needs: IdentityLevel = IdentityLevel.UNKNOWN  # below it, what it does is refused
    refused: Step | None = None  # the way on then


@dataclass(slots=True)
class FlowGraph:
    flow: Flow
    names: list[str]
    index: dict[str, int]
    bits: dict[str, int]
    nodes: list[Node]
    tracked: int
    start: int

    def variables(self, mask: int) -> list[str]:
        return [v for v, bit in self.bits.items() if mask & bit]


OWED, HANDOFF_TRIED, ASKED, RESUMED = 1, 2, 4, 8
_LEVEL = 4  # the mode's bits above the four: how surely it is known who calls

Config = tuple[int, int, int]  # state, tracked variables filled, mode


def level_of(mode: int) -> IdentityLevel:
    return IdentityLevel(mode >> _LEVEL)


def at_level(mode: int, level: IdentityLevel) -> int:
    return mode & ((1 << _LEVEL) - 1) | level << _LEVEL


@dataclass(frozen=True, slots=True)
class Exit:
    """How a flow is left: "return" with its result and the names of the values given; "nothing" is a way back where
    nothing was asked yet."""

    kind: Literal["human", "end", "back", "nothing", "return"]
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

    def around(self, config: Config) -> Around:
        return Around(self.open, level_of(config[2]))

    def resumed_at(self, config: Config) -> tuple[int, ...]:
        """The states where a call may go on that drops at ``config``."""
        secrets = sum(self.graph.bits[name] for name in self.graph.flow.secrets)
        if not secrets:
            return (config[0],)
        return (self.graph.start,) if self.filled[config] & secrets else (config[0], self.graph.start)

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


def components(count: int, onward: Callable[[int], Iterable[int]]) -> list[list[int]]:
    """The strongly connected components of nodes 0..count-1, those without ways out first.

    Without recursion (Tarjan 1972)."""
    order, low = [-1] * count, [0] * count  # once its component is found, a node counts as entered last
    stack: list[int] = []
    found: list[list[int]] = []
    clock = 0
    for root in range(count):
        work = [(root, iter(onward(root)))] if order[root] < 0 else []
        while work:
            node, rest = work[-1]
            if order[node] < 0:
                order[node] = low[node] = clock
                clock += 1
                stack.append(node)
            for after in rest:
                if order[after] < 0:
                    work.append((after, iter(onward(after))))
                    break
                low[node] = min(low[node], order[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    group: list[int] = []
                    while not group or group[-1] != node:
                        group.append(stack.pop())
                        order[group[-1]] = count
                    found.append(group)
    return found
