"""`ivr accounts`: what it makes, asks, refuses and tells."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path

import pytest

from ivr.__main__ import main
from ivr.cli import doctor
from ivr.config import Config, HttpConfig, StoreConfig
from ivr.config.fields import Secret, parse_address

PASSWORD = "correct horse battery"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Line:
    """Somebody at the line's machine, who types commands."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.url, self._monkeypatch, self._capsys = url, monkeypatch, capsys

    def __call__(self, *words: str, given: str = PASSWORD) -> tuple[int, str]:
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(f"{given}\n"))
        return self.run(*words)

    def run(self, *words: str) -> tuple[int, str]:
        code = main(["accounts", *words, "--database", self.url])
        told = self._capsys.readouterr()
        return code, told.out + told.err


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Line:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text("", encoding="utf-8")
    typed = Line(f"sqlite+aiosqlite:///{tmp_path}/ivr.sqlite3", monkeypatch, capsys)
    assert main(["db", "upgrade", "--database", typed.url]) == 0
    capsys.readouterr()
    return typed


def test_a_life_of_an_account(line: Line) -> None:
    assert "nobody has an account" in line("list")[1]
    code, told = line("add", "sam", "--role", "agent")
    assert code == 1 and "supervisor" in told, "the first one manages the others"
    assert line("add", "Rosa", "--role", "supervisor", "--role", "agent", "--display", "Rosa Diaz")[0] == 0
    code, told = line("add", "sam", "--role", "agent", "--one-time")
    assert code == 0 and "once" in told
    told = line("list")[1]
    assert "rosa  Rosa Diaz  agent, supervisor  last here never" in told and "sam" in told
    assert line("roles", "sam", "agent", "ops")[0] == 0
    assert line("password", "sam", given="words of my own")[0] == 0
    assert "must choose" not in line("list")[1]
    assert line("disable", "sam")[0] == 0 and "disabled" in line("list")[1]
    assert line("enable", "sam")[0] == 0
    assert line("sessions")[1].strip() == "nobody is logged in"
    assert "0 sessions" in line("log-out", "sam")[1]
    assert line("remove", "sam")[0] == 0
    trail = [json.loads(each) for each in line("audit")[1].splitlines()]
    assert [each["action"] for each in trail] == [
        f"account.{change}" for change in (
        "added", "added", "one_time", "roles", "password", "disabled", "enabled", "logout", "removed",
    )]  # fmt: skip
    assert all(each["actor"].startswith("shell") for each in trail)
    assert PASSWORD not in str(trail)
    assert line("remove", "rosa")[0] == 0, "whoever has the machine may open it to everybody again"


@pytest.mark.parametrize(
    ("words", "given", "code", "says"),
    [
        (("add", "ann"), PASSWORD, 2, "--role"),
        (("add", "no spaces", "--role", "ops"), PASSWORD, 1, "a-z"),
        (("add", "ann", "--role", "supervisor"), "short", 1, "10"),
        (("add", "ann", "--role", "supervisor"), "", 1, "0 characters"),
        (("roles", "ann", "boss"), PASSWORD, 2, "no role boss"),
        (("password", "ann"), PASSWORD, 1, "no account"),
        (("disable", "ann"), PASSWORD, 1, "no account"),
        (("log-out", "ann"), PASSWORD, 1, "no account"),
    ],
)
def test_what_cannot_be_is_told_kindly(line: Line, words: tuple[str, ...], given: str, code: int, says: str) -> None:
    got, told = line(*words, given=given)
    assert (got, told.count("\n")) == (code, 1) and says in told and "Traceback" not in told


def test_on_a_terminal_the_password_is_asked_for_twice_and_unseen(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [PASSWORD, "something else", PASSWORD, PASSWORD]
    monkeypatch.setattr("getpass.getpass", lambda _: answers.pop(0))
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert "differ" in line.run("add", "rosa", "--role", "supervisor")[1]
    assert line.run("add", "rosa", "--role", "supervisor")[0] == 0


def test_no_password_is_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["accounts", "add", "ann", PASSWORD], ["accounts", "add", "ann", "--password", PASSWORD]):
        with pytest.raises(SystemExit) as refused:
            main(words)
        assert refused.value.code == 2
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["accounts", "--help"])
    told = capsys.readouterr().out
    assert "examples:" in told and "roles:" in told


def test_a_missing_database_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.toml").write_text("", encoding="utf-8")
    url = f"sqlite+aiosqlite:///{tmp_path}/none.sqlite3"
    assert main(["accounts", "list", "--config", str(tmp_path / "config.toml"), "--database", url]) == 2
    assert "there is no database" in capsys.readouterr().err
    assert not (tmp_path / "none.sqlite3").exists()


def test_the_doctor_tells_when_nobody_from_outside_can_log_in(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(listen: str) -> str:
        http = HttpConfig(
            listen=parse_address(listen), token=Secret("env:TEST_TOKEN") if listen[0] == "0" else Secret("")
        )
        found = asyncio.run(doctor.database(Config(http=http, store=StoreConfig(url=line.url))))
        (entry,) = [each for each in found if each.subject == "accounts"]
        return f"{entry.state}: {entry.detail} {entry.remedy}"

    monkeypatch.setenv("TEST_TOKEN", "hunter2")
    assert told("127.0.0.1:8080").startswith("ok: none: whoever is at this machine")
    outside = told("0.0.0.0:8080")
    assert outside.startswith("note: none") and "reachable from outside" in outside and "ivr accounts add" in outside
    assert line("add", "rosa", "--role", "supervisor")[0] == 0
    assert told("0.0.0.0:8080").startswith("ok: 1;")
