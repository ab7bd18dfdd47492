"""Memory of recogniser processes: ``python -m tests.bench.recogniser_memory [--recognitions 240] [--queues 40]``.

The listening worker forks them with their models loaded; what each further one costs is what it keeps for itself
after it has worked for a while: for callers with a queue each, at the open question and at a confirmation, in turns.
Printed: megabytes before, in mid-work at most, and after; CPU of a recognition; how soon one that is killed has a
successor. Aim: at most 80 MB for each further one, after the work.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ivr.config import SpeechConfig
from ivr.demo.line import ROOT
from ivr.events import Cause
from ivr.ports import SpeechGrammar
from ivr.speech.service import WorkerSpeechService
from tests.bench.process_tree import cpu_seconds, descendants
from tests.bench.turn_ends import states

AIM_MB = 80.0
_TITLES = 20
_TOGETHER = 4
TEXTS = (
    "Move {} to the top.",
    "Remove {} from my queue.",
    "What's next?",
    "Put {} at number three.",
    "No.",
    "I think it is about to rain.",
    "Yes please.",
    "Swap {} and {}.",
)


def memory_mb(pid: int, *fields: str) -> float:
    """Of a process, by the names that smaps_rollup has (proc(5)); in all."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    found = dict(row.split(":", 1) for row in rows if ":" in row.split()[0])
    return sum(int(found[field].split()[0]) for field in fields) / 1024


def own_mb(pid: int) -> float:
    """What would be free again without it: all that it shares with nobody."""
    return memory_mb(pid, "Private_Clean", "Private_Dirty")


def recognisers(listener: int) -> list[int]:
    """The worker's grandchildren: prefork forks them."""
    (prefork,) = [int(pid) for pid in Path(f"/proc/{listener}/task/{listener}/children").read_text().split()]
    return list(descendants(prefork))


def queues(asked: SpeechGrammar, count: int) -> Iterator[tuple[SpeechGrammar, list[str]]]:
    """The grammar as ``count`` callers have it, each with titles of their own."""
    films = next(values for name, values in asked.slots if name.endswith("film"))
    for number in range(count):
        mine = random.Random(number).sample(films, _TITLES)
        own = tuple(
            (name, tuple(mine) if name.split(".")[-1] in ("title", "other") else values) for name, values in asked.slots
        )
        yield replace(asked, key=f"{asked.key}-{number}", slots=own), mine


async def measured(recognitions: int, count: int, workers: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        grammars = [listen.grammar.speech for listen in (await states(Path(folder), "last")).values()]
        audio = ROOT / "audio"
        speech = WorkerSpeechService(SpeechConfig(workers=workers, recordings=audio, cache=Path(folder)))
        await speech.start()
        try:
            return await _worked(speech, grammars, recognitions, count, workers)
        finally:
            await speech.stop()


async def _worked(
    speech: WorkerSpeechService, grammars: list[SpeechGrammar], recognitions: int, count: int, workers: int
) -> bool:
    listener = speech.listener.worker.pid
    assert listener is not None
    while len(pids := recognisers(listener)) < workers:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.01)
    callers = [pair for grammar in grammars for pair in queues(grammar, count)]
    fresh = [own_mb(pid) for pid in pids]
    turns = iter(range(recognitions))
    most, heard, spoken_s = fresh[:], 0, 0.0
    began_s = sum(cpu_seconds(pid) for pid in pids)

    async def talk() -> None:
        nonlocal heard, spoken_s
        for turn in turns:
            grammar, titles = callers[(turn * 7) % len(callers)]
            text = TEXTS[turn % len(TEXTS)].format(*random.Random(turn).sample(titles, 2))
            clip = await speech.render(text, "en-US", keep=False)
            found = await speech.recognise(bytes(8000) + clip.pcm + bytes(8000), grammar)
            heard += found.cause is Cause.SUCCESS
            spoken_s += clip.seconds
            for index, pid in enumerate(pids):
                most[index] = max(most[index], own_mb(pid))

    await asyncio.gather(*(talk() for _ in range(_TOGETHER)))
    took_s = sum(cpu_seconds(pid) for pid in pids) - began_s
    worked = [own_mb(pid) for pid in pids]
    shared = [memory_mb(pid, "Pss") for pid in pids]
    print(
        f"{recognitions} recognitions of {spoken_s / recognitions:.1f} s under {len(callers)} grammars, {heard} heard"
    )
    for name, figures in (("own, fresh", fresh), ("own, most", most), ("own, after", worked), ("PSS, after", shared)):
        print(f"{name:12}" + "".join(f"{figure:8.1f} MB" for figure in figures))
    print(f"CPU of a recognition {1000 * took_s / recognitions:.0f} ms; load {os.getloadavg()[0]:.1f}")
    print(f"one that was killed had a successor after {1000 * await _succeeded(listener, pids[0]):.0f} ms")
    good = max(worked) <= AIM_MB
    print(f"aim of at most {AIM_MB:g} MB for each further one: {'met' if good else 'MISSED'}")
    return good


async def _succeeded(listener: int, pid: int) -> float:
    """Seconds until a process that is killed now has a successor."""
    before = set(recognisers(listener))
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while not set(recognisers(listener)) - before:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.001)
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recognitions", type=int, default=240)
    parser.add_argument("--queues", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    return 0 if asyncio.run(measured(options.recognitions, options.queues, options.workers)) else 1


if __name__ == "__main__":
    sys.exit(main())
