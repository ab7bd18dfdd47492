"""`ivr flow history, rollback, canary, publish`, as typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ivr.__main__ import main
from tests.release.edition import BROKEN, Desk, Press

CONFIG = """\
[flows]
directory = "flows"
[store]
url = "sqlite+aiosqlite:///ivr.sqlite3"
[[desk.agents]]
name = "desk"
target = "sip:agent@127.0.0.1:5090"
skills = ["general", "retention"]
"""


@pytest.fixture
def press(tmp_path: Path) -> Press:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    return Press(tmp_path / "flows")


def ivr(press: Press, *arguments: str) -> int:
    return main(["flow", *arguments, "--config", str(press.folder.parent / "config.toml")])


def history(press: Press, capsys: pytest.CaptureFixture[str], *flow: str) -> list[dict[str, str]]:
    capsys.readouterr()
    assert ivr(press, "history", *flow, "--json") == 0
    return list(json.loads(capsys.readouterr().out))


def test_a_version_is_published_tried_and_taken_back(press: Press, capsys: pytest.CaptureFixture[str]) -> None:
    assert ivr(press, "publish") == 0
    press.print(1)
    assert ivr(press, "publish") == 0
    one, zero = (step["version"] for step in history(press, capsys))
    assert ivr(press, "rollback") == 0
    assert zero in capsys.readouterr().out
    assert ivr(press, "rollback") == 1, "nothing before it"
    assert "history" in capsys.readouterr().err

    trial = shutil.copytree(press.folder, press.folder.parent / "trial")
    Press(trial).print(7)
    assert ivr(press, "canary", str(trial), "--percent", "25", "--numbers", "5035550199") == 0
    assert ivr(press, "history") == 0
    shown = capsys.readouterr().out
    assert f"live: {zero}" in shown and "25 % of callers and 1 number(s)" in shown
    assert ivr(press, "canary", "--end") == 0
    assert ivr(press, "canary") == 2
    assert ivr(press, "canary", "0000", "--percent", "5") == 1
    kinds = [step["kind"] for step in history(press, capsys, "main")]
    assert kinds == ["withdraw", "canary", "rollback", "publish", "publish"]
    assert [s["version"] for s in history(press, capsys, "human")] == [zero]
    assert ivr(press, "rollback", one[:6], "--why", "it was right after all") == 0
    assert history(press, capsys)[0]["why"] == "it was right after all"


def test_what_does_not_pass_is_not_published(press: Press, capsys: pytest.CaptureFixture[str]) -> None:
    press.print(1, BROKEN)
    assert ivr(press, "publish") == 1
    assert "nowhere" in capsys.readouterr().err
    assert history(press, capsys) == []


async def test_a_running_service_follows(press: Press, capsys: pytest.CaptureFixture[str]) -> None:
    import asyncio

    desk = Desk(press.folder, press.folder.parent / "ivr.sqlite3")
    async with desk.running():
        press.print(1)
        await desk.until(1)
        assert await asyncio.to_thread(ivr, press, "rollback") == 0
        await desk.until(0)
