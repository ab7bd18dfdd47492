"""A flow as a graph of what can happen next, compiled once for all walks.

Nodes are states; a ``Step`` is one way on. A step is *heard* when the caller had a say on the way (a
question answered, a confirmation given, silence or nonsense three times over) and *silent* when it happens whatever the
caller does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ivr.dialogue.checker.condition import Test
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.signature import IMPLICIT_OUTCOMES
from ivr.dialogue.flows.state import Path, State

HUMAN, END, BACK = -1, -2, -3
HTTP_OUTCOMES = ("ok", "refused", *IMPLICIT_OUTCOMES)
HANDOFF_OUTCOMES = ("closed", "failed", "dropped")

# What a step does to the debt of a human owed to the caller.
KEEP, OWE, SETTLE, TRIED, CALLBACK_FAILED = range(5)


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
    debt: int = KEEP
    guard: Test | None = None
    uses: tuple[Use, ...] = ()
    lost: int = 0  # emptied by what led here, before ``uses``


@dataclass(slots=True)
class Node:
    """One state. ``steps`` for every kind but calls, whose ways on depend on the sub-flow's results."""

    name: str
    state: State
    kind: str
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


def components(count: int, onward: Callable[[int], Iterable[int]]) -> list[list[int]]:
    """The strongly connected components of nodes 0..count-1, those without ways out first.

    Without recursion (Tarjan 1972)."""
    order = [-1] * count
    low = [0] * count
    waiting = [False] * count
    stack: list[int] = []
    found: list[list[int]] = []
    clock = 0
    for root in range(count):
        if order[root] >= 0:
            continue
        work = [(root, iter(onward(root)))]
        order[root] = low[root] = clock
        clock += 1
        stack.append(root)
        waiting[root] = True
        while work:
            node, rest = work[-1]
            for after in rest:
                if order[after] < 0:
                    order[after] = low[after] = clock
                    clock += 1
                    stack.append(after)
                    waiting[after] = True
                    work.append((after, iter(onward(after))))
                    break
                if waiting[after]:
                    low[node] = min(low[node], order[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    group = []
                    while True:
                        last = stack.pop()
                        waiting[last] = False
                        group.append(last)
                        if last == node:
                            break
                    found.append(group)
    return found
