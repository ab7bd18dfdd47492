"""Simultaneous calls to a whole line: ``python -m tests.bench.line_load [--calls 100] [--seconds 15]``.

SIPp's user agent places the calls; their audio goes to far ends of ours, which take the kernel's time of each packet
and talk back, so all calls hear the prompts of the flows that ship. The line is as one in use: with log, journal and
database, call detail records, and metrics that are scraped. Beside it stands the floor from the same minute: a bare
timer loop that sends as many packets. Aim: gap p99 under 30 ms, no call lost, none without its record.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

from aiohttp import ClientSession
from watchfiles import awatch

from ivr.demo.line import LineSetup, RunningLine
from ivr.media.description import callers_served
from ivr.media.placement import LEGS
from tests.bench.figures import Figure, tell
from tests.bench.process_tree import Spent, Watch
from tests.bench.rtp_sinks import Report, Sinks, bare_loop
from tests.wire.sipp import SippResult, start_sipp

SCENARIO = Path(__file__).with_name("uac_listens.xml")
AIM_P99_MS = 30.0
RECORDS = "cdr.jsonl"
RATE = 20.0  # calls a second
SCRAPE_S = 5.0  # thrice as often as Prometheus would


async def floor(sinks: Sinks, seconds: float) -> tuple[Report, float]:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        await loop.run_in_executor(pool, os.getpid)  # started before it is measured
        sinks.begin()
        cpu = await loop.run_in_executor(pool, bare_loop, list(sinks.ports), seconds)
    return sinks.end(), cpu


def first_sounds(report: Report, sipp: SippResult) -> list[float]:
    """Seconds from each INVITE to the first sound of that call."""
    told = [line.split() for line in sipp.logged.splitlines()]
    invited = {int(w[1]): float(w[2]) + float(w[3]) / 1e6 for w in told if len(w) == 4 and w[0] == "invited"}
    return [at - invited[port] for port, at in report.heard_at.items() if port in invited]


def in_use(folder: Path, calls: int) -> LineSetup:
    """A line for so many calls, with the media processes that it would have as shipped. None of them talks: the limit
    of those who might is out of the way."""
    processes = max(1, min(os.cpu_count() or 1, math.ceil(calls / callers_served(LEGS))))
    records = f'[cdr]\npath = "{folder / RECORDS}"'
    speech = f"talkers = {calls + 10}"
    return LineSetup(folder, max_calls=calls + 10, media_processes=processes, speech=speech, extra=records)


async def scraped(line: RunningLine) -> None:
    """Until cancelled."""
    async with ClientSession() as session:
        while True:
            async with session.get(f"{line.http}/metrics", raise_for_status=True) as answer:
                await answer.read()
            await asyncio.sleep(SCRAPE_S)


def without_record(line: RunningLine, calls: int) -> int:
    """How many of so many calls that have ended left no call detail record."""
    file = line.setup.folder / RECORDS
    return calls - len(file.read_text().splitlines()) if file.exists() else calls


async def load(
    line: RunningLine, sinks: Sinks, seconds: float, folder: Path, rate: float = RATE
) -> tuple[Report, Spent, SippResult]:
    calls = len(sinks.ports)
    ports = folder / "ports.csv"
    ports.write_text("SEQUENTIAL\n" + "".join(f"{port};\n" for port in sinks.ports))
    ramp = calls / rate
    hold_ms = round((ramp + seconds + 3) * 1000)
    sipp = await start_sipp(
        SCENARIO,
        folder,
        target=line.sip,
        calls=calls,
        rate=rate,
        deadline_s=2 * ramp + seconds + 40,
        options=["-inf", str(ports), "-d", str(hold_ms)],
    )
    try:
        with suppress(TimeoutError):  # those that are missing are counted at the end
            async with asyncio.timeout(ramp + 15):
                async for _ in awatch(line.setup.folder, rust_timeout=300, yield_on_timeout=True):
                    if (await line.get("/api/calls?live=true&limit=1"))["totals"]["live"] >= calls:
                        break
        watch = Watch.on(line.process.pid, sipp.process.pid, sinks.pid)
        sinks.begin()
        async with asyncio.TaskGroup() as tasks:
            scrapes = tasks.create_task(scraped(line))
            await asyncio.sleep(seconds)
            scrapes.cancel()
        spent = watch.spent()  # before all that came is looked through
        return sinks.end(), spent, await sipp.result()
    finally:
        await sipp.stop()


async def measure(calls: int, seconds: float) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="ivr-load-"))
    with Sinks.open(calls) as bare, Sinks.open(calls) as sinks:
        floor_report, floor_cpu = await floor(bare, seconds)
        async with RunningLine.running(in_use(folder / "line", calls)) as line:
            report, cpu, sipp = await load(line, sinks, seconds, folder)
        unrecorded = without_record(line, sipp.successful)
    span, line_span = calls * seconds, calls * cpu.took_s
    lost = calls - sipp.successful + report.silent_calls
    print(
        f"{calls} calls for {seconds:g} s on {os.cpu_count()} cores; {report.audible:.0%} of the packets were prompts"
    )
    print(f"{floor_report.line('bare loop')}   CPU {1000 * floor_cpu / span:.2f} ms per call-second")
    print(f"{report.line('the line')}")
    parts = "  ".join(f"{name} {1000 * used / line_span:.2f}" for name, used in cpu.seconds.items())
    total = cpu.together
    print(f"{'':14} CPU in ms per call-second: {parts}  together {1000 * total / line_span:.2f}")
    print(f"{'':14} load {cpu.load:.1f}, others had {cpu.others_cores:.2f} cores")
    print(f"{'':14} calls lost: {lost} of {calls}" + (f"\n{sipp.errors[-800:]}" if lost else ""))
    if unrecorded:
        print(f"{'':14} calls without a detail record: {unrecorded}")
    ratio_p99, ratio_cpu = report.p99 / max(floor_report.p99, 1e-9), total / max(floor_cpu, 1e-9)
    others = cpu.others_cores
    tell(
        Figure(f"gap p99 of {calls} calls", report.p99, "ms", AIM_P99_MS, neighbours=others),
        Figure(f"CPU of a call-second at {calls} calls", 1000 * total / line_span, "ms", neighbours=others),
        Figure("calls lost", lost, "", 0, neighbours=others),
        Figure("calls without a detail record", unrecorded, "", 0, neighbours=others),
    )
    met = report.p99 < AIM_P99_MS and not lost and not report.missing and not unrecorded
    print(
        f"p99 gap {ratio_p99:.2f} x the floor, CPU {ratio_cpu:.1f} x;"
        f" aim of {AIM_P99_MS:g} ms, nothing lost: {'met' if met else 'MISSED'}"
    )
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    return 0 if asyncio.run(measure(options.calls, options.seconds)) else 1


if __name__ == "__main__":
    sys.exit(main())
