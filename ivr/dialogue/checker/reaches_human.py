"""Reachability of a human: what is proven about ways through a call, and how it is reported.

What "reaches a human" means here. The caller is *owed* a human from the moment a call is answered, whenever something
behind an action fails, and whenever they asked for one. The debt is settled by

- a ``handoff`` state while the desk is open;
- the outcome ``ok`` of an action that promises a call back: that is what a closed desk can give;
- the caller's own choice: an answer to a question or a confirmation. Wherever the caller is asked something, 0, the
  word for a human, and three silences or misunderstandings lead to the human flow: whoever wants a human gets one.

A flow is safe when no walk (whatever actions return, whatever the hours, whatever unknown conditions hold) of a caller
who says nothing or is never understood

- goes on for ever without a place where the caller is asked something (``silent-loop``),
- ends the call while a human is owed (``hangs-up``), or
- comes to a state with no way on (``dead-end``, ``no-else``, ``nothing-to-go-back-to``).

The human flow itself must, while the desk is open, come to a ``handoff`` before it asks or ends anything
(``human-not-reached``), and when it is closed have a way to a promised call back (``no-callback``). Only once both a
handoff and the promise have failed, in closed hours with dead back ends, may it say an honest goodbye.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ivr.dialogue.checker.condition import HOURS
from ivr.dialogue.checker.definite_assignment import check_filled, check_resumed
from ivr.dialogue.checker.explore import Walker
from ivr.dialogue.checker.graph import FlowGraph, components
from ivr.dialogue.checker.report import Report
from ivr.dialogue.checker.run import (
    AT_END,
    AT_NOTHING,
    AT_RETURN,
    HANDOFF_TRIED,
    OWED,
    RESUMED,
    Config,
    Exit,
    Move,
    Run,
)
from ivr.dialogue.checker.steps import graphs_of
from ivr.dialogue.flows.model_errors import listing
from ivr.dialogue.flows.source import Place

NOBODY = frozenset[str]()


def check_reaches_human(report: Report) -> None:
    """Reachability, loops, ends, definite assignment and the human flow, over every flow of the library."""
    library = report.library
    graphs = graphs_of(library)
    if _recursion(report, graphs):
        return
    human = library.universals.human_flow
    walker = Walker(graphs, human)
    called = {n.call for g in graphs.values() for n in g.nodes if n.call}
    entries = [f for f in graphs if f not in called or f in (report.facts.entries or ())]
    weathers = (True, False) if _hours_matter(report) else (True,)
    for hours in weathers:
        for flow in entries:
            run = walker.run(flow, NOBODY, OWED, hours)
            if flow != human:
                _nowhere_to_return(report, run, flow)
        if human in graphs:
            _human_flow(report, walker.run(human, NOBODY, OWED, hours), hours)
    if human in graphs and not walker.run(human, NOBODY, OWED, False).promises:
        place = report.key(human, "states")
        why = f"in closed hours nothing in {human} promises the caller anything: no action there promises a call back"
        remedy = f"on closed:, ask whether to call back, and perform {report.callback}"
        report.add("no-callback", place, why, remedy, text=human, path=(f"{human}.{library.flows[human].start}",))
    _unreachable(report, walker, called)
    seen: set[tuple[object, ...]] = set()
    for run in list(walker.runs.values()):
        _loops(report, walker, run, seen)
        _ends(report, walker, run, seen)
        _unfinished(report, run, seen)
        check_filled(report, walker, run, seen)
    check_resumed(report, walker, seen)


def _hours_matter(report: Report) -> bool:
    return any(HOURS in text for text in report.library.sources.values()) or not report.library.sources


def _recursion(report: Report, graphs: dict[str, FlowGraph]) -> bool:
    names = list(graphs)
    number = {n: i for i, n in enumerate(names)}
    onward = [[number[n.call] for n in graphs[f].nodes if n.call in number] for f in names]
    found = False
    for group in components(len(names), onward.__getitem__):
        if len(group) > 1 or group[0] in onward[group[0]]:
            found = True
            circle = sorted(names[i] for i in group)
            for flow in circle:
                for node in graphs[flow].nodes:
                    if node.call in circle:
                        place = report.at(flow, "states", node.name, "call")
                        why = f"{flow} calls {node.call}, which leads back to {flow}: flows may not call in circles"
                        remedy = "go to a state instead, or return to the caller and let it decide"
                        path = (*(f"{f}" for f in circle), circle[0])
                        report.add("recursion", place, why, remedy, path=path)
    return found


def _nowhere_to_return(report: Report, run: Run, flow: str) -> None:
    entries = report.facts.entries
    for exit_, (config, _) in run.exit_from.items():
        if exit_.kind == AT_RETURN:
            node = run.graph.nodes[config[0]]
            place = report.at(flow, "states", node.name, "return")
            if entries is not None and flow in entries:
                why = f"{flow} answers calls, so {node.name} has nobody to return to"
                report.add(
                    "nowhere-to-return", place, why, "end the call, or go to a question", path=run.path_to(config)
                )
            else:
                place = report.at(flow, "flow")
                why = f"nothing calls {flow}, though it returns to a caller"
                report.add("unused-flow", place, why, "call it from another flow, or delete it", severity="warning")
            return


def _unreachable(report: Report, walker: Walker, called: set[str]) -> None:
    visited: dict[str, set[int]] = {}
    for run in walker.runs.values():
        visited.setdefault(run.graph.flow.flow, set()).update(c[0] for c in run.moves)
        if run.overflow:
            flow = run.graph.flow.flow
            why = f"{flow} has too many combinations of filled variables to walk them all"
            report.add("too-complex", report.at(flow, "flow"), why, "split it into sub-flows", severity="warning")
    for flow, graph in walker.graphs.items():
        if flow not in visited:
            if flow in called:
                why, remedy = f"no call can ever come to {flow}", "call it from a state that is reached"
                report.add("unused-flow", report.at(flow, "flow"), why, remedy, severity="warning")
            continue
        for index, node in enumerate(graph.nodes):
            place = report.key(flow, "states", node.name)
            if index not in visited[flow] and _own(report, flow, place):
                why = f"no call can ever come to {node.name}"
                report.add("unreachable", place, why, f"lead a way to {node.name}, or delete it")


def _own(report: Report, flow: str, place: Place) -> bool:
    """States a fragment brought along may stay unused: other flows may want them."""
    return place.file == report.library.files[flow][0]


# --- loops and ends ------------------------------------------------------------------------------------------------


def _loops(report: Report, walker: Walker, run: Run, seen: set[tuple[object, ...]]) -> None:
    flow = run.graph.flow.flow
    circles = run.circles()
    if circles:
        run = walker.exactly(run)
        circles = run.circles()
    for circle in circles:
        configs = [m.to for m in circle if isinstance(m.to, tuple)]
        states = frozenset(c[0] for c in configs)
        if ("loop", flow, states) in seen:
            continue
        seen.add(("loop", flow, states))
        first = configs[-1]
        path = [*run.path_to(first)]
        for move in circle:
            if isinstance(move.to, tuple):
                path += [f"[{move.step.label}]"] if move.step.label != "then" else []
                path.append(run.name(move.to))
        asked = sorted({run.graph.nodes[s].state.ask for s in states if run.graph.nodes[s].ask})
        why = "this goes round for ever without asking the caller anything"
        remedy = "let one way out of the circle lead to a question or to human"
        if asked:
            why += f": {listing(asked)} is filled already, so it is passed through"
            remedy = f"clear {listing(asked)} on the way back, so that the caller is asked again"
        place = report.key(flow, "states", run.graph.nodes[first[0]].name)
        report.add("silent-loop", place, why, remedy, path=tuple(path))


def _ends(report: Report, walker: Walker, run: Run, seen: set[tuple[object, ...]]) -> None:
    flow = run.graph.flow.flow
    if _endings(run, flow, seen):
        run = walker.exactly(run)
    for config, move, kind in _endings(run, flow, seen):
        node = run.graph.nodes[config[0]]
        seen.add((kind, flow, node.name))
        place = report.key(flow, "states", node.name)
        if kind == AT_END:
            path = run.path_to(config)
            reason = "after a failure" if len(path) > 1 else "before being asked anything"
            why = f"a caller who says nothing comes here {reason} and is hung up on without having reached a human"
            remedy = "lead this way to human, or ask the caller something first"
            report.add("hangs-up", place, why, remedy, path=path)
        else:
            path = (*run.path_to(config), f"[{move.step.label}]", "back")
            why = "back leads to the previous question, and here none may have been asked yet"
            report.add("nothing-to-go-back-to", place, why, "name a state to go to, or human", path=path)


def _endings(run: Run, flow: str, seen: set[tuple[object, ...]]) -> list[tuple[Config, Move, str]]:
    """Ends while a human is owed, and ways back to nothing: the first of each state that was not reported yet."""
    found: dict[tuple[str, str, str], tuple[Config, Move, str]] = {}
    for config, moves in run.moves.items():
        name = run.graph.nodes[config[0]].name
        for move in moves:
            to = move.to
            if not isinstance(to, Exit) or to.mode & RESUMED:
                continue
            if (to.kind == AT_END and to.mode & OWED) or to.kind == AT_NOTHING:
                key = (to.kind, flow, name)
                if key not in seen:
                    found.setdefault(key, (config, move, to.kind))
    return list(found.values())


def _unfinished(report: Report, run: Run, seen: set[tuple[object, ...]]) -> None:
    flow = run.graph.flow.flow
    for config in run.unfinished:
        node = run.graph.nodes[config[0]]
        if ("no-else", flow, node.name) not in seen:
            seen.add(("no-else", flow, node.name))
            place = report.key(flow, "states", node.name, "when")
            why = f"none of the conditions of {node.name} need hold, and then nothing happens"
            report.add("no-else", place, why, "end the list with a case without if:", path=run.path_to(config))


# --- the human flow ------------------------------------------------------------------------------------------------


def _human_flow(report: Report, run: Run, hours: bool) -> None:
    if not hours:
        return
    for config, path, what in first_stops(run):
        flow = run.graph.flow.flow
        place = (
            report.key(flow, "states", run.graph.nodes[config[0]].name) if config[0] >= 0 else report.key(flow, "flow")
        )
        why = f"the desk is open, yet a caller who says nothing {what} before being handed to a human"
        remedy = "put the handoff first; ask only when it is closed or failed"
        report.add("human-not-reached", place, why, remedy, path=path)


def first_stops(run: Run, lead: tuple[str, ...] = ()) -> Iterator[tuple[Config, tuple[str, ...], str]]:
    """Where a silent caller comes to a stop before any handoff was tried: configuration, path, what stops them."""
    queue: deque[tuple[Config, tuple[str, ...]]] = deque((c, (*lead, run.name(c))) for c, _ in run.starts)
    seen = {c for c, _ in queue}
    while queue:
        config, path = queue.popleft()
        node = run.graph.nodes[config[0]]
        if node.kind == "handoff" or config[2] & HANDOFF_TRIED:
            continue
        if node.kind == "end":
            yield config, path, "is hung up on"
            continue
        for inner in run.calls.get(config, ()):
            for _, further, what in first_stops(inner, path):
                yield config, further, what
        silent = list(run.silent_moves(config))
        if not silent and node.kind not in ("call", "return", "branch"):
            yield config, path, "is asked something"
        for move in silent:
            if isinstance(move.to, Exit):
                if move.to.kind in (AT_END, AT_NOTHING):
                    yield config, path, "is hung up on"
            elif move.to not in seen:
                seen.add(move.to)
                queue.append((move.to, (*path, run.name(move.to))))
