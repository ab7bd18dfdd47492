"""`ivr recordings`: what is deleted at the command line has its line in the log, as what is deleted daily has."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import structlog

from ivr.__main__ import main
from ivr.store import Store
from tests.recordings import archived, conversation


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A line's folder with one conversation in it. Its name."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite+aiosqlite:///{tmp_path}/ivr.sqlite3"
    text = f'[store]\nurl = "{url}"\n[recording]\nfolder = "kept"\n[logs]\npath = "ivr.log"\n'
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    assert main(["db", "upgrade"]) == 0

    async def conversed() -> str:
        store = Store(url)
        try:
            async with archived(tmp_path / "kept", store=store) as archive:
                return await conversation(archive, "call-1", ["rosa"])
        finally:
            await store.close()

    return asyncio.run(conversed())


@pytest.mark.parametrize(
    "words", [["purge", "--older-than", "0d"], ["delete", "--caller", "10001"]], ids=lambda w: w[0]
)
def test_what_is_deleted_is_in_the_lines_log(recorded: str, words: list[str], tmp_path: Path) -> None:
    try:
        assert main(["recordings", *words]) == 0
    finally:
        structlog.reset_defaults()
    assert not list((tmp_path / "kept").iterdir())
    (line,) = [json.loads(text) for text in (tmp_path / "ivr.log").read_text(encoding="utf-8").splitlines()]
    assert (line["event"], line["recording"], line["call_id"]) == ("recording.deleted", recorded, "call-1")
    assert line["by"].startswith("shell:")


def test_who_only_looks_leaves_no_log(recorded: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recordings", "list"]) == 0
    assert recorded in capsys.readouterr().out and not (tmp_path / "ivr.log").exists()
