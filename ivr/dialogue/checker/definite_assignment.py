"""Definite assignment: every variable is filled before it is used, on every path, dropped calls included."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ivr.dialogue.checker.explore import Walker, unfilled
from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.graph import RESUMED, Config, Run, Use
from ivr.dialogue.flows.source import Place


def check_filled(findings: Findings, walker: Walker, run: Run) -> None:
    flow = run.graph.flow.flow
    if any(True for _ in unfilled(run)):
        run = walker.exactly(run)
    for config, use, variable in _missing(findings, run):
        path = _without(walker, run, config, run.graph.bits[variable])
        why = f"{variable} is used here, but may not be filled yet"
        remedy = f"ask for {variable} before, or come here only if filled({variable})"
        findings.add("not-filled", _place(findings, flow, use), why, remedy, path=path)


def _missing(findings: Findings, run: Run) -> Iterator[tuple[Config, Use, str]]:
    """Each use of a variable that may not be filled, the first time that a walk comes to it."""
    for config, use, missing in unfilled(run):
        for variable in run.graph.variables(missing):
            if findings.first("filled", run.graph.flow.flow, use.path, use.overlay, variable):
                yield config, use, variable


def _place(findings: Findings, flow: str, use: Use) -> Place:
    return findings.overlay(use.overlay, *use.path) if use.overlay else findings.at(flow, *use.path)


def _without(walker: Walker, run: Run, config: Config, bit: int) -> tuple[str, ...]:
    """A path to ``config`` on which the variable ``bit`` is not filled, by walking again with it tracked."""
    finer = walker.again(run, run.tracked | bit)
    for other in finer.moves:
        state, known, mode = other
        if state == config[0] and mode == config[2] and not known & bit and known & run.tracked == config[1]:
            return finer.path_to(other)
    return run.path_to(config)


def check_resumed(findings: Findings, walker: Walker) -> None:
    """A dropped call taken up again has only what survives: nothing else may be used without being asked again."""
    library = findings.library
    if not any(state.resume for flow in library.flows.values() for state in flow.states.values()):
        return
    for run, reachable in after_resume(walker):
        flow = run.graph.flow
        everything = flow.slots
        surviving = sum(bit for v, bit in run.graph.bits.items() if everything[v].survive)
        starts: dict[Config, int] = {}
        for config in reachable:
            if not (run.listens(config) or run.graph.nodes[config[0]].kind in ("action", "http")):
                continue
            mask = run.filled[config] & surviving
            for state in run.resumed_at(config):
                key = (state, config[1] & surviving, config[2] | RESUMED)
                starts[key] = starts.get(key, mask) & mask
        if not starts:
            continue
        taken_up = walker.again(run, run.tracked, list(starts.items()))
        for config, use, variable in _missing(findings, taken_up):
            why = f"after a dropped call is taken up again, {variable} is used here but was not kept"
            remedy = f"declare {variable} with survive: true, or ask for it again"
            path = ("[the call drops and is taken up again]", *taken_up.path_to(config))
            findings.add("lost-on-resume", _place(findings, flow.flow, use), why, remedy, path=path)


def after_resume(walker: Walker) -> Iterator[tuple[Run, set[Config]]]:
    """What can follow a ``resume`` state, run by run: before it nobody is known whose call could be taken up."""
    found: dict[int, tuple[Run, set[Config]]] = {}
    queue: deque[tuple[Run, Config]] = deque()

    def visit(run: Run, config: Config) -> None:
        _, configs = found.setdefault(id(run), (run, set()))
        if config not in configs:
            configs.add(config)
            queue.append((run, config))

    for run in list(walker.runs.values()):
        for config in run.moves:
            if run.graph.nodes[config[0]].kind == "resume":
                visit(run, config)
    while queue:
        run, config = queue.popleft()
        configs = found[id(run)][1]
        for move in run.moves.get(config, ()):
            to = move.to
            if isinstance(to, tuple) and to not in configs:
                configs.add(to)
                queue.append((run, to))
        for inner in run.calls.get(config, ()):
            for start, _ in inner.starts:
                visit(inner, start)
    yield from found.values()
