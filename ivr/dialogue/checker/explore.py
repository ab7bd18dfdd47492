"""Exploration of every path: configurations of one flow in one context, explored to the end.

A configuration is (state, which of the tracked variables are filled, what the caller is owed). Tracked are exactly the
variables whose being filled decides where a call goes, so the configurations reached are those a call can reach; for
all other variables "filled on every path to here" is the greatest fixpoint over them. Conditions on anything else
(facts, values) may go either way; the hours are the same throughout a walk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from functools import reduce
from operator import or_

from ivr.dialogue.checker.graph import (
    ASKED,
    BACK,
    END,
    HANDOFF_TRIED,
    HUMAN,
    OWED,
    RESUMED,
    Config,
    Debt,
    Exit,
    FlowGraph,
    Move,
    Node,
    Run,
    Step,
    Use,
    at_level,
    level_of,
)  # fmt: skip

MOST_CONFIGS = 60_000


class Walker:
    """Runs of every flow, shared between their callers. Flows that call each other in circles are cut, not followed."""

    def __init__(self, graphs: dict[str, FlowGraph], human_flow: str) -> None:
        self.graphs = graphs
        self.human_flow = human_flow
        self.runs: dict[tuple[object, ...], Run] = {}
        self.called = {n.call for g in graphs.values() for n in g.nodes if n.call}
        self._open: set[str] = set()
        self._known: dict[tuple[str, bool, int], dict[Config, tuple[list[Move], bool]]] = {}

    def entries(self, answering: Collection[str] | None) -> list[str]:
        """The flows where calls can begin: those that no other calls, and those that are ``answering``."""
        return [f for f in self.graphs if f not in self.called or f in (answering or ())]

    def run(
        self,
        flow: str,
        hours: bool,
        given: frozenset[str] = frozenset(),
        perhaps: frozenset[str] = frozenset(),
        mode: int = OWED,
    ) -> Run:
        """``flow`` entered with the parameters ``given`` filled, and ``perhaps`` those given from facts."""
        graph = self.graphs[flow]
        key = (flow, given, perhaps, mode, hours)
        if key not in self.runs:
            masks = {0}
            for name in sorted(given | perhaps):
                bit = graph.bits.get(name, 0) if name in graph.flow.parameters else 0
                masks = {m | bit for m in masks} | (masks if name in perhaps else set())
            starts = [((graph.start, m & graph.tracked, mode), m) for m in sorted(masks)]
            self.runs[key] = self._explore(Run(graph, hours, graph.tracked, starts))
        return self.runs[key]

    def again(self, run: Run, tracked: int, starts: list[tuple[Config, int]] | None = None) -> Run:
        """The same with other variables tracked as well, or from other beginnings."""
        begin = starts if starts is not None else run.starts
        fitted = [((c[0], m & tracked, c[2]), m) for c, m in begin]
        return self._explore(Run(run.graph, run.open, tracked, fitted))

    def reached(self, run: Run, starts: list[tuple[Config, int]]) -> Run:
        """What ``run`` comes to from other beginnings, and the way there; not what is filled, nor how it is left."""
        there = Run(run.graph, run.open, run.tracked, [((c[0], m & run.tracked, c[2]), m) for c, m in starts])
        self._reach(there)
        return there

    def exactly(self, run: Run) -> Run:
        """The same run with every variable tracked that is asked for; itself where that is so already."""
        asked = reduce(or_, (node.ask for node in run.graph.nodes), 0)
        if not asked & ~run.tracked:
            return run
        finer = self.again(run, run.tracked | asked)
        return run if finer.overflow else finer

    # --- exploring ---------------------------------------------------------------------------------------------

    def _explore(self, run: Run) -> Run:
        self._open.add(run.graph.flow.flow)
        try:
            self._reach(run)
        finally:
            self._open.discard(run.graph.flow.flow)
        self._settle(run)
        self._silent_exits(run)
        return run

    def _reach(self, run: Run) -> None:
        nodes = run.graph.nodes
        known = self._known.setdefault((run.graph.flow.flow, run.open, run.tracked), {})
        queue: deque[Config] = deque()
        for config, mask in run.starts:
            run.filled[config] = run.filled.get(config, mask) & mask
            if config not in run.came:
                run.came[config] = None
                queue.append(config)
        while queue:
            config = queue.popleft()
            if config in run.moves:
                continue
            if len(run.moves) > MOST_CONFIGS:
                run.overflow = True
                break
            node = nodes[config[0]]
            if node.kind == "call":
                moves = list(self._calls(run, node, config, config[1] | node.fills & run.tracked))
            else:  # the same wherever a run begins: what one has found out serves them all
                if config not in known:
                    known[config] = self._moves(run, node, config)
                moves, unfinished = known[config]
                run.promises |= node.promises
                if unfinished:
                    run.unfinished.append(config)
            run.moves[config] = moves
            for move in moves:
                if isinstance(move.to, Exit):
                    run.exits.setdefault(move.to, False)
                    run.exit_from.setdefault(move.to, (config, move.step.label))
                elif move.to not in run.came:
                    run.came[move.to] = (config, move.step.label)
                    queue.append(move.to)

    def _settle(self, run: Run) -> None:
        """What is filled on every path: meet over all predecessors, to the fixpoint."""
        queue = deque(c for c, _ in run.starts)
        waiting = set(queue)
        filled = run.filled
        nodes = run.graph.nodes
        while queue:
            config = queue.popleft()
            waiting.discard(config)
            mask = filled[config] | nodes[config[0]].fills
            for move in run.moves.get(config, ()):
                to = move.to
                if isinstance(to, Exit):
                    continue
                after = (((mask & ~move.lost) | move.before) & ~move.step.kill) | move.step.gen
                known = filled.get(to)
                if known is not None:
                    after &= known
                    if after == known:
                        continue
                filled[to] = after
                if to not in waiting:
                    waiting.add(to)
                    queue.append(to)

    def _silent_exits(self, run: Run) -> None:
        queue = deque(c for c, _ in run.starts)
        seen = set(queue)
        while queue:
            config = queue.popleft()
            for move in run.silent_moves(config):
                if isinstance(move.to, Exit):
                    run.exits[move.to] = True
                elif move.to not in seen:
                    seen.add(move.to)
                    queue.append(move.to)

    def _moves(self, run: Run, node: Node, config: Config) -> tuple[list[Move], bool]:
        """Of a state that calls no flow; and whether it is a branch whose every case may be false."""
        known, mode = config[1] | node.fills & run.tracked, config[2]
        match node.kind:
            case "end":
                return [Move(Exit("end", mode), _ENDED, False)], False
            case "return":
                return [Move(Exit("return", mode, node.state.result, node.returned), _ENDED, False)], False
            case "branch":
                return self._cases(run, node, config, known)
            case "question":
                return list(self._question(run, node, config, known)), False
            case _:
                return list(self._performed(run, node, config, known)), False

    def _performed(self, run: Run, node: Node, config: Config, known: int) -> Iterator[Move]:
        """A caller below the level that is needed takes the way of those refused. Where the state names none they go to
        a human; what follows is walked all the same, as by somebody whose level suffices, so that one lack is reported
        once."""
        mode = config[2]
        if level_of(mode) < node.needs:
            yield self._move(run, config, known, node.refused or _REFUSED)
            if node.refused is not None:
                return
            mode = at_level(mode, node.needs)
        for step in node.steps:
            if step.guard is None or step.guard(known, run.around(config)) is not False:
                yield self._move(run, config, known, step, mode=mode)

    def _move(
        self, run: Run, config: Config, known: int, step: Step, *, mode: int | None = None, before: int = 0
    ) -> Move:
        mode = _owed(config[2] if mode is None else mode, step.debt)
        if step.gives is not None:
            mode = at_level(mode, step.gives)
        if step.heard and run.graph.nodes[config[0]].kind == "question":
            mode |= ASKED
        after = (((known | before) & ~step.kill) | step.gen) & run.tracked
        return Move(self._arrival(run, step.target, after, mode), step, step.heard, before)

    def _arrival(self, run: Run, target: int, known: int, mode: int) -> Config | Exit:
        if target >= 0:
            return (target, known, mode)
        if target == END:
            return Exit("end", mode)
        if target == BACK:
            return Exit("back" if mode & ASKED else "nothing", mode)
        if run.graph.flow.flow == self.human_flow:
            return (run.graph.start, 0, mode | OWED)  # "human" again starts it anew
        return Exit("human", mode | OWED)

    def _question(self, run: Run, node: Node, config: Config, known: int) -> Iterator[Move]:
        if node.ask and node.passed is not None and (known & node.ask or not node.ask & run.tracked):
            yield self._move(run, config, known, node.passed)
            if known & node.ask:
                return
        for step in node.steps:
            if step.guard is None or step.guard(known, run.around(config)) is not False:
                yield self._move(run, config, known, step)
        yield self._move(run, config, known, _THIRD_TIME)

    def _cases(self, run: Run, node: Node, config: Config, known: int) -> tuple[list[Move], bool]:
        moves = [self._move(run, config, known, step) for step in node.steps if step.heard]
        for step in node.steps:
            if step.heard:
                continue
            holds = step.guard(known, run.around(config)) if step.guard else True
            if holds is False:
                continue
            moves.append(self._move(run, config, known, step))
            if holds:
                return moves, False
        return moves, True

    def _calls(self, run: Run, node: Node, config: Config, known: int) -> Iterator[Move]:
        for step in node.steps:
            yield self._move(run, config, known, step)
        if node.call not in self.graphs or node.call in self._open:
            return
        inner = self.run(node.call, run.open, node.given, node.perhaps, config[2] & ~RESUMED)
        run.calls.setdefault(config, []).append(inner)
        run.promises |= inner.promises
        for exit_, silently in inner.exits.items():
            mode = exit_.mode | (config[2] & RESUMED)
            if exit_.kind != "return":
                step = Step(HUMAN if exit_.kind == "human" else END, f"{node.call}: {exit_.kind}", not silently)
                if exit_.kind == "human":
                    yield Move(self._arrival(run, HUMAN, 0, mode), step, not silently)
                continue  # its ends are its own to answer for
            for heard in (True, False) if silently else (True,):
                yield self._returned(run, node, config, known, exit_, mode, heard)

    def _returned(self, run: Run, node: Node, config: Config, known: int, exit_: Exit, mode: int, heard: bool) -> Move:
        step = node.steps_by_result.get(exit_.result) or node.otherwise or _UNEXPECTED
        filled = lost = 0
        for mine, theirs in node.state.returns.items():
            bit = run.graph.bits.get(mine, 0)
            filled, lost = (filled | bit, lost) if theirs in exit_.values else (filled, lost | bit)
        move = self._move(run, config, known & ~lost, step, mode=mode, before=filled & ~step.kill)
        return Move(move.to, step, heard, filled, lost)


def _owed(mode: int, debt: Debt) -> int:
    if debt is Debt.KEEP:
        return mode
    if debt is Debt.SETTLE or (debt is Debt.CALLBACK_FAILED and mode & HANDOFF_TRIED):
        return mode & ~OWED
    return mode | OWED | (HANDOFF_TRIED if debt is Debt.TRIED else 0)


_ENDED = Step(END, "then", False)
_THIRD_TIME = Step(HUMAN, "three times silent or not understood", True)
_REFUSED = Step(HUMAN, "refused: the caller's identity does not suffice", False)
_UNEXPECTED = Step(HUMAN, "a result without an edge", False)


def unfilled(run: Run) -> Iterator[tuple[Config, Use, int]]:
    """Every use of a variable that some path leaves unfilled: where, which use, and which variables."""
    for config, moves in run.moves.items():
        node = run.graph.nodes[config[0]]
        mask = run.filled[config]
        for use in node.uses:
            inside = mask | (0 if use.path[2:3] == ("set",) else node.fills)
            if missing := _missing(use, inside, run, config):
                yield config, use, missing
        if run.listens(config):
            for use in node.asks:
                if missing := _missing(use, mask | node.fills, run, config):
                    yield config, use, missing
        for move in moves:
            for use in move.step.uses:
                inside = ((mask | node.fills) & ~move.lost & ~move.step.lost) | move.step.before | move.before
                if missing := _missing(use, inside, run, config):
                    yield config, use, missing


def _missing(use: Use, mask: int, run: Run, config: Config) -> int:
    missing = use.need & ~mask
    if missing and use.guard is not None and use.guard(mask & run.tracked, run.around(config)) is False:
        return 0
    return missing
