"""A line that is alone, on SQLite, is killed and started again: ``python -m tests.bench.own_restart [--calls 10]``.

``--restarts`` times over: kill -9 in mid-call, the same command at once, as a supervisor would. How long until the line
answers, until each call goes on both ways, and where the start's time went: CPU by process, and the steps, from the
command to what the log tells of. The line is warm: its prompts are rendered, its flows were checked, its Python is
compiled. Aims: it answers 2.5 s after the command; its calls go on within 5 s of the death. A start takes some CPU on
two cores: beside busy neighbours it takes as much longer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from ivr.demo.line import LineSetup, RunningLine
from tests.bench.figures import Figure, tell
from tests.bench.process_tree import LINE, cpu_seconds, machine_seconds, roles, settled
from tests.wire.line.watching import dialogs_kept, until
from tests.wire.ports import free_port
from tests.wire.takeover.cluster import CALLER_SAYS
from tests.wire.takeover.telephone import Telephone

AIM_S, START_AIM_S = 5.0, 2.5
WITHIN_S = 60.0
STILL_S = 1.0  # no line starts sooner
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}  # as where it was installed
NUMBER = 5035553000


@dataclass(frozen=True, slots=True)
class Restart:
    """Seconds from the death: until it ``answers``, until each call goes on (None: it did not). ``start``: seconds from
    the command to the answer; ``cpu``: of the start, by process; ``steps``: when each began, seconds from the death."""

    answers: float
    start: float
    calls: Sequence[float | None]
    cpu: dict[str, float]
    steps: Sequence[tuple[float, str]]
    others_cores: float
    load: float

    @property
    def worst(self) -> float:
        return max((WITHIN_S if each is None else each for each in self.calls), default=self.answers)


async def restarted(setup: LineSetup, calls: int) -> Restart:
    """A line with its calls, killed; and the next, which has them."""
    phones = [await Telephone.ready(None, str(NUMBER + number), CALLER_SAYS) for number in range(calls)]
    async with RunningLine.running(setup) as line:
        await settled(line.process.pid)
        for phone in phones:
            assert await phone.call(f"line@{line.sip}") == 200
        await asyncio.gather(*(phone.until_heard() for phone in phones))

        async def kept() -> bool:
            return dialogs_kept(line) == calls

        await until(kept)
        line.process.kill()
        died, at, worked = Telephone.now(), time.time(), machine_seconds()[0]
        await line.process.wait()
    command = Telephone.now() - died
    async with RunningLine.running(setup, seeded=True) as again:
        answers = Telephone.now() - died
        cpu: dict[str, float] = {}
        for pid, role in roles(again.process.pid).items():
            cpu[role] = cpu.get(role, 0.0) + cpu_seconds(pid)
        others = (machine_seconds()[0] - worked - sum(cpu.values())) / answers
        with suppress(TimeoutError):  # whose call does not go on
            await until(partial(_all_on, phones, died), WITHIN_S)
        found = Restart(
            answers,
            answers - command,
            [goes_on(phone, died) for phone in phones],
            cpu,
            [(command, "the command"), *_steps(again.log, at)],
            max(0.0, others),
            os.getloadavg()[0],
        )
        await asyncio.gather(*(phone.hang_up() for phone in phones))
    return found


async def _all_on(phones: Sequence[Telephone], died: float) -> bool:
    return all(goes_on(phone, died) is not None for phone in phones)


def goes_on(phone: Telephone, died: float) -> float | None:
    """Seconds until it was told where to speak, and heard something again; None: not yet. What comes at once was still
    on its way."""
    told = min((each.at for each in phone.reinvited if each.at > died), default=None)
    heard = min((at for at in phone.heard.begun if at > died + STILL_S), default=None)
    return None if told is None or heard is None else max(told, heard) - died


def _steps(log: Path, died: float) -> list[tuple[float, str]]:
    """What the log tells of the start after ``died`` (seconds since 1970)."""
    found: list[tuple[float, str]] = []
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        step = {"service.starting": entry.get("step"), "service.ready": "ready"}.get(entry["event"])
        if step is None or (found and found[-1][1] == step):
            continue
        at = datetime.fromisoformat(entry["at"]).timestamp() - died
        if at > 0:
            found.append((at, str(step)))
    return found


def told(found: Restart) -> str:
    cpu = ", ".join(f"{role} {used:.2f}" for role, used in sorted(found.cpu.items()))
    gone_on = [each for each in found.calls if each is not None]
    calls = f"{len(gone_on)} of {len(found.calls)} calls go on"
    if gone_on:
        calls += f", median {statistics.median(gone_on):.2f} s, worst {max(gone_on):.2f} s"
    return (
        f"answers after {found.answers:.2f} s, {found.start:.2f} s from the command; {calls}\n"
        f"  load {found.load:.1f}, others had {found.others_cores:.2f} cores\n"
        f"  CPU {sum(found.cpu.values()):.2f} s: {cpu}\n"
        f"  {'; '.join(f'{at:.2f} {step}' for at, step in found.steps)}"
    )


async def measure(calls: int, restarts: int) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="ivr-restart-"))
    found = []
    for number in range(restarts):
        address = f"127.0.0.1:{free_port()}"
        setup = LineSetup(folder / f"line-{number}", sip=address, environment=COMPILED, max_calls=calls + 10)
        found.append(await restarted(setup, calls))
        print(told(found[-1]), flush=True)
    answers, start, worst = (
        statistics.median(each) for each in zip(*((f.answers, f.start, f.worst) for f in found), strict=True)
    )
    lost = sum(each is None for restart in found for each in restart.calls)
    others = max(each.others_cores for each in found)
    note = f"load {found[-1].load:.1f}; median of {restarts}"
    figures = [
        Figure("kill -9 to answering again", answers, "s", AIM_S, neighbours=others, note=note),
        Figure("of it, from the command", start, "s", START_AIM_S, neighbours=others, note=note),
        Figure("kill -9 to the last call that goes on", worst, "s", AIM_S, neighbours=others, note=note),
        Figure("calls that do not go on", lost, "", 0),
        Figure("CPU of a start", statistics.median(sum(each.cpu.values()) for each in found), "s", neighbours=others),
        Figure("of it, the line's", statistics.median(each.cpu[LINE] for each in found), "s", neighbours=others),
    ]
    tell(*figures)
    met = all(figure.met is not False for figure in figures)
    print(
        f"aim: {START_AIM_S:g} s from the command, calls within {AIM_S:g} s, nobody lost: {'met' if met else 'MISSED'}"
    )
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--restarts", type=int, default=3)
    options = parser.parse_args()
    return 0 if asyncio.run(measure(options.calls, options.restarts)) else 1


if __name__ == "__main__":
    sys.exit(main())
