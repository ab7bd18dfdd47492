"""Expressions, the small language of conditions and values: parsed by Python's grammar, allowed node by node.

Names are variables, dotted names are facts (``hours.open``). There are no calls but ``filled(x)``, no subscripts, no
attributes beyond facts. What is missing is None; comparing with None is False. ``day?``, for a value that is passed on,
is left out while it isn't known. Nothing here ever runs code from a file: the tree is translated into closures over our
own operations.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ivr.errors import FlowError

LONGEST = 1000  # characters
DEEPEST = 40

Scope = Mapping[str, object]
_Run = Callable[[Scope], object]


class ExpressionError(FlowError):
    """The text is not an expression we allow. ``column`` counts from 1 within the text."""

    def __init__(self, message: str, column: int = 1, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.message = message
        self.column = column


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    ``names`` are the variables and facts whose value is used, ``tested`` those that ``filled()`` asks about, ``bare``
    the single variable or fact that the whole text names ("" otherwise). ``optional``: nothing is passed on while that
    isn't known. ``literal`` tells that no name occurs."""

    text: str
    names: frozenset[str]
    tested: frozenset[str]
    bare: str
    run: _Run
    optional: bool = False

    @property
    def needed(self) -> frozenset[str]:
        """The names that must have a value for it to have one."""
        return frozenset() if self.optional else self.names

    @property
    def literal(self) -> bool:
        return not self.names and not self.tested

    def evaluate(self, scope: Scope) -> object:
        """The value under ``scope`` (name -> value, dotted names included). Never raises for missing names."""
        return self.run(scope)

    def holds(self, scope: Scope) -> bool:
        return bool(self.run(scope))


# What other languages write, and what is written here.
_FOREIGN = (
    (re.compile(r"(?<![=<>!])=(?![=<>])"), "write == for: is the same as"),
    (re.compile(r"&&"), "write and"),
    (re.compile(r"\|\|"), "write or"),
    (re.compile(r"!(?!=)"), "write not"),
    (re.compile(r"=[<>]"), "write <= or >="),
)
_OWN = ("and", "or", "not", "in", "is")  # words that expressions have


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """Raises ExpressionError with the column of the first thing that is not allowed."""
    if len(text) > LONGEST:
        raise ExpressionError(f"longer than {LONGEST} characters", LONGEST, remedy="split it over several states")
    stripped = text.strip()
    if not stripped:
        raise ExpressionError("an empty expression", 1, remedy="write a variable, a fact or a comparison")
    offset = len(text) - len(text.lstrip())
    if optional := stripped.endswith("?"):
        stripped = stripped[:-1].rstrip() or "?"
    try:
        tree = ast.parse(stripped, mode="eval")
    except SyntaxError as error:
        raise ExpressionError(
            f"not an expression: {error.msg}", offset + (error.offset or 1), remedy=_remedy(stripped)
        ) from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionError("not an expression", offset + 1) from None
    reader = _Reader(offset)
    run = reader.read(tree.body, 0)
    bare = _dotted(tree.body) or ""
    if optional and bare not in reader.names:
        why, remedy = "only a variable or a fact by itself may be left out", "write the one name and ?: day?"
        raise ExpressionError(why, offset + len(stripped) + 1, remedy=remedy)
    return Expression(text, frozenset(reader.names), frozenset(reader.tested), bare, run, optional)


def _remedy(text: str) -> str:
    """A name that is a word of the expression language is taken for a text that lacks its quotes by nobody else."""
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "''", text)
    if remedy := next((remedy for sign, remedy in _FOREIGN if sign.search(unquoted)), ""):
        return remedy
    names = (word for word in re.findall(r"(?<![\w.'\"])[a-z_]+(?![\w'\"])", text) if keyword.iskeyword(word))
    taken = next((word for word in names if word not in _OWN), None)
    if taken is None:
        return "quote texts: 'like this'"
    return f"{taken} can't be a name in expressions: call it {taken}_value, or so, where it is declared; quote a text"


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value)
        return None if base is None else f"{base}.{node.attr}"
    return None


WORDS: dict[str, object] = {"true": True, "false": False, "none": None, "yes": True, "no": False}


