"""Revisions are read from files as Alembic has them, and what is odd is left to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from ivr.reference import COMPANY
from ivr.store.migration import CORE, Branch, head
from ivr.store.revisions import at_head, revisions

HEADS = {"alembic_version": "0003", "alembic_version_films": "0001"}


def folder(at: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (at / name).write_text(text, encoding="utf-8")
    return at


def migration(revision: str, down: str | None) -> str:
    after = "None" if down is None else f'"{down}"'
    return f'"""Something."""\n\nrevision = "{revision}"\ndown_revision = {after}\n'


@pytest.mark.parametrize("branch", [CORE, *COMPANY.branches], ids=lambda branch: branch.name or "core")
def test_ours_are_read_as_alembic_reads_them(branch: Branch) -> None:
    assert revisions(branch.versions) == [step.revision for step in branch.steps()] == branch.known()
    assert head([branch]).endswith(branch.steps()[-1].revision)


def test_the_chain_counts_not_the_files_names(tmp_path: Path) -> None:
    odd = "revision: str = 'b'\ndown_revision: str | None = 'c'  # after it\n"
    others = {"__init__.py": "", ".#a.py": "nonsense", "notes.txt": "revision"}
    assert revisions(folder(tmp_path, {"z.py": migration("c", None), "a.py": odd, **others})) == ["c", "b"]


def test_a_folder_without_migrations(tmp_path: Path) -> None:
    assert revisions(tmp_path) == [] and Branch("empty", tmp_path).known() == []


@pytest.mark.parametrize(
    "odd",
    [
        migration("0003", "0001"),  # a fork
        migration("0003", None),  # two beginnings
        migration("0002", "0001"),  # one twice
        migration("0003", "0009"),  # after one that isn't there
        'revision = "0003"\ndown_revision = ("0001", "0002")\n',
        'revision = "00" + "03"\ndown_revision = "0002"\n',
        'revision = "0003"\nrevision = "0004"\ndown_revision = "0002"\n',
        "import something\n",
    ],
)
def test_what_is_no_plain_chain_is_left_to_alembic(tmp_path: Path, odd: str) -> None:
    files = {"a.py": migration("0001", None), "b.py": migration("0002", "0001"), "c.py": odd}
    assert revisions(folder(tmp_path, files)) is None


def database(at: Path, versions: Mapping[str, tuple[str, ...]]) -> Path:
    with closing(sqlite3.connect(at)) as connection, connection:
        for table, rows in versions.items():
            connection.execute(f"CREATE TABLE {table} (version_num VARCHAR(32) NOT NULL)")
            connection.executemany(f"INSERT INTO {table} VALUES (?)", [(row,) for row in rows])
    return at


def test_a_database_at_head(tmp_path: Path) -> None:
    there = database(tmp_path / "with space & ?.sqlite3", {name: (revision,) for name, revision in HEADS.items()})
    assert at_head(there, HEADS)
    with closing(sqlite3.connect(there)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)  # nothing was changed


@pytest.mark.parametrize(
    "versions",
    [
        {"alembic_version": ("0003",)},
        {"alembic_version": ("0003",), "alembic_version_films": ()},
        {"alembic_version": ("0002",), "alembic_version_films": ("0001",)},
        {"alembic_version": ("0004",), "alembic_version_films": ("0001",)},
        {"alembic_version": ("0003", "0002"), "alembic_version_films": ("0001",)},
        {},
    ],
)
def test_any_other_is_not(tmp_path: Path, versions: Mapping[str, tuple[str, ...]]) -> None:
    assert not at_head(database(tmp_path / "a.sqlite3", versions), HEADS)


def test_a_file_that_is_missing_is_not_made(tmp_path: Path) -> None:
    assert not at_head(tmp_path / "none.sqlite3", HEADS)
    assert not [*tmp_path.iterdir()]


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite3").write_bytes(b"nothing of the kind" * 100)
    assert not at_head(tmp_path / "a.sqlite3", HEADS)


def test_a_branch_without_migrations_is_the_upgrade_s(tmp_path: Path) -> None:
    there = database(tmp_path / "a.sqlite3", {"alembic_version": ("0003",)})
    assert not at_head(there, {"alembic_version": "0003", "alembic_version_films": ""})


def test_what_a_killed_process_left_in_its_log_counts(tmp_path: Path) -> None:
    """Its log was never taken into the file; nobody has it open any more."""
    living = database(tmp_path / "living.sqlite3", {"alembic_version": ("0002",), "alembic_version_films": ("0001",)})
    with closing(sqlite3.connect(living)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        with connection:
            connection.execute("UPDATE alembic_version SET version_num = '0003'")
        dead = tmp_path / "dead.sqlite3"
        for end in ("", "-wal"):
            dead.with_name(dead.name + end).write_bytes(living.with_name(living.name + end).read_bytes())
    assert at_head(dead, HEADS)
