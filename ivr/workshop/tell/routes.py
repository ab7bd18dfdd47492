"""Routes: the shortest ways through the flows, from the first state to any other, and from any state to a human."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ivr.dialogue.flows.expression import ExpressionError, parse_expression
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.state import HUMAN, State, Transition

Spot = tuple[str, str]
"""(flow, state); ("", "human") is a human."""

AT_HUMAN: Spot = ("", HUMAN)

Known = tuple[tuple[str, object], ...]
"""Variables of the flow whose values the way so far decides: literals passed on or set."""

NOTHING: Known = ()
_Config = tuple[Spot, Known]
_MOST = 20_000  # places looked at before giving up


@dataclass(frozen=True, slots=True)
class RouteStep:
    """From one state to the next. ``transition`` is None where a sub-flow begins or returns."""

    source: Spot
    transition: Transition | None
    target: Spot


def steps_from(library: FlowLibrary, spot: Spot, known: Known = NOTHING) -> Iterator[tuple[RouteStep, Known]]:
    """Where a call may be next, and what its variables are known to be there. Conditions that can't hold are left out;
    what isn't known may be anything. A return goes to whatever called the flow."""
    flow, name = spot
    if flow not in library.flows or name not in library.flows[flow].states:
        return
    owner = library.flows[flow]
    state = owner.states[name]
    known = _after(known, state.set, ())
    for transition in _open_transitions(state, known):
        beyond = _after(known, transition.edge.set, (*transition.edge.clear, *state.clear))
        if transition.kind == "answer":
            beyond = _after(beyond, {}, (transition.name,))
        if transition.target in owner.states:
            yield RouteStep(spot, transition, (flow, transition.target)), beyond
        elif transition.target == HUMAN:
            yield RouteStep(spot, transition, AT_HUMAN), NOTHING
    if state.call in library.flows:
        given = _after(NOTHING, state.arguments, ())
        yield RouteStep(spot, None, (state.call, library.flows[state.call].start)), given
    if state.handoff is not None or state.line is not None:
        yield RouteStep(spot, None, AT_HUMAN), NOTHING


def _open_transitions(state: State, known: Known) -> Iterator[Transition]:
    values = dict(known)
    for transition in state.transitions():
        holds = _holds(transition.condition, values) if transition.condition else None
        if holds is False:
            continue
        yield transition
        if transition.kind == "case" and holds:
            return


def _holds(condition: str, values: dict[str, object]) -> bool | None:
    """None where that depends on what isn't known."""
    try:
        expression = parse_expression(condition)
    except ExpressionError:
        return None
    if expression.tested or not expression.names <= values.keys():
        return None
    return expression.holds(values)


def _after(known: Known, assigned: Mapping[str, object], forgotten: Sequence[str]) -> Known:
    values = dict(known)
    for name, value in assigned.items():
        values.pop(name, None)
        if isinstance(value, str):
            try:
                expression = parse_expression(value)
            except ExpressionError:
                continue
            if expression.literal:
                values[name] = expression.evaluate({})
        else:
            values[name] = value
    for name in forgotten:
        values.pop(name, None)
    return tuple(sorted(values.items()))


def route_to(library: FlowLibrary, target: Spot) -> tuple[RouteStep, ...] | None:
    """The shortest way from where calls are answered; None where none leads there."""
    human = library.universals.human_flow
    starts = [(f, library.flows[f].start) for f in library.uncalled if f != human]
    if target[0] == human:
        starts.append((human, library.flows[human].start))
    return _shortest(library, starts, lambda spot: spot == target)


def route_to_human(library: FlowLibrary, source: Spot) -> tuple[RouteStep, ...] | None:
    """The shortest way to a human that the flow itself takes, without the caller asking for one."""
    return _shortest(library, [source], lambda spot: spot == AT_HUMAN)


def _shortest(library: FlowLibrary, starts: list[Spot], there: Callable[[Spot], bool]) -> tuple[RouteStep, ...] | None:
    begun: list[_Config] = [(spot, NOTHING) for spot in starts]
    came: dict[_Config, tuple[RouteStep, _Config] | None] = dict.fromkeys(begun)
    queue = deque(begun)
    while queue:
        config = queue.popleft()
        if there(config[0]):
            route: list[RouteStep] = []
            step = came[config]
            while step is not None:
                route.append(step[0])
                step = came[step[1]]
            return tuple(reversed(route))
        for onward, known in steps_from(library, *config):
            beyond = (onward.target, known)
            if beyond not in came and len(came) < _MOST:
                came[beyond] = (onward, config)
                queue.append(beyond)
    return None
