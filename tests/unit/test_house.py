"""The house holds together: no module imports itself by way of others, imports for types included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import ivr
from ivr.dialogue.checker.graph import components

ROOT = Path(ivr.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imported(module: str) -> Iterator[str]:
    """The modules of this house that ``module`` imports anywhere in its text, under ``TYPE_CHECKING`` too."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                if inner in MODULES:
                    yield inner
                elif source in MODULES:
                    yield source


@cache
def graph() -> dict[str, frozenset[str]]:
    return {module: frozenset(imported(module)) - {module} for module in MODULES}


def test_the_graph_is_read() -> None:
    assert len(MODULES) > 200
    assert "ivr.dialogue.flows.state" in graph()["ivr.dialogue.flows.model"]
    assert sum(len(onward) for onward in graph().values()) > 1000


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = list(MODULES)
    number = {name: n for n, name in enumerate(names)}
    onward = [[number[other] for other in graph()[name]] for name in names]
    groups = components(len(names), onward.__getitem__)
    circles = [sorted(names[n] for n in group) for group in groups if len(group) > 1]
    assert circles == [], "\n".join(" <> ".join(circle) for circle in circles)
