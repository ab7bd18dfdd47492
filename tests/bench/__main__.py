"""Everything that is measured, in one go: ``make bench``, ``python -m tests.bench [--quick] [--list] [NAME …]``.

Each bench is a module of this folder that prints its figures beside their floor or aim. In the end there is one table,
the same as JSON, and the growth plot. Ends with 1 where an aim was missed or a bench failed, with 0 where all were met.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.bench.figures import FILE, told
from tests.bench.process_tree import machine_seconds
from tests.bench.report import Report, Run, markdown, write

EPILOG = """\
what comes out:
  FOLDER/bench.md     the table: every figure, its aim, whether it was met, what neighbours had meanwhile
  FOLDER/bench.json   the same for programs
  FOLDER/growth.svg   1 to 600 calls, 1 to 200 talkers: first sound, answer, CPU, memory; where the knee is, and why
  FOLDER/NAME.txt     what each bench said

how to read it:
  "neighbours" are cores that everybody else on the machine had: all that was worked, less the bench's own. They decide
  more than the line does: compare only runs in which they are alike, and believe an aim that was missed beside busy
  neighbours only after a run without. Nothing is retried, nothing left out that came out badly.
  Peers (SIPp's own answering side, pyVoIP, pipecat-ai) are measured in the same run by the same callers. `make bench`
  installs them; what is not there is named in the table's foot, and the rest goes on.

examples:
  make bench                                     everything; see --list for how long that takes
  make bench BENCH="--quick"                     the short run, in a few minutes: does it work, not how well
  python -m tests.bench growth peers             two of them, whole
  python -m tests.bench --quick spoken_calls     a short run of one
  python -m tests.bench.growth --help            what one of them can be told
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """``seconds``: how long it should take on a quiet machine of two cores; ``quick``: arguments of a short run, None
    where a short run of all goes without it; ``short``: those of a short run of it alone."""

    about: str
    seconds: int
    quick: tuple[str, ...] | None = None
    short: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


BENCHES = {
    "growth": Bench(
        "1 to 600 calls, 1 to 200 talkers: first sound, answer, CPU, memory, the knee",
        700,
        ("--calls", "1", "40", "--talkers", "2", "10", "--call-seconds", "3", "--talk-seconds", "15"),
        arguments=("--json", "{out}/growth.json", "--svg", "{out}/growth.svg"),
    ),
    "peers": Bench(
        "the same callers and SIPp's answering side, pyVoIP, pipecat-ai",
        950,
        ("--calls", "10", "--hold", "4", "--talkers", "1", "--turns", "3", "--one"),
        arguments=("--pipecat", "{pipecat}"),
    ),
    "short_calls": Bench(
        "CPU of a call that hangs up at once, by process, against its aim and SIPp's own answering side",
        60,
        ("--rates", "10", "--seconds", "3"),
    ),
    "telemetry": Bench("what measuring a call costs: metrics, its detail record, its spans", 10, ("--quick",)),
    "leg_ticks": Bench("what a leg costs the media process a tick, both ways", 15, ("--seconds", "2")),
    "media_pacing": Bench(
        "how evenly the media process sends, against a bare timer loop", 30, ("--legs", "50", "--seconds", "3")
    ),
    "media_relay": Bench(
        "what a bridge adds to the delay of a voice, relayed and mixed", 40, short=("--bridges", "10", "--seconds", "3")
    ),
    "srtp_legs": Bench(
        "what SRTP costs, by suite, beside plain legs of the same round, against its aim",
        200,
        short=("--legs", "20", "--seconds", "3", "--rounds", "1"),
    ),
    "line_load": Bench(
        "100 calls to a whole line, against a bare timer loop", 60, short=("--calls", "30", "--seconds", "5")
    ),
    "turn_ends": Bench(
        "how soon turns end, and how often too soon, against the aims", 240, short=("--every", "12", "--snr", "clean")
    ),
    "spoken_calls": Bench(
        "reorders spoken in real calls: right ends and waits, against the aims", 660, short=("--sentences", "3")
    ),
    "barge_in": Bench("what stops a prompt: callers at once, its own echo and noise never", 120),
    "barge_in_calls": Bench("keys and speech over prompts, on the wire, against the aims", 260, short=("--calls", "1")),
    "speech_accuracy": Bench("constrained recognition, against free transcription", 120, short=("--count", "8")),
    "recogniser_memory": Bench(
        "what a further recogniser keeps for itself after work, against its aim", 60, short=("--recognitions", "40")
    ),
    "dialogue_turns": Bench("turns a second the dialogue takes, against its goal", 15, ()),
    "long_vocabulary": Bench("what 5,000 entries cost a turn, against 150; how long a refresh holds the loop", 5),
    "paraphrases": Bench("typed sentences that no phrase lists, with the sentence embedding and without", 20, ()),
    "flow_check": Bench("loading and proving a flow of a thousand states, against parsing alone", 30, short=("300",)),
    "flow_scripts": Bench("the flows' own tests and their checker", 15),
    "flow_reload": Bench("new versions of the flows going live beside calls", 30),
    "browser_legs": Bench(
        "agents' browsers joined with callers, against plain legs", 40, short=("--pairs", "5", "--seconds", "3")
    ),
    "line_pairing": Bench(
        "pairing callers with agents on both databases, against its aim", 60, short=("--count", "50", "--seconds", "5")
    ),
    "journal_commits": Bench(
        "commits, rows and log on PostgreSQL that calls cost, gathered and each by itself, against the aim",
        170,
        short=("--calls", "40", "--rate", "4", "--hold", "8"),
    ),
    "media_death": Bench(
        "30 calls, media killed again and again: how soon all go on, both ways, against the aim",
        45,
        short=("--calls", "8", "--agents", "2", "--deaths", "1"),
    ),
    "own_restart": Bench(
        "a line that is alone, killed in mid-call: when it answers again and its calls go on, and what its start takes",
        60,
        short=("--calls", "2", "--restarts", "1"),
    ),
    "takeover": Bench(
        "40 calls of two lines, one killed: how soon its calls go on in the other; a drain, a return, against the aims",
        90,
        short=("--agents", "2", "--waiting", "2", "--speaking", "4"),
    ),
    "desk_latency": Bench(
        "from key 0 to a ringing phone, from answering to talking, and pages that go, against their aims",
        120,
        short=("--count", "2"),
    ),
}
ALONE = {  # its figures are among another's: only where it is named
    "talkers": Bench(
        "callers who talk to a whole line, against the aims (also in growth)",
        75,
        short=("--callers", "10", "--seconds", "25"),
    ),
}


def run(name: str, arguments: Sequence[str], out: Path) -> Run:
    """Shown while it runs, and kept in ``out``."""
    figures = out / f"{name}.figures"
    figures.unlink(missing_ok=True)
    began, worked, own = time.monotonic(), machine_seconds()[0], _own_seconds()
    said = []
    with (
        (out / f"{name}.txt").open("w", encoding="utf-8") as file,
        subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.{name}", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, FILE: str(figures.resolve()), "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip())
            file.write(line)
            print(f"  {line}", end="", flush=True)
    took = time.monotonic() - began
    neighbours = (machine_seconds()[0] - worked - (_own_seconds() - own)) / took
    found = told(figures)
    figures.unlink(missing_ok=True)
    return Run(name, process.returncode, took, max(0.0, neighbours), os.getloadavg()[0], said, found)


def _own_seconds() -> float:
    """Of this process, and of all that it started and that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def chosen(names: Sequence[str], quick: bool) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """What runs, with its arguments, and what a short run goes without."""
    known = BENCHES | ALONE
    plan, left_out = {}, []
    for name in names or BENCHES:
        bench = known[name]
        if not quick:
            plan[name] = bench.arguments
        elif bench.quick is not None or names:
            plan[name] = (*(bench.quick or bench.short), *bench.arguments)
        else:
            left_out.append(name)
    return plan, left_out


def minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    made = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, epilog=EPILOG, formatter_class=raw
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="only these; --list names them")
    made.add_argument("--list", action="store_true", help="what there is to measure, and how long each takes")
    made.add_argument("--quick", action="store_true", help="a short run: does it work, not how well")
    made.add_argument("--out", type=Path, default=Path("bench-out"), metavar="FOLDER", help="default: bench-out")
    peers = Path(sys.prefix) / "peers" / "bin" / "python"
    told_of = "of the environment that has pipecat-ai; default: what `make bench` made"
    made.add_argument("--pipecat", type=Path, default=peers, metavar="PYTHON", help=told_of)
    return made


def listing() -> str:
    whole = sum(bench.seconds for bench in BENCHES.values())
    rows = [f"{name:16} {minutes(bench.seconds):>6}  {bench.about}" for name, bench in (BENCHES | ALONE).items()]
    return "\n".join([*rows, f"{'together':16} {minutes(whole):>6}  as reckoned for a quiet machine of two cores"])


def main(argv: Sequence[str] | None = None) -> int:
    made = parser()
    options = made.parse_args(argv)
    known = BENCHES | ALONE
    if options.list:
        print(listing())
        return 0
    if unknown := [name for name in options.names if name not in known]:
        made.error(f"no such bench: {', '.join(unknown)}; there are {', '.join(known)}")
    options.out.mkdir(parents=True, exist_ok=True)
    places = {"out": str(options.out), "pipecat": str(options.pipecat)}
    plan, left_out = chosen(options.names, options.quick)
    began, runs = time.monotonic(), []
    (options.out / "growth.json").unlink(missing_ok=True)  # of an earlier run
    stopped = False
    try:
        for number, (name, arguments) in enumerate(plan.items(), 1):
            usual = "" if options.quick else f", about {minutes(known[name].seconds)}"
            print(f"\n=== {number} of {len(plan)}, {name}{usual}: {known[name].about}", flush=True)
            runs.append(run(name, [part.format(**places) for part in arguments], options.out))
            so_far = minutes(time.monotonic() - began)
            print(f"--- {name}: {runs[-1].verdict} in {minutes(runs[-1].seconds)}; {so_far} so far", flush=True)
    except KeyboardInterrupt:
        stopped = True
    grown = options.out / "growth.json"
    about = {
        "run": datetime.now().astimezone().isoformat(timespec="minutes"),
        "kind": ("short: does it work, not how well" if options.quick else "whole") + ", stopped" * stopped,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "Python": platform.python_version(),
        "took": minutes(time.monotonic() - began),
    }
    growth = json.loads(grown.read_text(encoding="utf-8")) if grown.exists() else {}
    report = Report(runs, about, left_out, growth)
    print(f"\n{markdown(report)}")
    print("written: " + ", ".join(map(str, [*write(report, options.out), *options.out.glob("growth.svg")])))
    return 130 if stopped else 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
