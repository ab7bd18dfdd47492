"""Turns a second of the reference scripts, beside the floor: the same events handled by a bare Dialogue.

A turn is one event that the dialogue handles. "cold" is the first run of a process (grammars are compiled), "warm" a
run after it, as in ``ivr flow test --watch``. Also how long the checker takes for a flow of a thousand states.
Run: ``python -m tests.bench.flow_scripts``.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ivr.dialogue.checker.check import check
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.engine.contract import DialogueEvent, Effect
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import read_directory
from ivr.reference import COMPANY
from ivr.workshop.scripts.model import read_script, script_files
from ivr.workshop.scripts.runner import Report, Runner, rehearse
from ivr.workshop.simulate import driver
from ivr.workshop.simulate.sandbox import Sandbox

FLOWS = Path(__file__).resolve().parents[2] / "flows"
ROUNDS = 7
WANTED = 2000
STATES = 1000


class Recorded(Dialogue):
    """Keeps what it was given, so that it can be given again without anything around it."""

    made: list[tuple[tuple[Any, ...], Mapping[str, Any], list[tuple[DialogueEvent | None, datetime]]]] = []  # noqa: RUF012

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._events: list[tuple[DialogueEvent | None, datetime]] = []
        Recorded.made.append((arguments, options, self._events))

    def begin(self, now: datetime) -> list[Effect]:
        self._events.append((None, now))
        return super().begin(now)

    def handle(self, event: DialogueEvent, now: datetime) -> list[Effect]:
        self._events.append((event, now))
        return super().handle(event, now)


def floor() -> tuple[int, float]:
    """The recorded events again, on bare dialogues: how many, and the seconds they took."""
    began, events = time.perf_counter(), 0
    for arguments, options, recorded in Recorded.made:
        dialogue = Dialogue(*arguments, **options)
        for event, now in recorded:
            if event is None:
                dialogue.begin(now)
            else:
                dialogue.handle(event, now)
                events += 1
    return events, time.perf_counter() - began


async def scripts() -> None:
    sandbox = Sandbox()
    cold = (await rehearse([FLOWS], None, sandbox))[0].report
    files = [read_script(path) for path in script_files([FLOWS])]
    library = loaded()
    runner = Runner(library, sandbox)
    await runner.run(files)
    warm = [await runner.run(files) for _ in range(ROUNDS)]
    assert cold.passed and all(report.passed for report in warm)
    with patch.object(driver, "Dialogue", Recorded):
        await runner.run(files)
    bare = statistics.median(events / seconds for events, seconds in (floor() for _ in range(ROUNDS)))
    typical = statistics.median(map(speed, warm))
    print(f"scripts: {len(cold.results)} calls, {cold.turns} turns a run")
    print(f"  cold    {speed(cold):8,.0f} turns/s   {speed(cold) / bare:5.2f} × floor")
    print(f"  warm    {typical:8,.0f} turns/s   {typical / bare:5.2f} × floor")
    print(f"  floor   {bare:8,.0f} turns/s   bare Dialogue.handle, same events")
    print(f"  warm is {typical / WANTED:.2f} × the {WANTED:,} turns/s wanted")


def speed(report: Report) -> float:
    return report.turns / report.seconds


def loaded() -> FlowLibrary:
    library = load_library(read_directory(FLOWS), COMPANY.all_signatures).library
    assert library is not None
    return library


def large(states: int) -> Mapping[str, str]:
    """The reference flows, and one flow of so many states in a chain of questions."""
    lines = ["flow: large", "start: s0", "intents:", "  onward: [go onward]", "states:"]
    lines += [
        f"  s{number}: {{prompt: Question {number}?, choices: "
        f"[{{intent: onward, key: 1, label: going onward, goto: s{number + 1}}}]}}"
        for number in range(states - 1)
    ]
    lines.append(f"  s{states - 1}: {{prompt: Thank you., end: done}}")
    universals = {
        name: text for name, text in read_directory(FLOWS).items() if name in ("universals.yaml", "human.yaml")
    }
    return {**universals, "large.yaml": "\n".join(lines) + "\n"}


def checker() -> None:
    sources, times, findings = large(STATES), [], 0
    for _ in range(3):
        began = time.perf_counter()
        library = load_library(sources, COMPANY.all_signatures).library
        assert library is not None
        findings = len(check(library, LineFacts()))
        times.append(time.perf_counter() - began)
    took = statistics.median(times)
    print(f"checker: a flow of {STATES:,} states in {took:.3f} s, {took:.2f} × the second wanted ({findings} findings)")


if __name__ == "__main__":
    asyncio.run(scripts())
    checker()
