"""Conditions that decide something: none that can never be true, or always is, by the types and ranges of what it asks.

Each is tried, by the engine's own reading of it, on values at and beside every border that it names: comparisons of
whole numbers, days and words change nowhere else. What may be anything is tried as anything.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from itertools import product
from math import prod

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.value_types import WHOLE, type_of
from ivr.dialogue.flows.condition import read
from ivr.dialogue.flows.expression import WORDS, Expression, parse_expression
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.model_errors import listing
from ivr.dialogue.flows.prompt import TaperedPrompt, items_of
from ivr.dialogue.flows.source import Place
from ivr.dialogue.spoken.clock import DAY, clock_time, minutes_of
from ivr.identity import CALLER_IDENTITY, IdentityLevel

MOST_TRIED = 4_000  # combinations of values; beyond that nothing is said
_FAR = 10**9
_TIMES = ("00:00", "12:00", "23:59")
_DAYS = ("0001-01-01", "2026-06-15", "9999-12-31")


def check_conditions(findings: Findings) -> None:
    for name, flow in findings.library.flows.items():
        _Flow(findings, name, flow).check()


class _Flow:
    def __init__(self, findings: Findings, name: str, flow: Flow) -> None:
        self.findings, self.name, self.flow = findings, name, flow
        self.given: dict[str, list[object]] = {}  # what else a variable is given than what callers say
        for state in flow.states.values():
            for given in (state.set, *(t.edge.set for t in state.transitions())):
                for variable, value in given.items():
                    self.given.setdefault(variable, []).append(value)
            for variable in (*state.returns, *(state.http.returns if state.http is not None else ())):
                self.given.setdefault(variable, []).append(f"{variable}.returned")

    def check(self) -> None:
        for sid, state in self.flow.states.items():
            before: list[Expression] = []
            for transition in state.transitions():
                if not transition.condition:
                    continue
                place = self.findings.at(self.name, "states", sid, *transition.path, "if")
                earlier = before if transition.kind == "case" else []
                if (expression := self.condition(transition.condition, place, earlier)) is not None:
                    earlier.append(expression)
            for _, prompt, path in state.prompts():
                self.prompt(prompt, partial(self.findings.at, self.name, "states", sid, *path))
        for key, wording in self.findings.library.wordings.items():
            for prompt_id, prompt in wording.prompts.items() if key[0] == self.name else ():
                self.prompt(prompt, partial(self.findings.overlay, key, "prompts", prompt_id))

    def prompt(self, prompt: TaperedPrompt, at: Callable[..., Place]) -> None:
        for item, here in items_of(prompt):
            if item.condition:
                self.condition(item.condition, at(*here, "if"), ())

    def condition(self, text: str, place: Place, before: Sequence[Expression]) -> Expression | None:
        expression = read(text)
        if expression is None or expression.optional or expression.literal:
            return None
        for part in _parts(text):
            if (verdict := self.verdict(part)) is not None:
                why = f"{part.text} can never be true: {self.because(part)}"
                if verdict:
                    why = f"{part.text} is always true, so it decides nothing: {self.because(part)}"
                    remedy = "remove it, or compare with what it should be"
                    self.findings.add("always-true", place, why, remedy, severity="warning", text=text)
                else:
                    self.findings.add("never-true", place, why, self.remedy(part), text=text)
                return expression
        tried = self.tried((expression, *before))
        if tried and before and not any(
            expression.holds(scope) and not any(other.holds(scope) for other in before) for scope in tried
        ):  # fmt: skip
            why = f"whenever {text} is true, a case above it is taken already"
            self.findings.add("never-true", place, why, "put this case above the others, or remove it", text=text)
        return expression

    def verdict(self, expression: Expression) -> bool | None:
        tried = self.tried((expression,))
        if not tried:
            return None
        if not any(map(expression.holds, tried)):
            return False
        compared = expression.names - expression.tested
        filled = [scope for scope in tried if all(scope[name] is not None for name in compared)]
        return True if filled and all(map(expression.holds, filled)) else None

    def tried(self, expressions: Sequence[Expression]) -> list[dict[str, object]]:
        names = sorted(frozenset[str]().union(*(e.names | e.tested for e in expressions)))
        if any(name not in self.flow.slots and "." not in name for name in names):
            return []
        literals = [value for expression in expressions for value in _literals(expression.text)]
        numbers = {v for v in literals if isinstance(v, int | float) and not isinstance(v, bool)}
        for name in names:
            numbers |= {v for v in self.bounds(name) if v is not None}
        if any(c in expression.text for expression in expressions for c in "+-"):
            numbers |= {a + sign * b for a in numbers for b in numbers for sign in (1, -1)}
        values = [self.values(name, literals, numbers) for name in names]
        if prod(map(len, values)) > MOST_TRIED:
            return []
        return [dict(zip(names, each, strict=True)) for each in product(*values)]

    def values(self, name: str, literals: Sequence[object], numbers: set[int | float]) -> list[object]:
        """What a variable or fact may be, None (not filled) included."""
        kind = type_of(self.findings, self.flow, name)
        near = {int(n) + step for n in numbers for step in (-1, 0, 1)} | {0, _FAR, -_FAR}
        texts = [value for value in literals if isinstance(value, str)]
        found: list[object] = [None]
        if name == CALLER_IDENTITY:
            return [level.word for level in IdentityLevel]
        if kind in WHOLE:
            low, high = self.bounds(name)
            found += sorted(n for n in near if (low is None or n >= low) and (high is None or n <= high))
        elif kind == "date":
            days = {*_DAYS, *(day for text in texts for day in _around(text))}
            found += sorted(days)
        elif kind == "time":
            clocks = {*_TIMES, *(clock for text in texts for clock in _beside(text))}
            first, last = self.clocks(name)
            found += sorted(clock for clock in clocks | {first, last} if first <= clock <= last)
        elif kind == "boolean":
            found += [True, False]
        elif kind == "choice" and name in self.flow.slots and not self.open(name):
            found += [*self.flow.slots[name].values, *self.constants(name)]
        elif kind == "digits" and not self.open(name):
            found += ["0", "9" * 7, *(t for t in texts if t.isdecimal()), *(str(n) for n in near if n >= 0)]
        else:
            found += [*literals, *sorted(near), True, False, "", "~", "a"]
        return found

    def bounds(self, name: str) -> tuple[int | None, int | None]:
        spec = self.flow.slots.get(name)
        if spec is None or spec.type not in WHOLE or name in self.given:
            return (None, None)
        return (spec.minimum, spec.maximum)

    def clocks(self, name: str) -> tuple[str, str]:
        """The first and the last time of the day that a variable may be."""
        spec = self.flow.slots.get(name)
        if spec is None or name in self.given or name in self.flow.parameters:
            return (_TIMES[0], _TIMES[-1])
        return (spec.earliest or _TIMES[0], spec.latest or _TIMES[-1])

    def constants(self, name: str) -> list[object]:
        """What is set as it stands in the file."""
        found = [
            parse_expression(v).evaluate({}) if isinstance(v, str) and read(v) else v for v in self.given.get(name, [])
        ]
        return [value for value in found if value is not None]

    def open(self, name: str) -> bool:
        """Whether a variable is given values that the file doesn't show."""
        given = (read(v) for v in self.given.get(name, []) if isinstance(v, str))
        return name in self.flow.parameters or any(each is None or not each.literal for each in given)

    def because(self, expression: Expression) -> str:
        said = []
        for name in sorted(expression.names | expression.tested):
            kind = type_of(self.findings, self.flow, name)
            low, high = self.bounds(name)
            if kind == "choice" and name in self.flow.slots:
                said.append(f"{name} is one of {listing(list(self.flow.slots[name].values))}")
            elif low is not None or high is not None:
                reach = f"from {low} to {high}" if None not in (low, high) else f"{low} or more"
                said.append(f"{name} is {reach if low is not None else f'{high} or less'}")
            elif kind == "time" and self.clocks(name) != (_TIMES[0], _TIMES[-1]):
                said.append(f"{name} is from {' to '.join(self.clocks(name))}")
            elif kind:
                said.append(f"{name} is a {kind}")
        return "; ".join(said) or "its parts exclude each other"

    def remedy(self, expression: Expression) -> str:
        kinds = {type_of(self.findings, self.flow, name) for name in expression.names}
        if "choice" in kinds:
            return "compare it with one of its values"
        if "time" in kinds:
            return "compare a time with a time of its bounds, as '15:30'"
        if "date" in kinds:
            return "compare a day with a day, as '2026-12-24'"
        return "compare it with what it can be, or correct its range"


def _parts(text: str) -> Iterator[Expression]:
    """Each comparison of a condition, then whatever joins them, and the whole."""
    tree = ast.parse(text.strip(), mode="eval").body
    if not isinstance(tree, ast.BoolOp | ast.UnaryOp):
        yield parse_expression(text)
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            yield parse_expression(ast.unparse(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.BoolOp):
            yield parse_expression(ast.unparse(node))


def _literals(text: str) -> Iterator[object]:
    for node in ast.walk(ast.parse(text.strip(), mode="eval")):
        if isinstance(node, ast.Constant):
            yield node.value
        elif isinstance(node, ast.Name) and node.id in WORDS:
            yield WORDS[node.id]


def _beside(text: str) -> Iterator[str]:
    try:
        yield from (clock_time((minutes_of(text) + step) % DAY) for step in (-1, 0, 1))
    except ValueError:
        return


def _around(text: str) -> Iterator[str]:
    try:
        day = date.fromisoformat(text)
        yield from ((day + timedelta(days=step)).isoformat() for step in (-1, 0, 1))
    except (ValueError, OverflowError):
        return
