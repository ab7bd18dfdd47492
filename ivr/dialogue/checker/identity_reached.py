"""Identity levels: on every path that a call can take, whoever calls is known as surely as the next action needs.

Walks begin where calls are answered, and where a human is sent for: there nobody is known. A dropped call that is taken
up again begins anew where it stopped, with a caller who is ``likely`` and no more: verification ends with its call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from ivr.dialogue.checker.definite_assignment import after_resume
from ivr.dialogue.checker.explore import Walker
from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.graph import Config, Run, at_level, level_of
from ivr.identity import IdentityLevel

Chain = tuple[str, ...]
_DROPPED = "[the call drops and is taken up again]"


def check_identity(findings: Findings, walker: Walker) -> None:
    for run, chain in _called(_roots(findings, walker)):
        _lacking(findings, run, chain)
    if not findings.assurance.identifies:
        return
    for run, configs in after_resume(walker):
        starts: dict[Config, int] = {}
        for config in configs:
            for state, known, mode in _stopped(run, config):
                key = (state, known, at_level(mode, IdentityLevel.LIKELY))
                starts[key] = starts.get(key, -1) & run.filled.get((state, known, mode), 0)
        if starts:
            _lacking(findings, walker.reached(run, list(starts.items())), (_DROPPED,))


def _stopped(run: Run, config: Config) -> Iterator[Config]:
    """Where a call can go on that drops at ``config``, or in the flow that is called there."""
    node = run.graph.nodes[config[0]]
    if run.listens(config) or node.kind in ("action", "http"):
        yield from ((state, *config[1:]) for state in run.resumed_at(config))
    elif node.kind == "call":
        yield from (move.to for move in run.moves.get(config, ()) if isinstance(move.to, tuple))


def _roots(findings: Findings, walker: Walker) -> list[Run]:
    """The flows that answer calls, and the human flow. A flow that only returns answers none: it waits to be called."""
    human = findings.library.universals.human_flow
    answering = findings.facts.entries

    def answers(run: Run) -> bool:
        name = run.graph.flow.flow
        if name == human:
            return True
        if answering is not None:
            return name in answering
        return name not in walker.called and not any(exit_.kind == "return" for exit_ in run.exits)

    inner = {id(called) for run in walker.runs.values() for runs in run.calls.values() for called in runs}
    return [run for run in walker.runs.values() if id(run) not in inner and answers(run)]


def _called(roots: Iterable[Run]) -> Iterable[tuple[Run, Chain]]:
    """Every run with the way to its flow's beginning."""
    queue: deque[tuple[Run, Chain]] = deque((run, ()) for run in roots)
    seen = {id(run) for run, _ in queue}
    while queue:
        run, chain = queue.popleft()
        yield run, chain
        for config, inner in run.calls.items():
            for each in inner:
                if id(each) not in seen:
                    seen.add(id(each))
                    queue.append((each, (*chain, *run.path_to(config))))


def _lacking(findings: Findings, run: Run, chain: Chain) -> None:
    flow = run.graph.flow.flow
    for config in run.moves:
        node, level = run.graph.nodes[config[0]], level_of(config[2])
        if level >= node.needs or node.refused is not None or not findings.first("identity", flow, node.name):
            continue
        what = node.state.action or (node.state.http.service if node.state.http else "")
        usual = "" if findings.assurance.declared(node.state) else ", as all do that declare nothing"
        why = f"{what} needs a caller who is {node.needs.word}{usual}, and here they may be {level.word}"
        remedy = f"{_verify(findings, node.needs)}, or lead not_verified: under on: to where that is done"
        place = findings.at(flow, "states", node.name, node.kind)
        findings.add("identity-not-reached", place, why, remedy, path=(*chain, *run.path_to(config)))


def _verify(findings: Findings, needs: IdentityLevel) -> str:
    giving = [
        name for name, signature in findings.library.signatures.items()
        if any(identity.level >= needs for identity in signature.gives.values())
    ]  # fmt: skip
    if not giving:
        return f"come here only once they are {needs.word}"
    enough = [level.word for level in IdentityLevel if level >= needs]
    known = f"== '{enough[0]}'" if len(enough) == 1 else f"in {enough}"
    return f'come here only after {" or ".join(giving)}, by if: "caller.identity {known}"'
