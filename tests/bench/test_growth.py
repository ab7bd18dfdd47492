"""The plot shows what was measured, with its aims and its knee; the verdict follows the promises."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import growth, growth_plot
from tests.bench.figures import FILE, told
from tests.bench.knee import Point, knee
from tests.bench.line_load import first_sounds
from tests.bench.rtp_sinks import Report
from tests.bench.test_knee import point, spent, waits
from tests.wire.sipp import SippResult

SVG = "{http://www.w3.org/2000/svg}"


def grown() -> list[Point]:
    calls = [point(n, {"line": 0.001 * n, "media": 0.0012 * n}, kind="calls") for n in (1, 100, 600)]
    talkers = [point(n, spent(n)) for n in (1, 40, 120)]
    return [*calls, *talkers, point(200, spent(120), refused=80)]


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(svg).iter(f"{SVG}text")]


def test_the_plot_is_labelled_with_units_aims_and_the_knee() -> None:
    said = texts(growth.drawn(grown(), 2, "here"))
    whole = "\n".join(said)
    for label in ("in s", "in cores", "in MB", "in ms", "calls at once", "talkers offered", "first sound p95"):
        assert label in whole, label
    assert "promised: answer p95 0.8 s" in said and "promised: 21 ms" in said
    assert said.count("knee: 200") == 4, "in each panel of the talkers"
    assert "No knee" in said and "The knee" in said
    assert any("refused 80 (503)" in line for line in said)


def test_points_lie_where_their_figures_say() -> None:
    """The first sound's p95 of 0.3 s for each load: one height, from left to right."""
    svg = growth.drawn([point(n, spent(n)) for n in (50, 100)], 2, "here")
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="2.5" fill="#2f6f9f"', svg)
    across, heights = {float(x) for x, _ in found}, {float(y) for _, y in found}
    assert max(across) - min(across) == pytest.approx(225), "half a panel apart"
    assert len(heights) == 2, "p50 and p95"
    assert min(heights) < max(heights)


def test_a_number_that_was_not_measured_is_not_drawn() -> None:
    silent = replace(point(10, spent(10)), answer=replace(waits(0.0), count=0))
    assert "<circle" in growth.drawn([silent], 2, "here")
    assert not re.search(r'<circle[^>]*fill="#c2703d"', growth.drawn([silent], 2, "here"))


def test_axes_have_round_numbers() -> None:
    assert [growth_plot.nice(value) for value in (0.13, 0.2, 0.21, 3.0, 140.0, 0.0)] == [0.2, 0.2, 0.25, 3, 200, 1.0]


def test_words_of_the_knee_cannot_break_the_picture() -> None:
    column = growth_plot.talkers_column([point(1, spent(1))], knee([point(1, spent(1))], 2))
    bad = replace(column, title="<&>", knee=replace(column.knee, words=["a < b & c"]))
    assert {"<&>", "a < b & c"} <= set(texts(growth_plot.svg([bad], "x < y")))


def test_refusing_is_no_fault_but_a_long_answer_is() -> None:
    assert growth.met(grown(), 2) == [
        "100 calls: 2.20 ms of CPU a call-second",
        "600 calls: 2.20 ms of CPU a call-second",
    ]
    slow = replace(grown()[-1], answer=waits(1.0, 2.6))
    assert growth.met([slow], 2) == ["200 talkers: somebody's answer took 2.60 s (promised 2.5)"]
    meant = replace(point(120, spent(120)), answer=waits(0.9))
    assert growth.met([meant], 2) == ["120 talkers: answers p95 0.90 s"]
    assert growth.met([meant], 1) == [], "twice as many as a core is meant for: only nobody may wait long"


def test_an_earlier_run_is_drawn_and_judged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, figures = tmp_path / "growth.json", tmp_path / "figures"
    data.write_text(json.dumps(growth.as_data(grown(), 2, "here")))
    monkeypatch.setenv(FILE, str(figures))
    monkeypatch.setattr("sys.argv", ["growth", "--from-json", str(data), "--svg", str(tmp_path / "growth.svg")])
    assert growth.main() == 1, "600 calls at 2.2 ms"
    assert "refused 80 (503)" in capsys.readouterr().out
    assert (tmp_path / "growth.svg").read_text().startswith("<svg")
    found = {figure.name: figure for figure in told(figures)}
    assert found["gap p99 at 600 calls"].met and found["answer p95 at 120 talkers"].met
    assert found["knee of talkers"].value == 200
    assert found["CPU of a call-second at 600 calls"].value == pytest.approx(2.2)
    assert found["CPU of a call-second at 600 calls"].met is False


def test_the_first_sound_counts_from_the_invite_of_the_same_call() -> None:
    report = Report(20.0, 20.1, 21.0, 100, 0, 0, 1.0, heard_at={4000: 1000.75, 4002: 1001.0, 4004: 1.0})
    logged = "invited 4000 1000 500000\nanswered something\ninvited 4002 1000 900000\n"
    found = first_sounds(report, SippResult(0, 2, 0, "", logged, ""))
    assert found == [pytest.approx(0.25), pytest.approx(0.1)]
