"""Capacity: the queue before recognition against figures that are known, and the sum of what calls cost."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.__main__ import main
from ivr.deploy import capacity
from ivr.deploy.capacity import Costs, Demand, Machines, planned, quantile, sentences, waits_ms

MEAN_MS = 100.0
ARRIVALS = 200_000


def erlang_c(offered: float, servers: int) -> float:
    """The share of those who wait (Erlang 1917)."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def exponential(seed: int) -> Iterator[float]:
    drawn = random.Random(seed)
    while True:
        yield drawn.expovariate(1 / MEAN_MS)


def test_the_formula_that_is_compared_with_is_the_known_one() -> None:
    assert erlang_c(10, 14) == pytest.approx(0.174, abs=0.001), "the textbooks' ten erlangs and fourteen agents"
    assert erlang_c(0.5, 1) == pytest.approx(0.5)


@pytest.mark.parametrize(("cores", "load"), [(1, 0.5), (2, 0.7), (8, 0.8), (14, 10 / 14)])
def test_who_waits_and_how_long_as_erlang_says(cores: int, load: float) -> None:
    waited = waits_ms(cores, load, exponential(7), MEAN_MS, ARRIVALS, 1)
    must_wait = erlang_c(cores * load, cores)
    assert sum(wait > 0 for wait in waited) / len(waited) == pytest.approx(must_wait, rel=0.05)
    assert sum(waited) / len(waited) == pytest.approx(must_wait * MEAN_MS / (cores * (1 - load)), rel=0.08)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_sentences_of_one_length_wait_half_as_long(load: float) -> None:
    """M/D/1, by Pollaczek and Khinchine."""
    waited = waits_ms(1, load, itertools.repeat(MEAN_MS), MEAN_MS, ARRIVALS, 1)
    assert sum(waited) / len(waited) == pytest.approx(load * MEAN_MS / (2 * (1 - load)), rel=0.06)


def test_sentences_are_as_long_as_was_measured() -> None:
    drawn = list(itertools.islice(sentences(Costs(), 3), 50_000))
    mean = sum(drawn) / len(drawn)
    spread = math.sqrt(sum((each - mean) ** 2 for each in drawn) / len(drawn)) / mean
    assert mean == pytest.approx(104, rel=0.02) and spread == pytest.approx(0.64, rel=0.03)
    assert set(itertools.islice(sentences(Costs(spread=0.0), 3), 9)) == {104.0}


@pytest.mark.parametrize(("cores", "p95_ms"), [(2, 484), (8, 103), (12, 62)])
def test_at_eight_tenths_large_pools_answer_in_time(cores: int, p95_ms: float) -> None:
    waited = waits_ms(cores, 0.8, sentences(Costs(), 1), 104.0, ARRIVALS, 1)
    assert quantile(waited, 0.95) == pytest.approx(p95_ms, rel=0.08)


def test_ten_thousand_callers() -> None:
    plan = planned(Demand(10_000), Costs(), Machines())
    assert [round(cores, 1) for _, cores in plan.cores] == [14.5, 4.5, 1.3, 130.0, 11.0]
    assert (plan.machines, plan.max_calls, plan.media_processes, plan.packets_s) == (29, 350, 4, 500_000)
    assert plan.gbit_s == pytest.approx(0.912)
    plain = planned(Demand(10_000, srtp=False), Costs(), Machines())
    assert plain.gbit_s == pytest.approx(0.872) and dict(plain.cores)["SRTP"] == 0.0
    with_agents = planned(Demand(10_000, bridged=1.0), Costs(), Machines())
    assert with_agents.packets_s == 1_000_000 and with_agents.cores[3][1] == with_agents.cores[4][1] == 0.0


def test_the_guide_says_what_is_reckoned_with() -> None:
    """Figures of calls stand in ``Costs``; the guide has the same, and what comes of them."""
    guide = (Path(capacity.__file__).parent / "README.md").read_text("utf-8")
    part = guide.partition("\n## How many callers\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in part.splitlines() if row.startswith("|")]
    told = {row[0].partition(" (`")[0]: row[1] for row in rows}
    costs, plan = Costs(), planned(Demand(10_000), Costs(), Machines())
    assert told["a call, per second: media and line, with journal, metrics and records"] == f"{costs.call_ms_s:g} ms"
    assert told["SRTP, per second of a leg"] == f"{costs.srtp_ms_s:g} ms"
    assert told["its set-up, all in all"] == f"{costs.set_up_ms:g} ms"
    sentence = f"{costs.sentence_ms:g} ms; deviates by {costs.spread:.0%}".replace("%", " %")
    assert told["a sentence, recognised"] == sentence
    assert told["voice activity, per second in which the caller may talk"] == f"{costs.ear_ms_s:g} ms"
    cores = {float(row[1]) for row in rows if re.fullmatch(r"[0-9]+[.][0-9]", row[1])}
    assert {round(each, 1) for _, each in plan.cores} | {round(plan.sum, 1)} <= cores
    assert f"{plan.machines} machines of 8 cores" in part and f"max_calls = {plan.max_calls}" in part


def test_one_caller_takes_one_machine() -> None:
    plan = planned(Demand(1), Costs(), Machines())
    assert (plan.machines, plan.max_calls, plan.media_processes) == (1, 1, 1)


def test_the_command_prints_it_and_takes_other_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capacity", "--callers", "500", "--sentence-ms", "200", "--plain", "--arrivals", "1000"]) == 0
    said = capsys.readouterr().out
    assert "cores for 500 callers at once" in said and "recognition, 62 sentences a second" in said
    assert said.count(" cores  ") == 6


@pytest.mark.parametrize(
    "words",
    [
        ["--load", "1"],
        ["--callers", "0"],
        ["--call-s", "0"],
        ["--arrivals", "1"],
        ["--bridged", "2"],
        ["--listening", "5"],
        ["--spare", "-3"],
        ["--spread", "-1"],
        ["--call-ms-s", "-1"],
        ["--ear-ms-s", "nan"],
    ],
)
def test_what_can_not_be_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capacity", *words]) == 2
    assert "Traceback" not in capsys.readouterr().err
