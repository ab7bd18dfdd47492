"""One table for all benches: what missed says so, what could not be measured too, and the exit code follows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench.figures import FILE, Figure, tell, told
from tests.bench.report import TRACEBACK, Report, Run, as_data, markdown, shown, table, write

GOOD = Figure("gap p99 of 100 calls", 20.4, "ms", 21.0, neighbours=0.31)
BAD = Figure("answer p95", 0.94, "s", 0.8, note="load 4 | more")
FACT = Figure("SIPp: CPU", 0.52, "ms")


def run(name: str, *figures: Figure, status: int = 0, said: Sequence[str] = ("aims: met",)) -> Run:
    return Run(name, status, 12.0, 0.25, 1.5, said, figures)


def test_figures_reach_whoever_runs_the_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "figures"
    assert told(file) == []
    monkeypatch.setenv(FILE, str(file))
    tell(GOOD, BAD)
    tell(FACT)
    with file.open("a") as stream:
        stream.write('{"name": "of a bench that was kil')
    assert told(file) == [GOOD, BAD, FACT]
    monkeypatch.delenv(FILE)
    tell(GOOD)
    assert len(told(file)) == 3


def test_an_aim_is_met_from_its_own_side() -> None:
    assert (GOOD.met, BAD.met, FACT.met) == (True, False, None)
    assert Figure("turns a second", 900.0, "", 1000.0, at_most=False).met is False
    assert Figure("nothing came", float("nan"), "s", 1.0).met is False


def test_the_table_has_a_row_a_figure_and_one_a_bench_with_neighbours_beside_each() -> None:
    rows = [
        [cell.strip() for cell in row.strip("|").split("|")] for row in table([run("line_load", GOOD), run("x", BAD)])
    ]
    assert rows[2] == ["line_load", "gap p99 of 100 calls", "20.4 ms", "≤ 21", "met", "0.31", ""]
    assert rows[3] == ["line_load", "its aims, as a whole", "", "", "met", "0.25", "12 s, load 1.5; aims: met"]
    assert rows[4][4:] == ["MISSED", "0.25", "load 4 / more"], "the bench's own neighbours where the figure has none"
    assert rows[5][4] == "MISSED", "a figure's miss is the bench's"
    assert len({len(row) for row in table([run("line_load", GOOD), run("x", BAD)])}) == 1, "readable as it is"


def test_a_failed_bench_is_told_from_a_missed_aim() -> None:
    assert run("x", status=1).verdict == "MISSED"
    assert run("x", status=2).verdict == "FAILED (2)"
    assert run("x", status=-9).verdict == "FAILED (-9)"
    assert run("x", status=1, said=(TRACEBACK, "  File ...", "KeyError: 'x'")).verdict == "FAILED (1)"
    assert Report([run("a"), run("b", status=1), run("c", BAD)], {}).missed == ["b", "c"]


def test_what_was_not_measured_is_said(tmp_path: Path) -> None:
    peers = run("peers", said=("aims: met", "NOT MEASURED: pyVoIP: pip install it"))
    report = Report([peers], {"machine": "2 cores"}, ["barge_in"], {"knees": {"calls": {"words": ["No knee."]}}})
    text = markdown(report)
    assert "- not measured, peers: pyVoIP: pip install it" in text
    assert "- left out of a short run: barge_in" in text
    assert "**How it grows, calls.** No knee." in text and "All aims were met." in text
    assert "aims: met" in text.splitlines()[8], "its last word, not what is missing"
    files = write(report, tmp_path)
    data = json.loads(files[1].read_text(encoding="utf-8"))
    assert data["runs"][0]["not_measured"] == ["pyVoIP: pip install it"] and data["missed"] == []


def test_json_has_no_numbers_that_json_does_not_have() -> None:
    data = as_data(Report([run("x", Figure("none", float("nan"), "s", 1.0))], {}))
    assert data["runs"][0]["figures"][0]["value"] is None
    json.dumps(data, allow_nan=False)


def test_numbers_are_shown_with_the_digits_that_matter() -> None:
    assert [shown(value) for value in (0.0412, 20.44, 600.0, 412.6, float("nan"))] == [
        "0.04",
        "20.4",
        "600",
        "413",
        "none",
    ]


def test_a_short_run_says_what_it_goes_without_and_takes_what_is_named() -> None:
    plan, left_out = bench.chosen([], quick=True)
    assert {"growth", "peers", "short_calls"} <= plan.keys() and "barge_in" in left_out
    assert plan.keys() | set(left_out) == bench.BENCHES.keys()
    assert bench.chosen(["talkers"], quick=True) == ({"talkers": ("--callers", "10", "--seconds", "25")}, [])
    assert bench.chosen([], quick=False)[0].keys() == bench.BENCHES.keys()


def test_each_bench_is_a_module_of_this_folder() -> None:
    for name in bench.BENCHES | bench.ALONE:
        assert (Path(bench.__file__).parent / f"{name}.py").exists(), name


def test_the_whole_ends_with_one_where_an_aim_was_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = {"flow_check": run("flow_check"), "flow_scripts": run("flow_scripts", BAD)}
    monkeypatch.setattr(bench, "run", lambda name, *_: ends[name])
    out = str(tmp_path / "out")
    assert bench.main(["flow_check", "--out", out]) == 0
    assert bench.main(["flow_check", "flow_scripts", "--out", out]) == 1
    said = capsys.readouterr().out
    assert "=== 2 of 2, flow_scripts" in said and "Missed or failed: flow_scripts." in said
    assert (tmp_path / "out" / "bench.md").exists() and (tmp_path / "out" / "bench.json").exists()


def test_a_bench_is_run_watched_and_kept(tmp_path: Path) -> None:
    """A real one, the cheapest: asked for a word that it doesn't know."""
    found = bench.run("line_load", ["--no-such-option"], tmp_path)
    assert found.verdict == "FAILED (2)" and found.figures == []
    assert any("unrecognized arguments" in line for line in found.said)
    assert "unrecognized arguments" in (tmp_path / "line_load.txt").read_text()
    assert found.neighbours >= 0.0


def test_a_run_that_is_stopped_tells_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopping(name: str, *_: object) -> Run:
        if name == "flow_scripts":
            raise KeyboardInterrupt
        return run(name)

    monkeypatch.setattr(bench, "run", stopping)
    assert bench.main(["flow_check", "flow_scripts", "--out", str(tmp_path)]) == 130
    data = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in data["runs"]] == ["flow_check"] and "stopped" in data["about"]["kind"]
