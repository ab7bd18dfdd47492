"""The house's words (CONTRIBUTING.md, "Our words"): modules and classes are named by the field's nouns."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEVER = frozenset({"utils", "util", "helpers", "helper", "manager", "misc"})


def unwanted() -> dict[str, str]:
    """Word -> what to say instead, from the table's last column."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Our words")[2].partition("\n## ")[0]
    found: dict[str, str] = {}
    for row in re.findall(r"^\| (.+?) \| .+? \| (.*?) ?\|$", text, re.M):
        found.update(dict.fromkeys(re.findall(r"`(\w+)`", row[1]), row[0]))
    return found


def parts(name: str) -> set[str]:
    """ "FooBar_baz" -> foo, bar, baz."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def named() -> Iterator[tuple[str, str]]:
    """(where, name) of every module and class of the product."""
    for path in sorted((ROOT / "ivr").rglob("*.py")):
        where = str(path.relative_to(ROOT))
        yield where, path.stem
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield f"{where}:{node.lineno}", node.name


def test_the_word_list_is_read() -> None:
    assert {"departure", "errand", "patience", "unrest", "shelf"} <= unwanted().keys()


def test_names_are_the_fields_words() -> None:
    words = {**dict.fromkeys(NEVER, "a noun that says what it is"), **unwanted()}
    wrong = [
        f"{where} {name}: say {words[word]}, not {word}"
        for where, name in named()
        for word in parts(name) & words.keys()
    ]
    assert not wrong, "\n".join(wrong)


def test_every_module_says_what_it_is() -> None:
    paths = sorted((ROOT / "ivr").rglob("*.py"))
    mute = [str(path) for path in paths if not (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").strip()]
    assert not mute, "\n".join(mute)
