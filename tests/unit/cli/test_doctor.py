"""`ivr doctor` tells every kind of finding that there is."""

from __future__ import annotations

import ast
from pathlib import Path

from ivr.cli import doctor


def test_every_kind_of_finding_is_asked_for() -> None:
    source = Path(doctor.__file__)
    kinds = {path.stem for path in source.parent.glob("*_findings.py")}
    called = {
        node.func.id
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert len(kinds) >= 6
    assert kinds <= called, f"written, and never told: {sorted(kinds - called)}"
