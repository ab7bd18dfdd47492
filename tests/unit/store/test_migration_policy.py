"""Every migration since lines are upgraded one by one only expands, or says which release it contracts.

An old program goes on while the new schema is there: it must find all that it reads, and may leave out all that it does
not know.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ivr.reference import COMPANY
from ivr.store.migration import CORE, Branch

ROOT = Path(__file__).parents[3]
FROM = {"": "0015", "films": "0004"}  # by branch: the first that is held to it
EXPANDING = frozenset({"create_table", "add_column", "create_index", "create_index_online", "get_bind"})


def called(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Operations of a migration, by their names: ``op.X(…)``, and indexes that are made online."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(value=ast.Name(id="op"), attr=name):
                    yield name, node
                case ast.Name(id="create_index_online"):
                    yield "create_index_online", node


def text_of(node: ast.expr | None) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def columns(tree: ast.AST) -> dict[str, ast.Call]:
    """What functions of the migration's own make: each returns one ``sa.Column(…)``."""
    found: dict[str, ast.Call] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and isinstance(inner.value, ast.Call):
                    found[node.name] = inner.value
    return found


def may_be_left_out(column: ast.Call) -> bool:
    options = {each.arg: each.value for each in column.keywords}
    nullable = options.get("nullable")
    may = nullable is None or (isinstance(nullable, ast.Constant) and nullable.value is True)
    return may or "server_default" in options


def faults(source: str) -> list[str]:
    """Why this is no migration that only expands."""
    tree = ast.parse(source)
    made = {text_of(node.args[0]) for name, node in called(tree) if name == "create_table"}
    own, wrong = columns(tree), []
    for name, node in called(tree):
        table = text_of(node.args[1]) if len(node.args) > 1 else ""
        if name not in EXPANDING:
            wrong.append(f"op.{name} takes something away, or changes it")
        elif name == "create_index" and table not in made:
            wrong.append(f"an index on {table} keeps lines from writing: create_index_online")
        elif name == "create_index_online" and any(each.arg == "unique" for each in node.keywords):
            wrong.append(f"a unique index on {table} refuses what an older program writes")
        elif name == "add_column":
            column = node.args[1]
            if isinstance(column, ast.Call) and isinstance(column.func, ast.Name):
                column = own.get(column.func.id, column)
            if not isinstance(column, ast.Call) or not may_be_left_out(column):
                wrong.append(f"a column of {text_of(node.args[0])} that an older program cannot leave out")
    names = [name for name, _ in called(tree)]
    if "create_index_online" in names and len(set(names) - {"get_bind"}) > 1:
        wrong.append("create_index_online commits what is before it: a migration of its own")
    return wrong


def released() -> Sequence[str]:
    """Versions that are out, by the change log."""
    return re.findall(r"^## (\d[\d.]*) \((?!unreleased)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)


def branches() -> Sequence[Branch]:
    return CORE, *COMPANY.branches


def test_migrations_expand_or_say_what_they_contract() -> None:
    wrong = []
    for branch in branches():
        steps = branch.steps()
        known = [step.revision for step in steps]
        for step in steps:
            if step.revision < FROM[branch.name]:
                continue
            contracts, oldest = (getattr(step.module, name, None) for name in ("contracts", "oldest"))
            if contracts is None and oldest is None:
                found = faults(Path(step.path).read_text("utf-8"))
            else:
                found = [] if contracts in released() else [f"{contracts} is not out: nobody has stopped using it"]
                found += [] if oldest in known[: known.index(step.revision)] else [f"{oldest} is not before it"]
            wrong += [f"{branch.name} {step.revision}: {each}" for each in found]
    assert not wrong, "\n".join(wrong)


def test_revisions_are_numbered_in_their_order() -> None:
    for branch in branches():
        known = [step.revision for step in branch.steps()]
        assert known == sorted(known) and all(re.fullmatch(r"\d{4}", each) for each in known)


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ('op.drop_column("calls", "node")', "takes something away"),
        ('op.drop_table("calls")', "takes something away"),
        ('op.rename_table("calls", "contacts")', "takes something away"),
        ('op.alter_column("calls", "node", nullable=False)', "takes something away"),
        ('op.execute("DROP TABLE calls")', "takes something away"),
        ('op.create_unique_constraint("u", "calls", ["node"])', "takes something away"),
        ('op.add_column("calls", sa.Column("mood", sa.Text, nullable=False))', "cannot leave out"),
        ('op.create_index("i", "calls", ["node"])', "create_index_online"),
        ('create_index_online("i", "calls", ["node"], unique=True)', "unique"),
        ('op.add_column("c", sa.Column("m", sa.Text)); create_index_online("i", "calls", ["node"])', "of its own"),
        ('op.add_column("calls", sa.Column("mood", sa.Text))', ""),
        ('op.add_column("calls", sa.Column("mood", sa.Text, nullable=False, server_default=""))', ""),
        ('op.create_table("moods", sa.Column("a", sa.Text)); op.create_index("i", "moods", ["a"])', ""),
        ('create_index_online("i", "calls", ["node"])', ""),
    ],
)
def test_what_it_finds(operation: str, why: str) -> None:
    found = faults(operation)
    assert why in "\n".join(found) if why else not found
