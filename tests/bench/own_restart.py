"""A line that is alone, on SQLite, is killed and started again: ``python -m tests.bench.own_restart [--calls 10]``.

``--restarts`` times over: kill -9 in mid-call, the same command at once, as a supervisor would. How long until the line
answers, until each call goes on both ways, and where the start's time went: CPU by process, and the steps that the log
tells of. The line is warm: its prompts are rendered, its flows were checked, its Python is compiled. Aim: it answers,
and its calls go on, within 5 s. A start takes some CPU on two cores: beside busy neighbours it takes as much longer.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ivr.demo.line import LineSetup, RunningLine
from tests.bench.process_tree import Watch, settled
from tests.wire.takeover.cluster import CALLER_SAYS, gap
from tests.wire.takeover.telephone import Telephone

AIM_S = 5.0
WITHIN_S = 60.0
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}  # as where it was installed
NUMBER = 5035553000


@dataclass(frozen=True, slots=True)
class Restart:
    """Seconds from the death: until it ``answers``, until each call goes on (None: it did not). ``cpu``: of the start,
    by process; ``steps``: when each began, seconds from the death."""

    answers: float
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
        await Telephone.settled()
        line.process.kill()
        died, at = Telephone.now(), time.time()
        await line.process.wait()
    async with RunningLine.running(setup, seeded=True) as again:
        answers = Telephone.now() - died
        watch = Watch.on(os.getpid(), *())
        spent = Watch(again.process.pid).spent()
        await asyncio.gather(*(_heard(phone, died) for phone in phones))
        gaps = [gap(phone, died, WITHIN_S) for phone in phones]
        found = Restart(
            answers,
            [each.heard_s if each.told else None for each in gaps],
            dict(spent.seconds),
            _steps(again.log, at),
            watch.spent().others_cores,
            os.getloadavg()[0],
        )
        await asyncio.gather(*(phone.hang_up() for phone in phones))
    return found


async def _heard(phone: Telephone, died: float) -> None:
    try:
        await phone.until_heard(died, WITHIN_S)
    except TimeoutError:
        return
