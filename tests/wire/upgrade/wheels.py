"""Three releases that follow each other, each unpacked into a folder that a process runs from.

The first is the wheel of this source as it is: what is about to be the release before. The second is made of it by
migrations that expand, with the column in its tables; the third by one that contracts. So it is the program which will
be out there that has to stand what comes after it, and a clean checkout without a network has all that it takes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ivr.demo.line import ROOT
from ivr.store.migration import CORE

SOURCE = ("ivr", "pyproject.toml", "README.md", "LICENSE")
COLUMN = 'Column("seconds", Float, nullable=True),'

EXPANDS = f'''"""Expands: what callers felt."""

import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{CORE.steps()[-1].revision}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("mood", sa.String(20), nullable=True))
    op.create_table("moods", sa.Column("name", sa.String(20), primary_key=True))

'''
INDEXES = '''"""Expands: calls are found by what callers felt."""

from ivr.store.online_index import create_index_online

revision = "9002"
down_revision = "9001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_online("ix_calls_mood", "calls", ["mood"])
'''
CONTRACTS = '''"""Contracts: nobody reads that index any more."""

from alembic import op

revision = "9003"
down_revision = "9002"
branch_labels = None
depends_on = None

contracts, oldest = "0.2.0", "9002"


def upgrade() -> None:
    op.drop_index("ix_calls_ended_at", "calls")
'''


@dataclass(frozen=True, slots=True)
class Release:
    """Its wheel, unpacked in ``folder``."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """In which ``python -m ivr`` is this one, wherever it is started."""
        return {"PYTHONPATH": str(self.folder), "PYTHONSAFEPATH": "1"}


def built(folder: Path) -> Release:
    """The wheel of this source, unpacked."""
    source, wheels, unpacked = (folder / name for name in ("source", "wheels", "unpacked"))
    source.mkdir(parents=True)
    for name in SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    made = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"),
            *("--wheel-dir", str(wheels), str(source)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,) = wheels.glob("ivr-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    shutil.rmtree(source)
    return Release(unpacked)


def following(before: Release, folder: Path, migrations: dict[str, str], *, column: bool = False) -> Release:
    """The release after that one: with ``migrations``, by their names, and the ``column`` that they bring."""
    shutil.copytree(before.folder, folder)
    for name, text in migrations.items():
        (folder / "ivr" / "store" / "migrations" / "versions" / f"{name}.py").write_text(text, "utf-8")
    if column:
        tables = folder / "ivr" / "store" / "tables.py"
        text = tables.read_text("utf-8")
        assert text.count(COLUMN) == 1
        tables.write_text(text.replace(COLUMN, f'{COLUMN}\n    Column("mood", String(20), nullable=True),'), "utf-8")
    return Release(folder)


def releases(folder: Path) -> tuple[Release, Release, Release]:
    before = built(folder / "before")
    this = following(before, folder / "this", {"9001_mood": EXPANDS, "9002_mood_index": INDEXES}, column=True)
    return before, this, following(this, folder / "after", {"9003_contracted": CONTRACTS})
