"""Conditions asked twice in a flow: what a case found is still so at the next one, until something in it can change.

Each has two bits beside the variables' own: it held, and it failed. Neither means that it may be either way.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ivr.dialogue.flows.condition import HOURS, Beforehand, leaves, read
from ivr.dialogue.flows.expression import WORDS
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.prompt import items_of
from ivr.dialogue.flows.state import State
from ivr.dialogue.flows.wording import names_in
from ivr.identity import CALLER_IDENTITY

MOST = 6  # each may triple the configurations
_KNOWN = {HOURS, CALLER_IDENTITY}  # the walk knows these as it is


@dataclass(frozen=True, slots=True)
class Asked:
    held: int
    failed: int
    variables: int  # the mask of those in it
    facts: bool
    elsewhere: bool  # its facts or variables are changed in more than one place

    @property
    def both(self) -> int:
        return self.held | self.failed


class AskedTwice:
    def __init__(self, flow: Flow, bits: Mapping[str, int]) -> None:
        self._asked: dict[str, Asked] = {}
        bit, places = 1 << len(bits), _places(flow)
        for text in _twice(flow)[:MOST]:
            names = {ast.unparse(n) for n in ast.walk(_parsed(text)) if isinstance(n, ast.Name | ast.Attribute)}
            variables = sum(bits[n] for n in names if n in bits)
            facts = any("." in n for n in names)
            self._asked[text] = Asked(bit, bit << 1, variables, facts, facts or any(places[n] > 1 for n in names))
            bit <<= 2

    @property
    def mask(self) -> int:
        return sum(asked.both for asked in self._asked.values())

    @property
    def beforehand(self) -> Beforehand:
        return {text: (asked.held, asked.failed) for text, asked in self._asked.items()}

    def stale(self, assigned: int, *, facts: bool, question: bool) -> int:
        """The bits that say nothing any more once the variables of ``assigned``, or the facts, may be others.

        "Back" may lead to a ``question`` from anywhere: there, only what nothing else changes is still known."""
        found = (
            asked.both
            for asked in self._asked.values()
            if assigned & asked.variables or (facts and asked.facts) or (question and asked.elsewhere)
        )
        return sum(found)

    def found(self, condition: str, holds: bool) -> int:
        """What is known once ``condition`` was true, or false."""
        if not self._asked or read(condition) is None:
            return 0
        return self._found(_parsed(condition), holds)

    def _found(self, node: ast.expr, holds: bool) -> int:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self._found(node.operand, not holds)
        asked = self._asked.get(ast.unparse(node))
        bits = (asked.held if holds else asked.failed) if asked is not None else 0
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And) is holds:
            for value in node.values:
                bits |= self._found(value, holds)
        return bits


def corrected(state: State) -> frozenset[str]:
    """The variables that a caller may correct where ``state`` asks them to confirm: "no, twelve"."""
    http = state.http
    values = [*state.arguments.values(), *(value for value, _ in leaves(http.body if http else {}, ()))]
    names = [expression.names for expression in map(read, values) if expression is not None]
    return frozenset().union(*names, names_in(http.path) if http else ()) if state.action or http else frozenset()


def _places(flow: Flow) -> Counter[str]:
    """In how many places of a flow each variable may be given or lose its value."""
    places = Counter[str]()
    for state in flow.states.values():
        edges = list(state.transitions())
        places.update((state.ask,) if state.ask else ())
        places.update((*state.set, *state.returns, *state.clear, *corrected(state)))
        for transition in edges:
            places.update((*transition.edge.set, *transition.edge.clear))
        chosen = (flow.intents[t.name] for t in edges if t.kind == "choice" and t.name in flow.intents)
        places.update(name for intent in chosen for phrase in intent.phrases for name in set(names_in(phrase)))
    return places


def _twice(flow: Flow) -> list[str]:
    """Those that a case decides and that are asked again anywhere in the flow, the most often asked first."""
    cases, asked = Counter[str](), Counter[str]()
    for state in flow.states.values():
        for transition in state.transitions():
            if transition.condition:
                asked.update(found := list(_parts(transition.condition)))
                cases.update(found if transition.kind == "case" else ())
        for _, prompt, _ in state.prompts():
            for item, _ in items_of(prompt):
                asked.update(_parts(item.condition))
    return [text for text, times in asked.most_common() if times > 1 and text in cases]


def _parts(condition: str) -> Iterator[str]:
    """What a condition is put together of by ``and``, ``or`` and ``not``, where it isn't known without being asked."""
    expression = read(condition)
    if expression is not None and not expression.optional:
        yield from _questions(_parsed(condition))


def _questions(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _questions(operand)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _questions(value)
        case ast.Compare() | ast.Name() | ast.Attribute():
            if _names(node) - _KNOWN:
                yield ast.unparse(node)


def _names(node: ast.expr) -> frozenset[str]:
    expression = read(ast.unparse(node))
    return expression.names - WORDS.keys() if expression is not None else frozenset()


def _parsed(condition: str) -> ast.expr:
    return ast.parse(condition.strip(), mode="eval").body
