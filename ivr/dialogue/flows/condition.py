"""Conditions decided without running a call: true, false, or unknown, given which variables are filled and the hours.

Three-valued (Kleene) logic over ``ivr.dialogue.flows.expression``'s language. ``filled(x)`` is known; comparing what is
not filled is False; ``hours.open`` and the caller's identity level are what the walk assumes; all else is unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ivr.dialogue.flows.expression import WORDS, Expression, ExpressionError, parse_expression
from ivr.dialogue.flows.prompt import Path
from ivr.identity import CALLER_IDENTITY, IdentityLevel

Known = bool | None
HOURS = "hours.open"


class Around(NamedTuple):
    """What a walk assumes: whether the desk is open, and how surely it is known who calls."""

    open: Known
    level: IdentityLevel


Test = Callable[[int, Around], Known]
"""(mask of filled variables, what the walk assumes) -> True, False, or None for unknown."""

Beforehand = Mapping[str, tuple[int, int]]
"""Parts of conditions, as ``ast.unparse`` writes them: the bits of a mask that say that one is true, and false."""


def read(value: object) -> Expression | None:
    """A condition, or a value of ``with``, ``set`` or ``values``, as an expression: only texts are; None also for what
    cannot be read."""
    try:
        return parse_expression(value) if isinstance(value, str) else None
    except ExpressionError:
        return None


def names_of(value: object) -> frozenset[str]:
    """The variables and facts whose value an expression uses."""
    expression = read(value)
    return expression.names if expression else frozenset()


def needed_by(value: object) -> frozenset[str]:
    """Of ``names_of``, those that must have a value."""
    expression = read(value)
    return expression.needed if expression else frozenset()


def leaves(value: object, path: Path) -> Iterator[tuple[object, Path]]:
    """Every plain value inside lists and mappings, with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield value, path


def test_of(text: str, bits: Mapping[str, int], beforehand: Beforehand | None = None) -> Test:
    """``text`` as a three-valued test; variables outside ``bits`` are unknown, as is what can't be parsed."""
    if not text:
        return lambda mask, around: True
    expression = read(text)
    readable = expression is not None and not expression.optional
    return _compile(ast.parse(text.strip(), mode="eval").body, bits, beforehand or {}) if readable else _unknown


def _compile(node: ast.expr, bits: Mapping[str, int], beforehand: Beforehand) -> Test:
    if beforehand and (told := beforehand.get(ast.unparse(node))):
        return _told(*told, _compile(node, bits, {}))
    match node:
        case ast.Constant(value=value):
            truth = bool(value)
            return lambda mask, around: truth
        case ast.Name(id=word) if word in WORDS:
            known = bool(WORDS[word])
            return lambda mask, around: known
        case ast.Name(id=name):
            return _truth(bits.get(name, 0))
        case ast.Attribute():
            fact = ast.unparse(node)
            return (lambda mask, around: around.open) if fact == HOURS else _truth(bits.get(fact, 0))
        case ast.Call(args=[argument]):
            bit = bits.get(ast.unparse(argument))
            return _unknown if bit is None else lambda mask, around: bool(mask & bit)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _compile(operand, bits, beforehand)
            return lambda mask, around: None if (known := inner(mask, around)) is None else not known
        case ast.BoolOp(op=op, values=values):
            return _junction(isinstance(op, ast.And), [_compile(v, bits, beforehand) for v in values])
        case ast.Compare():
            return _comparison(node, bits)
    return _unknown


def _told(held: int, failed: int, otherwise: Test) -> Test:
    def test(mask: int, around: Around) -> Known:
        return bool(mask & held) if mask & (held | failed) else otherwise(mask, around)

    return test


def _truth(bit: int) -> Test:
    """A variable by itself: false when it is not filled."""
    return (lambda mask, around: None if mask & bit else False) if bit else _unknown


def _unknown(mask: int, around: Around) -> Known:
    return None


def _junction(conjunction: bool, tests: list[Test]) -> Test:
    def test(mask: int, around: Around) -> Known:
        results = [t(mask, around) for t in tests]
        if conjunction:
            return False if False in results else (None if None in results else True)
        return True if True in results else (None if None in results else False)

    return test


def _comparison(node: ast.Compare, bits: Mapping[str, int]) -> Test:
    needed = 0
    for side in (node.left, *node.comparators):
        if isinstance(side, ast.Name | ast.BinOp | ast.UnaryOp):
            for inner in ast.walk(side):
                if isinstance(inner, ast.Name) and inner.id not in WORDS:
                    needed |= bits.get(inner.id, 0)
        elif isinstance(side, ast.Attribute):
            needed |= bits.get(ast.unparse(side), 0)
    decided = _decided(node)

    def test(mask: int, around: Around) -> Known:
        if needed & ~mask:
            return False
        return decided(around) if decided else None

    return test


def _decided(node: ast.Compare) -> Callable[[Around], Known] | None:
    """What comparing two constants comes to, the level with words, or ``hours.open == true`` and the like; None:
    unknown."""
    if len(node.ops) != 1:
        return None
    left, operator, right = node.left, node.ops[0], node.comparators[0]
    if isinstance(operator, ast.In | ast.NotIn):
        return _among(left, right, isinstance(operator, ast.In))
    if not isinstance(operator, ast.Eq | ast.NotEq):
        return None
    equal = isinstance(operator, ast.Eq)
    if isinstance(left, ast.Constant) and isinstance(right, ast.Constant) and type(left.value) is type(right.value):
        truth = (left.value == right.value) is equal
        return lambda around: truth
    for fact, other in ((left, right), (right, left)):
        value = WORDS.get(other.id) if isinstance(other, ast.Name) else getattr(other, "value", None)
        if isinstance(fact, ast.Attribute) and ast.unparse(fact) == HOURS and isinstance(value, bool):
            wanted = value is equal
            return lambda around: None if around.open is None else around.open is wanted
        if isinstance(fact, ast.Attribute) and ast.unparse(fact) == CALLER_IDENTITY and isinstance(value, str):
            word = value
            return lambda around: (around.level.word == word) is equal
    return None


def _among(left: ast.expr, right: ast.expr, inside: bool) -> Callable[[Around], Known] | None:
    """``caller.identity in ['likely', 'verified']``."""
    if not (isinstance(left, ast.Attribute) and ast.unparse(left) == CALLER_IDENTITY):
        return None
    if not isinstance(right, ast.List | ast.Tuple) or not all(isinstance(e, ast.Constant) for e in right.elts):
        return None
    words = frozenset(e.value for e in right.elts if isinstance(e, ast.Constant))
    return lambda around: (around.level.word in words) is inside
