"""The media process is killed: ``python -m tests.bench.media_death [--calls 30] [--agents 5] [--deaths 3]``.

Callers of a whole line, some in the dialogue, some talking with agents. All media processes are killed (kill -9), again
and again, and each telephone tells how long it heard nothing, and when it was told where to speak now. The gap of a
call is until both are so. At the end the line tells how much it heard of each since its last death. Aim: every call
goes on, both ways, within 1.5 s.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from tests.bench.figures import Figure, tell
from tests.bench.process_tree import roles, settled
from tests.wire.line.watching import logged, mark, until
from tests.wire.takeover.cluster import AGENT_SAYS, CALLER_SAYS
from tests.wire.takeover.telephone import PAUSE_S, Telephone

AIM_S = 1.5
WITHIN_S = 8.0
TALK_S = 2.0  # between two deaths, and before the end
NUMBER = 5035552000


async def answered(line: RunningLine, count: int, first: int) -> list[Telephone]:
    """So many callers more, who hear the line."""
    phones = [await Telephone.ready(None, str(NUMBER + first + number), CALLER_SAYS) for number in range(count)]
    for phone in phones:
        status = await phone.call(f"line@{line.sip}")
        assert status == 200, status
    await asyncio.gather(*(phone.until_heard() for phone in phones))
    return phones


async def joined(phones: Sequence[Telephone]) -> None:
    """Each hears its agent."""
    for phone in phones:
        phone.press("0")

    async def talking() -> bool:
        return all(phone.heard.said.get(AGENT_SAYS) for phone in phones)

    await until(talking, 60)


async def killed(line: RunningLine, phones: Sequence[Telephone]) -> list[float | None]:
    """The gap of each of ``phones``; None: it did not go on."""
    died = Telephone.now()
    for pid, role in roles(line.process.pid).items():
        if role == "media":
            os.kill(pid, signal.SIGKILL)

    async def again() -> bool:
        return all(gap(phone, died) is not None for phone in phones)

    with suppress(TimeoutError):  # whose gap is None
        await until(again, WITHIN_S)
    return [gap(phone, died) for phone in phones]


def gap(phone: Telephone, died: float) -> float | None:
    """Seconds until it heard something again, and was told where to speak; None: not yet. Who never had a pause that is
    one had PAUSE_S at most."""
    told = min((each.at for each in phone.reinvited if each.at > died), default=None)
    heard = min((at for at in phone.heard.begun if at > died), default=None)
    if heard is None and phone.heard.latest > died + 2 * PAUSE_S:
        heard = died + PAUSE_S
    return None if told is None or heard is None else max(told, heard) - died


async def measure(calls: int, agents: int, deaths: int) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="ivr-media-death-"))
    desks = [await Telephone.ready(None, f"agent-{number}", AGENT_SAYS) for number in range(agents)]
    targets = [AgentPhone(desk.uri, name=f"agent-{n}", ring_timeout_s=20.0) for n, desk in enumerate(desks)]
    async with RunningLine.running(LineSetup(folder, targets, max_calls=2 * calls)) as line:
        await settled(line.process.pid)
        talking = await answered(line, agents, 0)
        await joined(talking)
        phones = talking + await answered(line, calls - agents, agents)
        gaps: list[float | None] = []
        for _ in range(deaths):
            await asyncio.sleep(TALK_S)
            here = await killed(line, phones + desks)
            gaps += here
            print(f"{calls} calls, {agents} with an agent: {summary(here)}", flush=True)
        await asyncio.sleep(TALK_S)
        since, load = mark(line), os.getloadavg()[0]
        deaf = await unheard(line, phones, since)
        for desk in desks:
            desk.close()
    found = [each for each in gaps if each is not None]
    figures = [
        Figure("calls that go on after a death of media", len(found) / len(gaps), "of all", 1.0, at_most=False),
        Figure("the longest gap", max(found, default=WITHIN_S), "s", AIM_S, note=f"load {load:.1f}"),
        Figure("the median gap", statistics.median(found) if found else WITHIN_S, "s"),
        Figure("calls that were not heard from then on", deaf, "", 0),
    ]
    tell(*figures)
    met = all(figure.met is not False for figure in figures)
    print(f"not heard afterwards {deaf}; load {load:.1f}")
    print(f"aim: all go on within {AIM_S:g} s, both ways: {'met' if met else 'MISSED'}")
    return met


async def unheard(line: RunningLine, phones: Sequence[Telephone], since: int) -> int:
    """How many of the callers the line heard nothing of since its media's last death; they hang up."""
    await asyncio.gather(*(phone.hang_up() for phone in phones))
    ends = [await logged(line, "call.end", since=since, sip_call_id=phone.call_id) for phone in phones]
    return sum(end["packets_received"] < TALK_S / 0.02 / 2 for end in ends)


def summary(gaps: Sequence[float | None]) -> str:
    found = sorted(each for each in gaps if each is not None)
    if not found:
        return f"0 of {len(gaps)} legs go on"
    return f"{len(found)} of {len(gaps)} legs go on, median {statistics.median(found):.2f} s, worst {found[-1]:.2f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--agents", type=int, default=5, help="so many of them talk with one")
    parser.add_argument("--deaths", type=int, default=3)
    options = parser.parse_args()
    return 0 if asyncio.run(measure(options.calls, options.agents, options.deaths)) else 1


if __name__ == "__main__":
    sys.exit(main())
