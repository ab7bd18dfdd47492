"""Values passed on: what a variable, or a sub-flow's parameter, is given is one of those that somebody knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ivr.dialogue.checker.bounds import timely
from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.value_types import SAID_AS, WHOLE, literal_fits, passes_for, type_of
from ivr.dialogue.flows.condition import read
from ivr.dialogue.flows.model import Flow, VariableSpec
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.source import Place


def check_passed_values(findings: Findings) -> None:
    flows = findings.library.flows
    for name, flow in flows.items():
        for sid, state in flow.states.items():
            for path, given in (((), state.set), *((t.path, t.edge.set) for t in state.transitions())):
                for variable, value in given.items():
                    if variable in flow.slots:
                        place = findings.at(name, "states", sid, *path, "set", variable)
                        _given(findings, flow, flow, variable, value, place)
            if (callee := flows.get(state.call)) is not None:
                for parameter, value in state.arguments.items():
                    if parameter in callee.parameters:
                        place = findings.at(name, "states", sid, "with", parameter)
                        _typed(findings, flow, callee, parameter, value, place)
                        _given(findings, flow, callee, parameter, value, place)


def _typed(findings: Findings, flow: Flow, callee: Flow, parameter: str, value: object, place: Place) -> None:
    """A sub-flow's parameter is given what it can be: a value of another type fits no condition and is said wrongly."""
    wanted, expression = callee.slots[parameter].type, read(value)
    if expression is not None and expression.bare:
        given = type_of(findings, flow, expression.bare)
        # What an unknown type, or a text, holds, nobody can tell.
        if given in SAID_AS and wanted in SAID_AS and not passes_for(given, wanted):
            why = f"{callee.flow} wants a {wanted} for {parameter}, and {expression.bare} is a {given}"
            findings.add("wrong-type", place, why, f"pass a variable of type {wanted}", text=str(value))
    elif expression is None or expression.literal:
        for one in _values(flow, value):
            if one is not None and one != "" and not literal_fits(one, wanted):
                why = f"{callee.flow} wants a {wanted} for {parameter}, and “{one}” is none"
                findings.add(
                    "wrong-type", place, why, f"give it a {wanted}, or a variable that is one", text=str(value)
                )


def _given(findings: Findings, flow: Flow, callee: Flow, name: str, value: object, place: Place) -> None:
    spec = callee.slots[name]
    of = "" if callee is flow else f" of {callee.flow}"
    for one in _values(flow, value):
        if isinstance(one, bool) or one is None or one == "":
            continue
        if spec.type == "choice" and spec.values and str(one) not in spec.values:
            known = list(spec.values)
            why = f"{name}{of} is given {one}, which is none of its values"
            remedy = suggestion(str(one), known, f"values here: {listing(known)}; or add {one} to them")
            findings.add("unknown-choice", place, why, remedy, text=str(value))
        elif spec.type in WHOLE and _beyond(spec, one):
            why = f"{name}{of} is given {one}, and reaches from {spec.minimum} to {spec.maximum}"
            findings.add("out-of-range", place, why, "give it a value within, or widen min: and max:", text=str(value))
        elif spec.type == "time" and not timely(spec, one):
            why = f"{name}{of} is given {one}, and reaches from {spec.earliest or '00:00'} to {spec.latest or '23:59'}"
            remedy = "give it a time within, or widen earliest: and latest:"
            findings.add("out-of-range", place, why, remedy, text=str(value))
        elif spec.type == "text" and callee is not flow and (known := _asked_for(callee, name)) and one not in known:
            why = f"no branch of {callee.flow} knows {name} = {one}"
            remedy = suggestion(str(one), known, f"it knows {listing(known)}; or add a case for {one}")
            findings.add("unknown-choice", place, why, remedy, severity="warning", text=str(value))


def _values(flow: Flow, value: object) -> Iterator[object]:
    """What a value comes to: itself, or each value of the choice that it names."""
    expression = read(value)
    if expression is None:
        if not isinstance(value, str):
            yield value
    elif expression.literal:
        yield expression.evaluate({})
    elif (spec := flow.slots.get(expression.bare)) is not None and spec.type == "choice":
        yield from spec.values


def _beyond(spec: VariableSpec, value: object) -> bool:
    if not isinstance(value, int | float):
        return False
    low, high = spec.minimum, spec.maximum
    return (low is not None and value < low) or (high is not None and value > high)


def _asked_for(callee: Flow, parameter: str) -> list[str]:
    """The texts that a flow's cases compare a parameter with; none where a case takes all the rest."""
    found: dict[str, None] = {}
    for state in callee.states.values():
        for transition in state.transitions():
            expression = read(transition.condition) if transition.condition else None
            if expression is None or parameter not in expression.names:
                continue
            if any(t.kind == "case" and not t.condition for t in state.transitions()):
                return []  # it takes whatever else there is
            for node in ast.walk(ast.parse(transition.condition.strip(), mode="eval")):
                if isinstance(node, ast.Compare) and any(ast.unparse(n) == parameter for n in ast.walk(node)):
                    texts = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
                    found.update({text: None for text in texts if isinstance(text, str)})
    return list(found)