class _Reader:
    def __init__(self, offset: int) -> None:
        self.names: set[str] = set()
        self.tested: set[str] = set()
        self._offset = offset

    def _refuse(self, node: ast.AST, what: str, remedy: str = "") -> ExpressionError:
        return ExpressionError(what, self._offset + getattr(node, "col_offset", 0) + 1, remedy=remedy)

    def read(self, node: ast.expr, depth: int) -> _Run:
        if depth > DEEPEST:
            raise self._refuse(node, "nested too deeply")
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None):
                value = node.value
                return lambda scope: value
            case ast.Name(id=word) if word in WORDS:
                known = WORDS[word]
                return lambda scope: known
            case ast.Name() | ast.Attribute():
                return self._name(node)
            case ast.BoolOp(op=op, values=values):
                return _junction(isinstance(op, ast.And), [self.read(v, depth + 1) for v in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.read(operand, depth + 1)
                return lambda scope: not inner(scope)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _sum(lambda scope: 0, self.read(operand, depth + 1), -1)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
                sign = 1 if isinstance(op, ast.Add) else -1
                return _sum(self.read(left, depth + 1), self.read(right, depth + 1), sign)
            case ast.Compare():
                return self._comparison(node, depth)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                runs = [self.read(item, depth + 1) for item in items]
                return lambda scope: tuple(run(scope) for run in runs)
            case ast.Call():
                return self._filled(node)
        raise self._refuse(
            node,
            f"{type(node).__name__} is not allowed here",
            "use names, facts, == != < <= > >=, in, and/or/not, + and -, filled(x)",
        )

    def _name(self, node: ast.expr) -> _Run:
        name = _dotted(node)
        if name is None or "__" in name:
            raise self._refuse(node, "only variables and dotted facts have names")
        self.names.add(name)
        return lambda scope: scope.get(name)

    def _filled(self, node: ast.Call) -> _Run:
        if not (isinstance(node.func, ast.Name) and node.func.id == "filled"):
            raise self._refuse(node, "calls are not allowed", "the only function is filled(variable)")
        if len(node.args) != 1 or node.keywords or (name := _dotted(node.args[0])) is None or "__" in name:
            raise self._refuse(node, "filled() takes one variable or fact", "write filled(title)")
        self.tested.add(name)
        return lambda scope: (value := scope.get(name)) is not None and value != ""

    def _comparison(self, node: ast.Compare, depth: int) -> _Run:
        operands = [self.read(n, depth + 1) for n in (node.left, *node.comparators)]
        tests = []
        for op in node.ops:
            test = _TESTS.get(type(op))
            if test is None:
                raise self._refuse(node, f"{type(op).__name__} is not allowed", "compare with == != < <= > >= or in")
            tests.append(test)

        def run(scope: Scope) -> object:
            values = [operand(scope) for operand in operands]
            return all(test(a, b) for test, a, b in zip(tests, values, values[1:], strict=False))

        return run


def _junction(conjunction: bool, runs: list[_Run]) -> _Run:
    if conjunction:
        return lambda scope: all(run(scope) for run in runs)
    return lambda scope: any(run(scope) for run in runs)


def _number(value: object) -> int | float | None:
    """Figures that came as text (keyed digits, JSON) count as numbers too."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and len(value) <= 18:
        try:
            return int(value)
        except ValueError:
            return None
    return None


def _sum(left: _Run, right: _Run, sign: int) -> _Run:
    def run(scope: Scope) -> object:
        a, b = _number(left(scope)), _number(right(scope))
        return None if a is None or b is None else a + sign * b

    return run


def _same(a: object, b: object) -> bool:
    if a is None or b is None:
        return False
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if type(a) is not type(b) and isinstance(a, int | float | str) and isinstance(b, int | float | str):
        x, y = _number(a), _number(b)
        return x is not None and x == y
    return a == b


def _ordered(compare: Callable[[float | str, float | str], bool]) -> Callable[[object, object], bool]:
    def test(a: object, b: object) -> bool:
        x, y = _number(a), _number(b)
        if x is not None and y is not None:
            return compare(x, y)
        return isinstance(a, str) and isinstance(b, str) and compare(a, b)  # ISO dates and times order as text

    return test


def _within(a: object, b: object) -> bool:
    if a is None or not isinstance(b, str | tuple | list | frozenset | set):
        return False
    if isinstance(b, str):
        return isinstance(a, str) and a in b
    return any(_same(a, item) for item in b)


_TESTS: dict[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Eq: _same,
    ast.NotEq: lambda a, b: a is not None and b is not None and not _same(a, b),
    ast.Lt: _ordered(lambda a, b: a < b),  # type: ignore[operator]
    ast.LtE: _ordered(lambda a, b: a <= b),  # type: ignore[operator]
    ast.Gt: _ordered(lambda a, b: a > b),  # type: ignore[operator]
    ast.GtE: _ordered(lambda a, b: a >= b),  # type: ignore[operator]
    ast.In: _within,
    ast.NotIn: lambda a, b: a is not None and not _within(a, b),
}
