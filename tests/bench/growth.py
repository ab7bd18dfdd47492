"""How the line grows: ``python -m tests.bench.growth [--calls 1 100 …] [--talkers 1 20 …] [--json FILE] [--svg FILE]``.

First so many calls that listen, then so many callers who say a sentence every eight seconds, each load on a line of its
own that has just begun, with log, journal, metrics (scraped) and call detail records on: first sound, answer, gaps
between packets, CPU and memory by process, and beside them what everybody else on the machine took. Where it stops
being as good as promised is the knee; the report says why by its own figures. Refusing (503) is no fault: who is taken
has to be served.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ivr.demo.line import LineSetup, RunningLine
from ivr.softphone.voices import CallerVoice
from tests.bench import growth_plot
from tests.bench.figures import Figure, tell
from tests.bench.knee import ANSWER_P95_S, GAP_P99_MS, MOST_ANSWER_S, MOST_SILENCE_S, Point, complaints, cost, knee
from tests.bench.line_load import first_sounds, in_use, load, without_record
from tests.bench.process_tree import memory_mb, settled
from tests.bench.rtp_sinks import Sinks
from tests.bench.talkers import EVERY_S, NUMBERS, RAMP_S, TALKERS_A_CORE, TEXTS, measured, murmur, sentence
from tests.bench.talking_callers import Plan
from tests.bench.waits import Waits

CALLS = (1, 50, 100, 200, 300, 400, 500, 600)
TALKERS = (1, 20, 40, 80, 120, 160, 200)
CALL_RATE = 50.0  # new ones a second
CALL_S = 10.0
TALK_S = 50.0
CALL_CPU_MS, FROM_CALLS = 1.6, 100  # a call-second; with fewer it is mostly what a line takes without any


async def calls_point(calls: int, seconds: float) -> Point:
    """They listen, and never talk. Of a call without its detail record the line was not what it is said to be."""
    folder = Path(tempfile.mkdtemp(prefix="ivr-growth-"))
    with Sinks.open(calls) as sinks:
        async with RunningLine.running(in_use(folder / "line", calls)) as line:
            await settled(line.process.pid)
            report, spent, sipp = await load(line, sinks, seconds, folder, CALL_RATE)
            memory = memory_mb(line.process.pid)
    unrecorded = without_record(line, sipp.successful)
    return Point(
        kind="calls",
        offered=calls,
        taken=sipp.successful,
        refused=0,
        lost=max(calls - sipp.successful, report.silent_calls) + unrecorded,
        sound=Waits.of(first_sounds(report, sipp)),
        answer=Waits.of(()),
        gap_ms=report.p99,
        missing=report.missing,
        cores=spent.cores,
        memory_mb=memory,
        callers_cores=spent.own_cores,
        neighbours=spent.others_cores,
        load=spent.load,
    )


async def talkers_point(plan: Plan) -> Point:
    folder = Path(tempfile.mkdtemp(prefix="ivr-growth-"))
    heard, spent, memory, _ = await measured(plan, LineSetup(folder, max_calls=plan.callers + 10))
    answers = [turn.answer_s for turn in heard.turns if turn.answer_s is not None]
    sounds = [turn.sound_s for turn in heard.turns if turn.sound_s is not None]
    return Point(
        kind="talkers",
        offered=plan.callers,
        taken=heard.talked,
        refused=sum(heard.refused.values()),
        lost=heard.unanswered,
        sound=Waits.of(sounds),
        answer=Waits.of(answers),
        gap_ms=None,
        missing=0,
        cores=spent.cores,
        memory_mb=memory,
        callers_cores=spent.own_cores,
        neighbours=spent.others_cores,
        load=spent.load,
    )


def told(point: Point) -> str:
    """A line of the table."""
    gaps = f"  gap p99 {point.gap_ms:5.2f} ms, missing {point.missing}" if point.gap_ms is not None else ""
    answer = f"  answer {point.answer}" if point.answer.count else ""
    parts = "  ".join(f"{role} {used:.2f}" for role, used in sorted(point.cores.items()))
    return (
        f"{point.offered:4} {point.kind}: taken {point.taken}, refused {point.refused}, lost {point.lost}"
        f"  first sound {point.sound}{answer}{gaps}\n{'':14}cores: {parts}, together {point.used:.2f};"
        f" memory {sum(point.memory_mb.values()):.0f} MB; callers' programs {point.callers_cores:.2f},"
        f" neighbours {point.neighbours:.2f}, load {point.load:.1f}"
    )


def met(points: Sequence[Point], cores: int) -> list[str]:
    """What the promises are broken by: calls at each load, talkers up to what the machine is meant for at p95, and at
    each load nobody who was taken waits long."""
    missed = []
    for point in points:
        if point.kind == "calls":
            missed += [f"{point.offered} calls: {what}" for what in complaints(point)]
            if point.offered >= FROM_CALLS and _call_ms(point) > CALL_CPU_MS:
                missed.append(f"{point.offered} calls: {_call_ms(point):.2f} ms of CPU a call-second")
            continue
        meant = point.offered <= TALKERS_A_CORE * cores
        if point.lost or point.sound.worst > MOST_SILENCE_S or point.answer.worst > MOST_ANSWER_S:
            missed += [
                f"{point.offered} talkers: {what}" for what in complaints(point) if not what.startswith("answers")
            ]
        if meant and point.answer.p95 > ANSWER_P95_S:
            missed.append(f"{point.offered} talkers: answers p95 {point.answer.p95:.2f} s")
        if not point.answer.count:
            missed.append(f"{point.offered} talkers: nobody got an answer")
    return missed


def _call_ms(point: Point) -> float:
    return 1000 * point.used / point.offered


def figures(points: Sequence[Point], cores: int) -> list[Figure]:
    """The ends of both curves, beside their aims."""
    found = []
    for kind in ("calls", "talkers"):
        mine = [point for point in points if point.kind == kind]
        if not mine:
            continue
        last, where = mine[-1], knee(mine, cores)
        note = f"load {last.load:.1f}"
        most = f"at {last.offered} {kind}"
        if kind == "calls" and last.gap_ms is not None:
            each, aim = _call_ms(last), CALL_CPU_MS if last.offered >= FROM_CALLS else None
            found += [
                Figure(f"gap p99 {most}", last.gap_ms, "ms", GAP_P99_MS, neighbours=last.neighbours, note=note),
                Figure(f"CPU of a call-second {most}", each, "ms", aim, neighbours=last.neighbours, note=note),
                Figure(f"first sound p95 {most}", last.sound.p95, "s", 1.0, neighbours=last.neighbours, note=note),
                Figure(f"memory {most}", sum(last.memory_mb.values()), "MB", note=note),
            ]
        if kind == "talkers":
            meant = [point for point in mine if point.offered <= TALKERS_A_CORE * cores]
            if meant:
                most_meant = meant[-1]
                name = f"answer p95 at {most_meant.offered} talkers"
                p95 = most_meant.answer.p95
                found.append(Figure(name, p95, "s", ANSWER_P95_S, neighbours=most_meant.neighbours, note=note))
            found += [
                Figure(f"longest silence {most}", last.sound.worst, "s", MOST_SILENCE_S, neighbours=last.neighbours),
                Figure(f"longest answer {most}", last.answer.worst, "s", MOST_ANSWER_S, neighbours=last.neighbours),
                Figure(f"CPU of a talker-second {most}", 1000 * cost(mine), "ms", neighbours=last.neighbours),
            ]
        found.append(Figure(f"knee of {kind}", where.at or last.offered, kind if where.at else f"{kind}, none found"))
    return found


def about() -> str:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"{machine}, load {os.getloadavg()[0]:.1f} before; each load is a line of its own"


def drawn(points: Sequence[Point], cores: int, where: str) -> str:
    columns = []
    for kind, column in (("calls", growth_plot.calls_column), ("talkers", growth_plot.talkers_column)):
        if mine := [point for point in points if point.kind == kind]:
            columns.append(column(mine, knee(mine, cores)))
    return growth_plot.svg(columns, where)


def as_data(points: Sequence[Point], cores: int, where: str) -> dict[str, Any]:
    knees = {}
    for kind in ("calls", "talkers"):
        if mine := [point for point in points if point.kind == kind]:
            found = knee(mine, cores)
            knees[kind] = {"good": found.good, "at": found.at, "words": list(found.words)}
    return {"cores": cores, "about": where, "knees": knees, "points": [point.as_json() for point in points]}


def measure(calls: Sequence[int], talkers: Sequence[int], call_s: float, talk_s: float) -> list[Point]:
    points = []
    for number in calls:
        points.append(asyncio.run(calls_point(number, call_s)))
        print(told(points[-1]), flush=True)
    if talkers:
        voice = CallerVoice("joe")
        plan = Plan(
            line=("", 0),
            callers=1,
            seconds=talk_s,
            every_s=EVERY_S,
            ramp_s=min(RAMP_S, talk_s / 5),
            numbers=NUMBERS,
            sentences=[sentence(voice, text) for text in TEXTS],
            murmur=asyncio.run(murmur()),
        )
        for number in talkers:
            points.append(asyncio.run(talkers_point(plan.of(number))))
            print(told(points[-1]), flush=True)
    return points


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="*", default=CALLS)
    parser.add_argument("--talkers", type=int, nargs="*", default=TALKERS)
    parser.add_argument("--call-seconds", type=float, default=CALL_S, help="that each load of calls is listened to")
    parser.add_argument("--talk-seconds", type=float, default=TALK_S, help="that each load of talkers talks")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--from-json", type=Path, metavar="FILE", help="of an earlier run: draw and judge that")
    options = parser.parse_args()
    cores, where = os.cpu_count() or 1, about()
    if options.from_json:
        earlier = json.loads(options.from_json.read_text(encoding="utf-8"))
        points, cores = [Point.from_json(each) for each in earlier["points"]], earlier["cores"]
        where = earlier["about"]
    else:
        points = measure(sorted(options.calls), sorted(options.talkers), options.call_seconds, options.talk_seconds)
    tell(*figures(points, cores))
    data = as_data(points, cores, where)
    for kind, found in data["knees"].items():
        print(f"\n{kind}: " + " ".join(found["words"]))
    if options.json:
        options.json.write_text(json.dumps(data, indent=1), encoding="utf-8")
    if options.svg:
        options.svg.write_text(drawn(points, cores, where), encoding="utf-8")
    missed = met(points, cores)
    print("\naims: " + ("met" if not missed else "MISSED: " + "; ".join(missed)))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
