"""The CPU of a short call: ``python -m tests.bench.short_calls [--rates 10 50 200] [--seconds 8] [--database URL]``.

SIPp calls a whole line (INVITE, 0.5 s of the welcome, BYE; journal, database, log and metrics on) and, as the floor
from the same minute, SIPp's own answering side, which plays nothing and keeps nothing. Milliseconds of CPU a call, by
process, depend less on how busy the machine is than times do; that, and the machine's pace (CPU milliseconds of a
fixed piece of work), is printed beside them: compare only rows of the same pace. A line that can't keep up writes its
journal and ends its calls seconds later: that is waited for, and counted. Aim: 5 ms at 50 a second and above,
no call lost.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ivr.demo.line import LineSetup, RunningLine
from tests.bench.figures import Figure, tell
from tests.bench.process_tree import LINE, Spent, Watch, pace, spent_when_settled
from tests.wire.sipp import SippResult, start_sipp

SCENARIO = Path(__file__).with_name("uac_listens.xml")
AIM_MS = 5.0
AIM_FROM = 50.0  # calls a second
HOLD_MS = 500
QUIET = "talkers = 2000"  # nobody says a word: who is on the line is no load for recognition
WARM = 20  # calls, before anything is counted


@dataclass(frozen=True, slots=True)
class Offered:
    """So many calls at this rate, to HOST:PORT of the process ``pid``."""

    target: str
    pid: int
    rate: float
    calls: int


async def call(offered: Offered, folder: Path, media_port: int) -> tuple[SippResult, Spent]:
    folder.mkdir(parents=True, exist_ok=True)
    ports = folder / "ports.csv"
    ports.write_text(f"SEQUENTIAL\n{media_port};\n")
    sipp = await start_sipp(
        SCENARIO,
        folder,
        target=offered.target,
        calls=offered.calls,
        rate=offered.rate,
        deadline_s=offered.calls / offered.rate + 30,
        options=["-inf", str(ports), "-d", str(HOLD_MS)],
        traces=("stat", "err"),
    )
    watch = Watch.on(offered.pid, sipp.process.pid)
    try:
        result = await sipp.result()
        return result, await spent_when_settled(watch)
    finally:
        await sipp.stop()


def row(who: str, offered: Offered, result: SippResult, spent: Spent) -> str:
    each = {role: 1000 * seconds / offered.calls for role, seconds in spent.seconds.items()}
    parts = "  ".join(f"{role} {ms:.2f}" for role, ms in each.items() if len(each) > 1)
    return (
        f"{who:8} {offered.rate:4g}/s  {1000 * spent.together / offered.calls:6.2f} ms a call  {parts:58}"
        f" {result.successful} of {offered.calls}; load {spent.load:.1f}, others had {spent.others_cores:.2f} cores"
    )


async def measure(rates: list[float], seconds: float, database: str) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="ivr-short-"))
    met = True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        port = int(sink.getsockname()[1])
        floor = await start_sipp("uas", folder / "uas", calls=1_000_000, deadline_s=600, traces=("err",))
        try:
            setup = LineSetup(folder / "line", max_calls=2000, speech=QUIET, database=database)
            async with RunningLine.running(setup) as line:
                await call(Offered(line.sip, line.process.pid, 10.0, WARM), folder / "warm", port)
                for rate in rates:
                    calls = round(rate * seconds)
                    offered = Offered(line.sip, line.process.pid, rate, calls)
                    before = pace()
                    result, spent = await call(offered, folder / f"line-{rate:g}", port)
                    print(row("the line", offered, result, spent), flush=True)
                    print(f"{'':8} the machine's pace: {before:.0f} ms before, {pace():.0f} ms after", flush=True)
                    aim_missed = rate >= AIM_FROM and 1000 * spent.together / calls > AIM_MS
                    met = met and not aim_missed and result.successful == calls
                    name, aim = f"CPU of a short call at {rate:g}/s", AIM_MS if rate >= AIM_FROM else None
                    each = 1000 * spent.together / calls
                    tell(Figure(name, each, "ms", aim, neighbours=spent.others_cores, note=f"pace {before:.0f} ms"))
                    if result.failed:
                        print(result.errors[-800:])
                    offered = Offered(f"{floor.host}:{floor.port}", floor.process.pid, rate, calls)
                    result, spent = await call(offered, folder / f"uas-{rate:g}", port)
                    spent = Spent({LINE: spent.together}, spent.others_cores, spent.load)
                    print(row("SIPp", offered, result, spent), flush=True)
                    each = 1000 * spent.together / calls
                    tell(Figure(f"SIPp: {name}", each, "ms", neighbours=spent.others_cores))
        finally:
            await floor.stop()
    print(f"aim of {AIM_MS:g} ms at {AIM_FROM:g}/s and above, no call lost: {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[10.0, 50.0, 100.0, 200.0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each rate")
    parser.add_argument("--database", default="", help="a URL; its own SQLite file without")
    options = parser.parse_args()
    return 0 if asyncio.run(measure(options.rates, options.seconds, options.database)) else 1


if __name__ == "__main__":
    sys.exit(main())
