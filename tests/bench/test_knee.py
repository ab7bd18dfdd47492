"""The knee is found where the promises break, and the reason comes from the figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.bench.knee import Kind, Point, complaints, cost, knee
from tests.bench.waits import Waits, quantile


def waits(p95: float, worst: float | None = None) -> Waits:
    return Waits(p95 / 2, p95, p95 if worst is None else worst, 40)


def point(
    offered: int,
    cores: Mapping[str, float],
    *,
    kind: Kind = "talkers",
    p95: float = 0.6,
    refused: int = 0,
    neighbours: float = 0.1,
) -> Point:
    return Point(
        kind=kind,
        offered=offered,
        taken=offered - refused,
        refused=refused,
        lost=0,
        sound=waits(p95 / 2),
        answer=waits(p95) if kind == "talkers" else Waits.of(()),
        gap_ms=20.2 if kind == "calls" else None,
        missing=0,
        cores=cores,
        memory_mb={"line": 120.0},
        callers_cores=0.1,
        neighbours=neighbours,
        load=1.0,
    )


def spent(talkers: int) -> dict[str, float]:
    return {"line": 0.002 * talkers, "listening": 0.006 * talkers}


def test_each_further_call_costs_the_slope_of_what_was_measured() -> None:
    grown = [point(n, {"line": 0.1 + 0.01 * n}) for n in (1, 20, 40)]
    assert cost(grown) == pytest.approx(0.01), "not the 0.1 that a line takes without any call"
    assert cost(grown[2:]) == pytest.approx(0.5 / 40)
    assert cost([]) == 0.0


def test_without_a_broken_promise_there_is_no_knee_and_its_reach_is_told() -> None:
    found = knee([point(n, spent(n)) for n in (1, 20, 40)], cores=2)
    assert (found.good, found.at) == (40, None)
    told = " ".join(found.words)
    assert "No knee up to 40 talkers" in told
    assert "8.0 ms of CPU a second; 75% of it is listening" in told
    assert "1.8 cores" in told and "about 220" in told, "(2 - 0.1 - 0.1) / 0.008, in tens"


def test_full_cores_are_the_reason_where_nothing_idled() -> None:
    found = knee([point(40, spent(40)), point(200, spent(200), p95=1.9)], cores=2)
    assert (found.good, found.at) == (40, 200)
    told = " ".join(found.words)
    assert "at 200: answers p95 1.90 s (promised 0.8)" in told
    assert "Why: the cores are full: of 2 cores the line had 1.60" in told


def test_neighbours_are_the_reason_where_they_had_more_than_the_line() -> None:
    found = knee([point(20, spent(20), p95=1.4, neighbours=1.7)], cores=2)
    assert (found.good, found.at) == (None, 20)
    assert found.words[0].startswith("Already at 20 talkers: answers p95 1.40 s")
    assert any("Why: neighbours had the cores" in words for words in found.words)


def test_one_process_of_one_thread_is_the_reason_where_cores_idled() -> None:
    grown = [
        point(100, {"line": 0.3, "media": 0.2}, kind="calls"),
        point(600, {"line": 0.3, "media": 0.95}, kind="calls"),
    ]
    grown[1] = replace(grown[1], gap_ms=26.0)
    found = knee(grown, cores=4)
    assert found.at == 600
    assert any("the media process has one thread, and that took 0.95 of a core" in words for words in found.words)


def test_waiting_is_named_where_the_cores_idled() -> None:
    found = knee([point(20, spent(20), p95=1.4)], cores=2)
    assert any("not for want of CPU in all, 1.64 cores idled" in words for words in found.words)


def test_admission_is_a_knee_of_its_own_and_says_how_those_inside_fared() -> None:
    found = knee([point(120, spent(120)), point(160, spent(120), refused=40), point(200, spent(120), refused=80)], 2)
    assert (found.good, found.at) == (120, 160)
    told = " ".join(found.words)
    assert "took 120 and refused 40 (503)" in told and "p95 0.60 s" in told
    assert "taken 120 of 200" in told


def test_every_promise_that_breaks_is_named() -> None:
    bad = replace(point(10, spent(10)), sound=waits(0.9, 1.6), answer=waits(0.9, 2.6), lost=2)
    assert [what.split(" (")[0] for what in complaints(bad)] == [
        "2 calls were not answered",
        "answers p95 0.90 s",
        "somebody heard nothing for 1.60 s",
        "somebody's answer took 2.60 s",
    ]
    calls = replace(point(10, spent(10), kind="calls"), gap_ms=21.4, missing=3, sound=waits(1.2))
    assert len(complaints(calls)) == 3
    assert complaints(point(10, spent(10), kind="calls")) == []


def test_a_point_survives_its_file() -> None:
    one = point(7, spent(7), kind="calls")
    assert Point.from_json(json.loads(json.dumps(one.as_json()))) == one


def test_no_point_has_no_knee() -> None:
    with pytest.raises(ValueError, match="no point"):
        knee([], 2)


def test_waits_in_short() -> None:
    assert Waits.of([0.3, 0.1, 0.2]) == Waits(0.2, 0.3, 0.3, 3)
    assert Waits.of([]).count == 0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert str(Waits.of([0.5])) == "p50 0.50, p95 0.50, worst 0.50 s of 1"
