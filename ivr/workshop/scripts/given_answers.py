"""Answers that a script gives and nothing in its call asked for: they hold from where they stand, and most stand too
late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ivr.actions.http import NAME as HTTP
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.source import Place
from ivr.workshop.scripts.model import Step
from ivr.workshop.simulate.driver import DESK, RECORDING
from ivr.workshop.simulate.simulation import Simulation

CODE = "unused-answer"


@dataclass(frozen=True, slots=True)
class _Given:
    """``answer``: what the simulation has of it. ``actions``: those that it may be of. ``before``: how many had run."""

    answer: object
    text: str
    actions: frozenset[str]
    before: int
    place: Place


class GivenAnswers:
    """Those of one call."""

    def __init__(self, library: FlowLibrary) -> None:
        self._library = library
        self._given: list[_Given] = []

    def note(self, step: Step, place: Place, simulation: Simulation) -> None:
        """What a step that was just done gives."""
        before = len(simulation.performed)
        if step.answer is not None:
            name = step.answer.action
            self._given.append(_Given(simulation.answers[name], name, frozenset({name}), before, place))
        for service, exchanges in (step.http or {}).items():
            actions = frozenset(self._of(service))
            for exchange in exchanges:
                self._given.append(_Given(exchange, f"{service} {exchange.on}".strip(), actions, before, place))

    def unused(self, simulation: Simulation, *, whole: bool) -> tuple[Finding, ...]:
        """``whole``: the call came to its end. Else only what had run before its answer was given."""
        found = []
        for each in self._given:
            late = not each.actions.isdisjoint(simulation.performed[: each.before])
            if not any(each.answer is used for used in simulation.used) and (late or whole):
                found.append(_finding(each, late))
        return tuple(found)

    def _of(self, service: str) -> Iterator[str]:
        yield HTTP
        company = self._library.company
        for name, action in company.actions.items() if company is not None else ():
            if action.service == service:
                yield name


def _finding(given: _Given, late: bool) -> Finding:
    what = given.text
    why = f"nothing asks {what} after this step, so this answer is never given"
    remedy = "write it before the step that leads there, or remove it"
    if late:
        why = f"{what} has been asked before this step, and isn't afterwards: this answer comes too late"
        remedy = "an answer holds from where it stands: write it above the step that leads to it"
    elif what in (DESK, RECORDING):
        why = f"nobody is connected after this step, so what the {what} would be is never asked"
    place = given.place
    return Finding(CODE, "warning", place.file, place.line, place.column, what, why, remedy)
