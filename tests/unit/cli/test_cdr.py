"""`ivr cdr`: records found by number, time, trunk and outcome, rotated files too; CSV that no spreadsheet executes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.__main__ import main
from ivr.telemetry.call_detail import COLUMNS

ROOT = Path(__file__).parents[3]
Told = Callable[..., tuple[int, str, str]]


def record(call_id: str, **told: object) -> str:
    values = {"v": 1, "call_id": call_id, "started": "2026-03-01T12:00:00.000Z", "final": True, **told}
    return json.dumps({name: values.get(name, "") for name in COLUMNS}) + "\n"


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    shutil.copy(ROOT / "config.toml", tmp_path)
    config = tmp_path / "config.toml"
    text, count = re.subn(r'^path = "".*$', 'path = "cdr.jsonl"', config.read_text("utf-8"), flags=re.MULTILINE)
    assert count == 1
    config.write_text(text, "utf-8")

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["cdr", "--config", str(config), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def ids(out: str) -> list[str]:
    return [json.loads(line)["call_id"] for line in out.splitlines()]


def test_records_are_found_also_in_what_logrotate_kept(told: Told, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "cdr.jsonl.2.gz", "wt") as old:
        old.write(record("aaa1", caller="+15035550101", started="2026-02-01T00:00:00.000Z", outcome="refused"))
    (tmp_path / "cdr.jsonl.1").write_text(record("bbb2", called="5035550199", trunk="pbx", final=False))
    (tmp_path / "cdr.jsonl").write_text(
        record("ccc3", caller="+34911", sip_call_id="x@h") + '{"v": 1, "missing": 3}\n{"v"'
    )
    (tmp_path / "cdr.jsonl.bak").write_text(record("not"))
    code, out, err = told()
    assert (code, ids(out)) == (0, ["aaa1", "bbb2", "ccc3"])
    assert "3 records are missing" in err and "1 lines are no records" in err
    for words, found in (
        (("--call", "(503) 555-0101"), ["aaa1"]),
        (("--call", "0015035550199"), ["bbb2"]),
        (("--call", "x@h"), ["ccc3"]),
        (("--call", "bbb"), ["bbb2"]),
        (("--trunk", "pbx"), ["bbb2"]),
        (("--outcome", "refused", "--outcome", "failed"), ["aaa1"]),
        (("--final",), ["aaa1", "ccc3"]),
        (("--since", "2026-02-15"), ["bbb2", "ccc3"]),
        (("--until", "2026-02-15"), ["aaa1"]),
        (("--file", str(tmp_path / "cdr.jsonl.1")), ["bbb2"]),
    ):
        assert ids(told(*words)[1]) == found, words


def test_a_spreadsheet_executes_nothing(told: Told, tmp_path: Path) -> None:
    bad = ['=HYPERLINK("http://evil")', "+1-1|cmd", "-2+3", "@SUM(A1)", "\tx"]
    lines = [record(f"c{n}", caller=each, called="+15035550101", mos=-0.5) for n, each in enumerate(bad)]
    (tmp_path / "cdr.jsonl").write_text("".join(lines))
    names, *rows = csv.reader(io.StringIO(told("--csv")[1]))
    assert tuple(names) == COLUMNS
    told_rows = [dict(zip(names, row, strict=True)) for row in rows]
    assert [row["caller"] for row in told_rows] == [f"'{each}" for each in bad]
    assert {(row["called"], row["final"], row["mos"]) for row in told_rows} == {("+15035550101", "true", "-0.5")}


def test_what_is_wrong_is_one_sentence(told: Told, tmp_path: Path) -> None:
    for words, says in (
        ((), "no call detail records there yet"),
        (("--file", str(tmp_path / "nowhere")), "No such file"),
        (("--file", str(tmp_path / "config.toml"), "--since", "yesterday"), "is no time"),
    ):
        code, out, err = told(*words)
        assert code == 2 and says in err and not out and "Traceback" not in err
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"{}\n" * 999)[:20])
    assert told("--file", str(tmp_path / "cut.gz"))[0] == 2
