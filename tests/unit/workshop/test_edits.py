"""Text edits: held against the text they were made for, all of them or none, written whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.dialogue.flows.source import read_directory
from ivr.workshop.edits import (
    ABSENT,
    EditConflict,
    FileEdit,
    Replacement,
    applied,
    digest_of,
    replaced,
    write,
)


def test_replacements_are_made_at_their_places() -> None:
    assert replaced("abcdef", [Replacement(4, 5, "E!"), Replacement(0, 1, ""), Replacement(6, 6, ".")]) == "bcdE!f."
    with pytest.raises(ValueError, match="overlap"):
        replaced("abcdef", [Replacement(0, 3, "x"), Replacement(2, 4, "y")])


def test_an_edit_of_another_text_changes_nothing() -> None:
    sources = {"a.yaml": "one\n", "b.yaml": "two\n"}
    good = FileEdit("a.yaml", digest_of("one\n"), (Replacement(0, 3, "uno"),))
    assert applied(sources, [good]) == {"a.yaml": "uno\n"}
    for stale in (FileEdit("b.yaml", digest_of("deux\n"), ()), FileEdit("c.yaml", digest_of("x"), ()),
                  FileEdit("b.yaml", ABSENT, ())):  # fmt: skip
        with pytest.raises(EditConflict, match=stale.file):
            applied(sources, [good, stale])


def test_a_new_file_and_one_that_stays_as_it_is() -> None:
    assert applied({}, [FileEdit("new.yaml", ABSENT, (Replacement(0, 0, "x: 1\n"),))]) == {"new.yaml": "x: 1\n"}
    assert applied({"a.yaml": "x"}, [FileEdit("a.yaml", digest_of("x"), (Replacement(0, 1, "x"),))]) == {}


def test_line_ends_and_permissions_stay_and_nothing_else_is_left(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"one: 1\r\ntwo: 2\r\n")
    file.chmod(0o640)
    sources = read_directory(tmp_path)
    edit = FileEdit("a.yaml", digest_of(sources["a.yaml"]), (Replacement(5, 6, "eins"),))
    write(tmp_path, applied(sources, [edit]))
    assert file.read_bytes() == b"one: eins\r\ntwo: 2\r\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"]


def test_where_one_file_cannot_be_written_none_is(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("one\n", encoding="utf-8")
    with pytest.raises(OSError, match="nowhere"):
        write(tmp_path, {"a.yaml": "uno\n", "nowhere/b.yaml": "x\n"})
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == "one\n"
    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"]
