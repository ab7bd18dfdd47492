"""Reachability of a human: what is proven about ways through a call, and how it is reported.

What "reaches a human" means here. The caller is *owed* a human from the moment a call is answered, whenever something
behind an action fails, and whenever they asked for one. The debt is settled by

- a ``handoff`` or ``wait`` state while the desk is open;
- the outcome ``ok`` of an action that promises a call back: that is what a closed desk can give;
- the caller's own choice: an answer to a question or a confirmation. Wherever the caller is asked something, 0, the
  word for a human, and three silences or misunderstandings lead to the human flow: whoever wants a human gets one.

A flow is safe when no walk (whatever actions return, whatever the hours, whatever unknown conditions hold) of a caller
who says nothing or is never understood

- goes on for ever without a place where the caller is asked something (``silent-loop``),
- ends the call while a human is owed (``hangs-up``), or
- comes to a state with no way on (``dead-end``, ``no-else``, ``nothing-to-go-back-to``).

The human flow itself must, while the desk is open, come to a ``handoff`` or ``wait`` before it asks or ends anything
(``human-not-reached``), and when it is closed have a way to a promised call back (``no-callback``). Only once both a
handoff and the promise have failed, in closed hours with dead back ends, may it say an honest goodbye.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ivr.dialogue.checker.definite_assignment import check_filled, check_resumed
from ivr.dialogue.checker.explore import Walker
from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.graph import HANDOFF_TRIED, OWED, RESUMED, Config, Exit, FlowGraph, Move, Run, components
from ivr.dialogue.checker.identity_reached import check_identity
from ivr.dialogue.checker.steps import graphs_of
from ivr.dialogue.flows.condition import HOURS
from ivr.dialogue.flows.model_errors import listing


def check_reaches_human(findings: Findings) -> None:
    """Reachability, loops, ends, definite assignment and the human flow, over every flow of the library."""
    library = findings.library
    graphs = graphs_of(library, findings.assurance)
    if _recursion(findings, graphs):
        return
    human = library.universals.human_flow
    walker = Walker(graphs, human)
    for hours in (True, False) if _hours_matter(findings) else (True,):
        for flow in walker.entries(findings.facts.entries):
            run = walker.run(flow, hours)
            if flow != human:
                _nowhere_to_return(findings, run, flow)
    if human in graphs:
        _human_flow(findings, walker, human)
    _unreachable(findings, walker)
    for run in list(walker.runs.values()):
        _loops(findings, walker, run)
        _ends(findings, walker, run)
        _unfinished(findings, run)
        check_filled(findings, walker, run)
    check_resumed(findings, walker)
    check_identity(findings, walker)


def _hours_matter(findings: Findings) -> bool:
    return any(HOURS in text for text in findings.library.sources.values()) or not findings.library.sources


def _recursion(findings: Findings, graphs: dict[str, FlowGraph]) -> bool:
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
                        place = findings.at(flow, "states", node.name, "call")
                        why = f"{flow} calls {node.call}, which leads back to {flow}: flows may not call in circles"
                        remedy = "go to a state instead, or return to the caller and let it decide"
                        findings.add("recursion", place, why, remedy, path=(*circle, circle[0]))
    return found


def _nowhere_to_return(findings: Findings, run: Run, flow: str) -> None:
    for exit_, (config, _) in run.exit_from.items():
        if exit_.kind == "return":
            name, path = run.graph.nodes[config[0]].name, run.path_to(config)
            if flow in (findings.facts.entries or ()):
                place = findings.at(flow, "states", name, "return")
                why = f"{flow} answers calls, so {name} has nobody to return to"
                findings.add("nowhere-to-return", place, why, "end the call, or go to a question", path=path)
            else:
                why = f"nothing calls {flow}, though it returns to a caller"
                remedy = "call it from another flow, or delete it"
                findings.add("unused-flow", findings.at(flow, "flow"), why, remedy, severity="warning")
            return


def _unreachable(findings: Findings, walker: Walker) -> None:
    visited: dict[str, set[int]] = {}
    for run in walker.runs.values():
        visited.setdefault(run.graph.flow.flow, set()).update(c[0] for c in run.moves)
        if run.overflow:
            flow = run.graph.flow.flow
            why = f"{flow} has too many combinations of filled variables to walk them all"
            findings.add("too-complex", findings.at(flow, "flow"), why, "split it into sub-flows", severity="warning")
    for flow, graph in walker.graphs.items():
        if flow not in visited:
            if flow in walker.called:
                why, remedy = f"no call can ever come to {flow}", "call it from a state that is reached"
                findings.add("unused-flow", findings.at(flow, "flow"), why, remedy, severity="warning")
            continue
        for index, node in enumerate(graph.nodes):
            place = findings.key(flow, "states", node.name)
            # states a fragment brought along may stay unused: other flows may want them
            if index not in visited[flow] and place.file == findings.library.files[flow][0]:
                why = f"no call can ever come to {node.name}"
                findings.add("unreachable", place, why, f"lead a way to {node.name}, or delete it")


# --- loops and ends ------------------------------------------------------------------------------------------------


def _loops(findings: Findings, walker: Walker, run: Run) -> None:
    flow = run.graph.flow.flow
    circles = run.circles()
    if circles:
        run = walker.exactly(run)
        circles = run.circles()
    for circle in circles:
        configs = [m.to for m in circle if isinstance(m.to, tuple)]
        states = frozenset(c[0] for c in configs)
        if not findings.first("loop", flow, states):
            continue
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
        place = findings.key(flow, "states", run.graph.nodes[first[0]].name)
        findings.add("silent-loop", place, why, remedy, path=tuple(path))


def _ends(findings: Findings, walker: Walker, run: Run) -> None:
    if _endings(run):
        run = walker.exactly(run)
    for (kind, name), (config, move) in _endings(run).items():
        flow = run.graph.flow.flow
        if not findings.first(kind, flow, name):
            continue
        place, path = findings.key(flow, "states", name), run.path_to(config)
        if kind == "end":
            reason = "after a failure" if len(path) > 1 else "before being asked anything"
            why = f"a caller who says nothing comes here {reason} and is hung up on without having reached a human"
            remedy = "lead this way to human, or ask the caller something first"
            findings.add("hangs-up", place, why, remedy, path=path)
        else:
            why = "back leads to the previous question, and here none may have been asked yet"
            path = (*path, f"[{move.step.label}]", "back")
            findings.add("nothing-to-go-back-to", place, why, "name a state to go to, or human", path=path)


def _endings(run: Run) -> dict[tuple[str, str], tuple[Config, Move]]:
    """Ends while a human is owed, and ways back to nothing, by kind and state: the first of each."""
    found: dict[tuple[str, str], tuple[Config, Move]] = {}
    for config, moves in run.moves.items():
        for move in moves:
            to = move.to
            if not isinstance(to, Exit) or to.mode & RESUMED:
                continue
            if (to.kind == "end" and to.mode & OWED) or to.kind == "nothing":
                found.setdefault((to.kind, run.graph.nodes[config[0]].name), (config, move))
    return found


def _unfinished(findings: Findings, run: Run) -> None:
    flow = run.graph.flow.flow
    for config in run.unfinished:
        name = run.graph.nodes[config[0]].name
        if findings.first("no-else", flow, name):
            why = f"none of the conditions of {name} need hold, and then nothing happens"
            place = findings.key(flow, "states", name, "when")
            findings.add("no-else", place, why, "end the list with a case without if:", path=run.path_to(config))


# --- the human flow ------------------------------------------------------------------------------------------------


def _human_flow(findings: Findings, walker: Walker, flow: str) -> None:
    for path, what in first_stops(walker.run(flow, True)):
        where, _, state = path[-1].partition(".")
        place = findings.key(where, "states", state)
        why = f"the desk is open, yet a caller who says nothing {what} before being handed to a human"
        remedy = "put the wait or handoff first; ask only when it is closed or failed"
        findings.add("human-not-reached", place, why, remedy, path=path)
    if not walker.run(flow, False).promises:
        why = f"in closed hours nothing in {flow} promises the caller anything: no action there promises a call back"
        remedy = f"on closed:, ask whether to call back, and perform {findings.callback}"
        path = (f"{flow}.{findings.library.flows[flow].start}",)
        findings.add("no-callback", findings.key(flow, "states"), why, remedy, text=flow, path=path)


def first_stops(run: Run, lead: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where a silent caller comes to a stop before any handoff was tried: the path there, what stops them."""
    queue: deque[tuple[Config, tuple[str, ...]]] = deque((c, (*lead, run.name(c))) for c, _ in run.starts)
    seen = {c for c, _ in queue}
    while queue:
        config, path = queue.popleft()
        node = run.graph.nodes[config[0]]
        if node.kind in ("handoff", "wait") or config[2] & HANDOFF_TRIED:
            continue
        if node.kind == "end":
            yield path, "is hung up on"
            continue
        for inner in run.calls.get(config, ()):
            yield from first_stops(inner, path)
        silent = list(run.silent_moves(config))
        if not silent and node.kind not in ("call", "return", "branch"):
            yield path, "is asked something"
        for move in silent:
            if isinstance(move.to, Exit):
                if move.to.kind in ("end", "nothing"):
                    yield path, "is hung up on"
            elif move.to not in seen:
                seen.add(move.to)
                queue.append((move.to, (*path, run.name(move.to))))
