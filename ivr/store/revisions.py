"""Revisions of the schema, as the migrations' files and a SQLite file have them: read without Alembic.

A start finds its schema at head nearly always, and importing Alembic takes longer than the rest of opening a database.
What is not as plain as our migrations are is left to it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_ASSIGNED = re.compile(
    r"""^(revision|down_revision)(?:\s*:[^=]+)?\s*=\s*(?:"([^"]+)"|'([^']+)'|None)\s*(?:\#.*)?$""", re.MULTILINE
)
_LOCKED_S = 1.0


def revisions(folder: Path) -> Sequence[str] | None:
    """Of the migrations in ``folder``, the first one first; None where they are no single chain, or hard to read."""
    after: dict[str, str] = {}
    files = [path for path in folder.glob("*.py") if not path.name.startswith((".#", "__init__"))]
    for path in files:
        assigned = _ASSIGNED.findall(path.read_text(encoding="utf-8"))
        told = {name: double or single for name, double, single in assigned}
        if len(assigned) != len(told) or not told.get("revision") or "down_revision" not in told:
            return None
        after[told["down_revision"]] = told["revision"]
    chain: list[str] = []
    step = ""
    while step in after:
        step = after.pop(step)
        chain.append(step)
    return chain if len(chain) == len(files) else None


def at_head(database: Path, heads: Mapping[str, str]) -> bool:
    """Whether the file is there, and each version table in it says just the revision that ``heads`` has for it."""
    if not all(heads.values()) or not database.is_file():
        return False
    try:
        # Not read-only: where the last process was killed, its log has to be taken in before anything can be read.
        uri = f"file:{quote(str(database.absolute()))}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=_LOCKED_S)) as connection:
            return all(
                connection.execute(f'SELECT version_num FROM "{table}"').fetchall() == [(head,)]  # noqa: S608  # our names
                for table, head in heads.items()
            )
    except sqlite3.Error:
        return False
