"""`ivr` used wrongly: one line that says why, no traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ivr.__main__ import main

ROOT = Path(__file__).parents[2]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "nowhere" / "main.svg"
    assert main(["flow", "graph", str(ROOT / "flows" / "main.yaml"), "--out", str(out)]) == 1
    assert capsys.readouterr().err == f"ivr: {out}: No such file or directory\n"


def test_nothing_to_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(ROOT / "config.toml", tmp_path)
    assert main(["say", " ", "--config", str(tmp_path / "config.toml")]) == 2
    assert "there is nothing to say" in capsys.readouterr().err


def test_the_doctor_finds_what_serve_would_refuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "flows", tmp_path / "flows")
    config = (ROOT / "config.toml").read_text("utf-8").replace('package = "ivr.reference"', 'package = ""')
    (tmp_path / "config.toml").write_text(config, "utf-8")
    free = ["--sip", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    assert main(["doctor", "--config", str(tmp_path / "config.toml"), *free]) == 1
    assert f"error(s) in {tmp_path / 'flows'}" in capsys.readouterr().out
