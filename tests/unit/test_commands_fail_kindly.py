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


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("max_calls = 100", "max_calls = 251", "✗ RTP ports 16000-16999: enough for 250 callers only, of 251"),
        (
            'ports = "16000-16999"',
            'ports = "16000-16031"',
            "✗ RTP ports 16000-16031: enough for 8 callers only, of 100",
        ),
        (
            "sip:agent@127.0.0.1:5090",
            "sip:agent@nowhere.invalid",
            "✗ agent front-desk: sip:agent@nowhere.invalid cannot",
        ),
        ("sip:agent@127.0.0.1:5090", "sip:agent@[::1]:5090", "::1 is of another IP version than 127.0.0.1"),
        ("sip:agent@127.0.0.1:5090", "sip:agent@192.0.2.1", "cannot be dialled: no route from 127.0.0.1"),
    ],
)
def test_the_doctor_finds_who_cannot_be_joined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    shutil.copytree(ROOT / "flows", tmp_path / "flows")
    shipped = (ROOT / "config.toml").read_text("utf-8")
    assert old in shipped
    (tmp_path / "config.toml").write_text(shipped.replace(old, new, 1), "utf-8")
    free = ["--sip", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    assert main(["doctor", "--config", str(tmp_path / "config.toml"), *free]) == 1
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("command", ["doctor", "serve"])
def test_a_target_that_cannot_be_dialled_is_told_before_any_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "config.toml").write_text("[[desk.agents]]\nname = 'a'\ntarget = 'sips:a@192.0.2.1'\n", "utf-8")
    assert main([command, "--config", str(tmp_path / "config.toml")]) != 0
    said = capsys.readouterr()
    assert "desk.agents: 'sips:a@192.0.2.1'" in said.err + said.out
    assert "TLS needs a certificate" in said.err + said.out


@pytest.mark.parametrize(
    "typed",
    [
        ["db", "purge", "--older-than", "999999d"],
        ["db", "purge", "--older-than", "99999999999d"],
        ["recordings", "purge", "--older-than", "999999d"],
        ["speech", "timeline", "--since", "99999999999d"],
        ["speech", "timeline", "--since", "999999d"],
    ],
    ids=" ".join,
)
def test_longer_ago_than_there_are_days_is_no_age(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(typed)
    assert ended.value.code == 2
    assert f"'{typed[-1]}' is no " in capsys.readouterr().err
