"""`ivr flow words` as it is called: what it lists, sheets out and in, exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ivr.__main__ import main
from tests.unit.workshop.reference import FLOWS

HELP = "main.ask.help@es-ES.neutral"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the flows in a place without configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    shutil.copytree(FLOWS, tmp_path / "flows")
    return tmp_path / "flows"


def test_it_lists_what_is_said_and_how_long_that_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "words", "--flow", "main", "--language", "es-ES"]) == 0
    out = capsys.readouterr().out
    assert HELP in out and "Dígalo a su manera" in out and "nothing is missing or out of date" in out
    line = next(line for line in out.splitlines() if HELP in line)
    assert "~" in line, "nothing was rendered here"
    assert main(["flow", "words", "--missing", "--outdated"]) == 0
    assert "0 texts" in capsys.readouterr().out
    text = (folder / "main.es-ES.yaml").read_text("utf-8")
    lacking = "\n".join(line for line in text.split("\n") if not line.startswith("  try_again:"))
    (folder / "main.es-ES.yaml").write_text(lacking, "utf-8")
    assert main(["flow", "words", "--missing"]) == 0
    out = capsys.readouterr().out
    assert "main.try_again@es-ES.neutral" in out and "1 texts: 1 missing" in out


def test_a_sheet_out_and_in(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "main.es-ES.yaml").read_text("utf-8")
    assert main(["flow", "words", "--language", "es-ES", "--csv", "es.csv"]) == 0
    sheet = Path("es.csv").read_bytes()
    assert sheet.startswith(b"\xef\xbb\xbfkey,language,") and "in the column text" in capsys.readouterr().out
    assert main(["flow", "words", "--import", "es.csv", "--yes"]) == 0
    assert capsys.readouterr().out == "nothing changes\n"
    old = "Claro."
    Path("es.csv").write_text(sheet.decode().replace(f",{old},", ",Con gusto.,", 1), "utf-8")
    assert main(["flow", "words", "--import", "es.csv"]) == 0
    out = capsys.readouterr().out
    assert "“Claro.” becomes “Con gusto.”" in out and "--yes writes it" in out
    assert (folder / "main.es-ES.yaml").read_text("utf-8") == before
    assert main(["flow", "words", "--import", "es.csv", "--yes"]) == 0
    after = (folder / "main.es-ES.yaml").read_text("utf-8")
    gone = set(before.split("\n")) - set(after.split("\n"))
    assert gone == {'  all_ears: "Claro."'} and '  all_ears: "Con gusto."  # of ' in after


def test_a_translation_that_still_is_right(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.csv").write_text("key,text\nmain.all_ears@en-US.neutral,Gladly.\n", "utf-8")
    assert main(["flow", "words", "--import", "new.csv", "--yes"]) == 0
    capsys.readouterr()
    assert main(["flow", "words", "--outdated"]) == 0
    assert "main.all_ears@es-ES.neutral" in capsys.readouterr().out
    assert main(["flow", "words", "--right", "main.all_ears@es-ES.neutral", "--yes"]) == 0
    assert "it stands as a translation of “Gladly.”" in capsys.readouterr().out
    assert main(["flow", "words", "--outdated", "--language", "es-ES"]) == 0
    assert "0 texts" in capsys.readouterr().out
    assert 'all_ears: "Claro."  # of ' in (folder / "main.es-ES.yaml").read_text("utf-8")


def test_what_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.csv").write_text(f"key,text\nmain.nowhere@es-ES.neutral,x\n{HELP},{{film}}\n", "utf-8")
    assert main(["flow", "words", "--import", "bad.csv", "--yes"]) == 1
    out = capsys.readouterr().out
    assert "nothing was changed" in out and "there is no such text" in out and "there is no {film} in" in out
    assert (folder / "main.es-ES.yaml").read_bytes() == (FLOWS / "main.es-ES.yaml").read_bytes()
    assert main(["flow", "words", "--import", "none.csv"]) == 2
    assert main(["flow", "words", "--csv", "nowhere/es.csv"]) == 2


@pytest.mark.parametrize(
    ("option", "given", "remedy"),
    [("--language", "es", "es-ES"), ("--persona", "oregan", "oregon"), ("--flow", "maim", "main")],
)
def test_of_what_is_not_there_nobody_says_that_nothing_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str], option: str, given: str, remedy: str
) -> None:
    for more in (["--missing"], ["--csv", "sheet.csv"]):
        assert main(["flow", "words", option, given, *more]) == 2
        said = capsys.readouterr()
        assert f"{option} {given}: no text here is of it" in said.err and remedy in said.err and not said.out
    assert not Path("sheet.csv").exists()
