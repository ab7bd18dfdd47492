"""Conditions decided without running a call: true, false, or unknown, given which variables are filled and the hours.

Three-valued (Kleene) logic over ``ivr.dialogue.flows.expression``'s language. ``filled(x)`` is known; comparing what is
not filled is False; ``hours.open`` is what the walk assumes; everything else is unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ivr.dialogue.flows.expression import ExpressionError, parse_expression

Known = bool | None
HOURS = "hours.open"
_WORDS: Mapping[str, object] = {"true": True, "false": False, "none": None, "yes": True, "no": False}

Test = Callable[[int, Known], Known]
"""(mask of filled variables, whether the desk is open) -> True, False, or None for unknown."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a text in an expression's place says of itself. ``error`` is "" when it can be parsed."""

    names: frozenset[str] = frozenset()
    tested: frozenset[str] = frozenset()
    bare: str = ""
    error: str = ""
    column: int = 0
    remedy: str = ""

    @property
    def variables(self) -> frozenset[str]:
        """Every undotted name, used or tested."""
        return frozenset(n for n in self.names | self.tested if "." not in n)


@lru_cache(maxsize=16384)
def read(text: str) -> Text:
    """An expression's names; never raises."""
    try:
        parsed = parse_expression(text)
    except ExpressionError as error:
        return Text(error=error.message, column=error.column, remedy=error.remedy)
    return Text(parsed.names, parsed.tested, parsed.bare)


def read_value(value: object) -> Text:
    """The same for a value of ``with``, ``set`` or ``values``: only texts are expressions."""
    return read(value) if isinstance(value, str) else Text()


def test_of(text: str, bits: Mapping[str, int]) -> Test:
    """``text`` as a three-valued test; variables outside ``bits`` are unknown. What can't be parsed is unknown."""
    if not text or read(text).error:
        return (lambda mask, hours: True) if not text else (lambda mask, hours: None)
    return _compile(ast.parse(text.strip(), mode="eval").body, bits)


def _compile(node: ast.expr, bits: Mapping[str, int]) -> Test:
    match node:
        case ast.Constant(value=value):
            truth = bool(value)
            return lambda mask, hours: truth
        case ast.Name(id=word) if word in _WORDS:
            known = bool(_WORDS[word])
            return lambda mask, hours: known
        case ast.Name(id=name):
            return _truth(bits.get(name, 0))
        case ast.Attribute():
            return (lambda mask, hours: hours) if ast.unparse(node) == HOURS else _unknown
        case ast.Call(args=[argument]):
            bit = bits.get(ast.unparse(argument))
            return _unknown if bit is None else lambda mask, hours: bool(mask & bit)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _compile(operand, bits)
            return lambda mask, hours: None if (known := inner(mask, hours)) is None else not known
        case ast.BoolOp(op=op, values=values):
            return _junction(isinstance(op, ast.And), [_compile(v, bits) for v in values])
        case ast.Compare():
            return _comparison(node, bits)
    return _unknown


def _truth(bit: int) -> Test:
    """A variable by itself: false when it is not filled."""
    return (lambda mask, hours: None if mask & bit else False) if bit else _unknown


def _unknown(mask: int, hours: Known) -> Known:
    return None


def _junction(conjunction: bool, tests: list[Test]) -> Test:
    def test(mask: int, hours: Known) -> Known:
        results = [t(mask, hours) for t in tests]
        if conjunction:
            return False if False in results else (None if None in results else True)
        return True if True in results else (None if None in results else False)

    return test


def _comparison(node: ast.Compare, bits: Mapping[str, int]) -> Test:
    needed = 0
    for side in (node.left, *node.comparators):
        if isinstance(side, ast.Name | ast.BinOp | ast.UnaryOp):
            for inner in ast.walk(side):
                if isinstance(inner, ast.Name) and inner.id not in _WORDS:
                    needed |= bits.get(inner.id, 0)
    certain = _constant_comparison(node) or _hours_comparison(node)

    def test(mask: int, hours: Known) -> Known:
        if needed & ~mask:
            return False
        return certain(hours) if certain else None

    return test


def _constant_comparison(node: ast.Compare) -> Callable[[Known], Known] | None:
    if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return None
    sides = (node.left, node.comparators[0])
    if not all(isinstance(s, ast.Constant) for s in sides):
        return None
    left, right = (s.value for s in sides if isinstance(s, ast.Constant))
    if type(left) is not type(right):
        return None
    truth = (left == right) is isinstance(node.ops[0], ast.Eq)
    return lambda hours: truth


def _hours_comparison(node: ast.Compare) -> Callable[[Known], Known] | None:
    """``hours.open == true`` and the like."""
    if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return None
    sides = [node.left, node.comparators[0]]
    if not any(isinstance(s, ast.Attribute) and ast.unparse(s) == HOURS for s in sides):
        return None
    other = next(s for s in sides if not (isinstance(s, ast.Attribute) and ast.unparse(s) == HOURS))
    value: object
    if isinstance(other, ast.Name) and other.id in _WORDS:
        value = _WORDS[other.id]
    elif isinstance(other, ast.Constant):
        value = other.value
    else:
        return None
    if not isinstance(value, bool):
        return None
    wanted = value is isinstance(node.ops[0], ast.Eq)
    return lambda hours: None if hours is None else hours is wanted
