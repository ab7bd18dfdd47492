"""`ivr prompts`, with the voice that is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ivr.__main__ import main
from tests.release.edition import BROKEN, Press

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a line with one small flow and an empty cache."""
    Press(tmp_path / "flows")
    shutil.copy(ROOT / "config.toml", tmp_path)
    return tmp_path / "config.toml"


def test_it_renders_what_is_missing_and_leaves_the_rest(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", "--config", str(config)]) == 0
    cache = config.parent / "audio" / ".cache"
    rendered = {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")}
    assert len(rendered) > 3
    said = capsys.readouterr().out
    assert " prompts are ready in " in said
    embedded = "sentence embedding" in said and "by their words alone" not in said
    assert bool(list((cache / "classifiers").glob("*.npz"))) is embedded, "what the flows teach is learned, too"
    gone = min(rendered)
    gone.unlink()
    assert main(["prompts", "--config", str(config)]) == 0
    again = {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")}
    assert again.keys() == rendered.keys()
    assert [path for path in again if again[path] != rendered[path]] == [gone]


def test_flows_that_nobody_could_call_are_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Press(config.parent / "flows").print(1, BROKEN)
    assert main(["prompts", "--config", str(config)]) == 1
    assert "ivr flow check" in capsys.readouterr().err
