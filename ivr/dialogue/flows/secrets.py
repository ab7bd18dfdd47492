"""Secret variables and facts: those declared so, and every variable that gets its value from one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ivr.dialogue.flows.expression import ExpressionError, parse_expression
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow


def secret_names(library: FlowLibrary) -> Mapping[str, frozenset[str]]:
    """By flow: its secret variables, and the company's secret facts, which are so in every flow.

    A secret passes on by ``set``, into a flow that is called and out of it again; facts that services bring are secret
    only where the company file says so."""
    flows = library.flows
    found = {name: flow.secrets | library.secret_facts for name, flow in flows.items()}
    while True:
        more = {name: set(secret) for name, secret in found.items()}
        for flow, variable in _passed_on(flows, found):
            more[flow].add(variable)
        for name, each in flows.items():
            more[name] |= {part for part in each.parts if part.rpartition(".")[0] in found[name]}
        if all(len(more[name]) == len(found[name]) for name in found):
            return found
        found = {name: frozenset(secret) for name, secret in more.items()}


def _passed_on(flows: Mapping[str, Flow], secret: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    for name, flow in flows.items():
        for state in flow.states.values():
            for given in (state.set, *(transition.edge.set for transition in state.transitions())):
                yield from ((name, mine) for mine, value in given.items() if _draws_on(value, secret[name]))
            if (callee := flows.get(state.call)) is None:
                continue
            inner = secret[state.call]
            yield from ((state.call, p) for p, value in state.arguments.items() if _draws_on(value, secret[name]))
            results = {theirs for s in callee.states.values() for theirs, v in s.values.items() if _draws_on(v, inner)}
            yield from ((name, mine) for mine, theirs in state.returns.items() if theirs in results)


def _draws_on(value: object, names: Iterable[str]) -> bool:
    try:
        return isinstance(value, str) and not parse_expression(value).names.isdisjoint(names)
    except ExpressionError:
        return False
