"""All measurements, one after the other: ``python -m tests.bench [--list] [--quick] [NAME…]``.

Each is a module of this folder that prints its numbers beside their floor or aim, and fails when it misses the aim.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bench:
    about: str
    quick: tuple[str, ...] = ()  # arguments for a short run


BENCHES = {
    "dialogue_turns": Bench("turns a second the dialogue takes, against its goal"),
    "paraphrases": Bench("typed sentences that no phrase lists, with the sentence embedding and without"),
    "flow_check": Bench("loading and proving a flow of a thousand states, against parsing alone", ("300",)),
    "flow_scripts": Bench("the flows' own tests and their checker"),
    "flow_reload": Bench("new versions of the flows going live beside calls"),
    "media_pacing": Bench(
        "how evenly the media process sends, against a bare timer loop", ("--legs", "50", "--seconds", "4")
    ),
    "media_relay": Bench(
        "what a bridge adds to the delay of a voice, relayed and mixed", ("--bridges", "10", "--seconds", "3")
    ),
    "browser_legs": Bench(
        "agents' browsers joined with callers, against plain legs", ("--pairs", "5", "--seconds", "3")
    ),
    "line_pairing": Bench(
        "pairing callers with agents on both databases, against its aim", ("--count", "50", "--seconds", "5")
    ),
    "desk_latency": Bench(
        "from key 0 to a ringing phone, from answering to talking, and pages that go, against their aims",
        ("--count", "2"),
    ),
    "line_load": Bench("100 calls to a whole line, against a bare timer loop", ("--calls", "30", "--seconds", "5")),
    "talkers": Bench("callers who talk to a whole line, against the aims", ("--callers", "10", "--seconds", "25")),
    "short_calls": Bench(
        "CPU of a call that hangs up at once, by process, against its aim and SIPp's own answering side",
        ("--rates", "10", "--seconds", "4"),
    ),
    "speech_accuracy": Bench("constrained recognition, against free transcription", ("--count", "8")),
    "turn_ends": Bench(
        "how soon turns end, and how often too soon, against the aims", ("--every", "12", "--snr", "clean")
    ),
    "barge_in": Bench("what stops a prompt: callers at once, its own echo and noise never"),
    "barge_in_calls": Bench("keys and speech over prompts, on the wire, against the aims", ("--calls", "1")),
    "spoken_calls": Bench(
        "reorders spoken in real calls: right ends and waits, against the aims", ("--sentences", "3")
    ),
}


def run(name: str, quick: bool) -> bool:
    bench = BENCHES[name]
    print(f"\n=== {name}: {bench.about}", flush=True)
    began = time.monotonic()
    arguments = bench.quick if quick else ()
    status = subprocess.run([sys.executable, "-m", f"tests.bench.{name}", *arguments], check=False).returncode
    print(
        f"--- {name}: {'done' if not status else f'FAILED ({status})'} in {time.monotonic() - began:.0f} s", flush=True
    )
    return not status


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--list", action="store_true", help="what there is to measure")
    parser.add_argument("--quick", action="store_true", help="short runs: does it work, not how well")
    options = parser.parse_args()
    if options.list:
        for name, bench in BENCHES.items():
            print(f"{name:16} {bench.about}")
        return 0
    if unknown := [name for name in options.names if name not in BENCHES]:
        parser.error(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    missed = [name for name in options.names or BENCHES if not run(name, options.quick)]
    print(f"\n{'all aims met' if not missed else 'missed or failed: ' + ', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
