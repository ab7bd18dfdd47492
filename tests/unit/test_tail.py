"""`ivr tail`: one call out of a log, by whatever an operator has of it, and nothing that a terminal would obey."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.__main__ import main
from ivr.cli.tail import Selection, parse, recorded_calls, render
from ivr.logs import mask_number
from ivr.store import Store

ONE, OTHER = "3f2a51c09d7e4b68", "77aa00b1c2d3e4f5"
LINES = (
    {"event": "sip.invite", "level": "info", "sip_call_id": "4e8c0b@192.0.2.9", "caller": "+15035550101"},
    {"event": "call.start", "level": "info", "call_id": ONE, "sip_call_id": "4e8c0b@192.0.2.9",
     "caller": "+15035550101", "called": "5035550199", "trunk": "pbx"},
    {"event": "call.start", "level": "info", "call_id": OTHER, "sip_call_id": "99ff@192.0.2.9",
     "caller": "5035550102", "called": "201", "trunk": "pbx"},
    {"event": "journal.failed", "level": "warning", "call_id": OTHER},
    {"event": "sip.ended", "level": "info", "sip_call_id": "4e8c0b@192.0.2.9", "by": "caller"},
    {"event": "call.end", "level": "info", "call_id": ONE, "outcome": "resolved"},
    {"event": "service.stopped", "level": "info"},
)  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "ivr.log"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in LINES))
    return path


@pytest.mark.parametrize(
    "which",
    [
        ONE, ONE[:4], ONE[:8].upper(), "4e8c0b@192.0.2.9", "4e8c0b",
        "+15035550101", "15035550101", "5035550101", "503-555-0101", "+1 (503) 555-0101", "555 0101", "0015035550101",
        "01115035550101", "tel:+1-503-555-0101", "sip:+15035550101@192.0.2.9;user=phone", "%2B15035550101",
        "+1 503 555 0199",
    ],
)  # fmt: skip
def test_a_call_is_found_by_its_id_its_sip_call_id_or_a_number(
    log: Path, capsys: pytest.CaptureFixture[str], which: str
) -> None:
    assert main(["tail", "--log", str(log), "--call", which]) == 0
    shown = [line.split("=")[0].split() for line in capsys.readouterr().out.splitlines()]
    events = [next(word for word in words if "." in word and word[0].isalpha()) for words in shown]
    assert events == ["sip.invite", "call.start", "sip.ended", "call.end"], "its SIP lines too, also the first ones"


def test_a_short_number_is_that_number(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tail", "--log", str(log), "--call", "201"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 2 and OTHER[:8] in out and ONE[:8] not in out
    assert main(["tail", "--log", str(log), "--call", "01"]) == 1


@pytest.mark.parametrize("which", ["ffff", "5035550777", "nobody@192.0.2.9", "+44 20 7946 0000"])
def test_what_matches_nothing_is_said(log: Path, capsys: pytest.CaptureFixture[str], which: str) -> None:
    assert main(["tail", "--log", str(log), "--call", which]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and f"no call in {log} matches {which!r}" in captured.err
    assert "masked" not in captured.err


def test_a_masked_log_is_said_to_be_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ivr.log"
    masked = {"event": "call.start", "call_id": ONE, "caller": "••••••••01", "called": "••••••••99"}
    path.write_text(json.dumps(masked, ensure_ascii=False) + "\n")
    assert main(["tail", "--log", str(path), "--call", "5035550101"]) == 1
    said = capsys.readouterr().err
    assert "masked in this log ([logs] redact = true)" in said and ONE in said
    assert main(["tail", "--log", str(path), "--call", ONE[:6]]) == 0


@pytest.fixture
def masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a line that masks numbers, beside the database that has them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(
        "[store]\nurl = 'sqlite+aiosqlite:///ivr.sqlite3'\n[logs]\npath = 'ivr.log'\n"
    )

    async def record() -> None:
        store = Store(f"sqlite+aiosqlite:///{tmp_path}/ivr.sqlite3")
        await store.upgrade()
        for call, caller in ((ONE, "+15035550101"), (OTHER, "+15035559901")):
            await store.calls.begin(call, caller, "201", datetime(2026, 3, 1, tzinfo=UTC), {})
        await store.close()

    asyncio.run(record())
    hidden = [
        {**line, **{key: mask_number(str(line[key])) for key in ("caller", "called") if key in line}} for line in LINES
    ]
    hidden[2]["caller"] = mask_number("+15035559901")
    log = tmp_path / "ivr.log"
    log.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in hidden), encoding="utf-8")
    return log


@pytest.mark.parametrize("which", ["5035550101", "+1 (503) 555-0101", "555-0101"])
def test_a_number_is_looked_up_where_the_log_masks_it(
    masked: Path, capsys: pytest.CaptureFixture[str], which: str
) -> None:
    assert main(["tail", "--call", which]) == 0
    out = capsys.readouterr().out
    assert ONE[:8] in out and OTHER[:8] not in out and "sip.invite" in out and "0101" not in out
    assert main(["tail", "--call", "5035557701"]) == 1


async def test_a_call_that_begins_later_is_found_by_its_number_too(masked: Path) -> None:
    selection = Selection("debug", "5035550101")
    start = {"event": "call.start", "call_id": ONE, "caller": mask_number("+15035550101")}
    arguments = argparse.Namespace(config=Path("config.toml"), database="", call="5035550101")
    selection.learn(start)
    assert not selection.takes(start) and selection.doubts(start)
    selection.settle(await recorded_calls(arguments))
    assert selection.takes(start) and not selection.doubts(start)
    for _ in range(9):
        selection.learn(stranger := {"event": "call.start", "call_id": OTHER, "caller": mask_number("5035550201")})
        asked = selection.doubts(stranger)
    assert not asked, "the database is not asked at every line of a stranger's call"


def test_level_and_number_of_lines_are_of_that_call(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tail", "--log", str(log), "--call", OTHER, "--level", "warning"]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert main(["tail", "--log", str(log), "--call", ONE, "-n", "1"]) == 0
    assert "call.end" in capsys.readouterr().out


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize(
    ("lines", "events"), [("0", []), ("1", ["service.stopped"]), ("2", ["call.end", "service.stopped"])]
)
def test_only_the_last_lines_of_a_file_and_of_a_pipe(
    log: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    piped: bool,
    lines: str,
    events: list[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(log.read_text("utf-8")))
    assert main(["tail", "--log", "-" if piped else str(log), "-n", lines]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == len(events) and all(event in line for event, line in zip(events, shown, strict=True))


def test_fewer_lines_than_none_are_refused(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tail", "--log", str(log), "-n", "-5"]) == 2
    assert "-n -5 is no number of lines" in capsys.readouterr().err


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J\x1b]0;mine\x07", "\x9b31m", "line\r\nfeed", "back\x08space", "\x7f", "\u202eesrever", "\u2028", "\x00"],
)
def test_nothing_in_a_line_moves_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], hostile: str) -> None:
    everywhere = dict.fromkeys(("at", "call_id", "state", "event", "caller", hostile, "exception"), hostile)
    nested = {"event": "test", "facts": {hostile: [hostile]}}
    for entry in (everywhere, nested):
        assert all(c.isprintable() or c in " \n" for c in render(entry).plain)
    path = tmp_path / "ivr.log"
    path.write_bytes((json.dumps(everywhere) + "\n").encode() + hostile.encode() + b" raw\n")
    assert main(["tail", "--log", str(path)]) == 0
    assert all(c.isprintable() or c == "\n" for c in capsys.readouterr().out)


def test_a_traceback_keeps_its_lines() -> None:
    assert render({"event": "x", "exception": "first\nsecond"}).plain.splitlines()[1:] == ["first", "second"]


def test_lines_that_are_no_json_are_shown_as_they_are() -> None:
    assert parse("not json\n")["event"] == "not json"
    assert parse("[1]\n")["event"] == "[1]"
    assert parse("\n") == {}
