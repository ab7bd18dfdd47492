"""Calls of a killed line: how soon they go on in another, and how many; ``python -m tests.bench takeover``.

Two lines on one PostgreSQL behind Kamailio; callers in the dialogue, in the line of waiting callers and talking with
agents. One line is killed (kill -9); new callers come at once, and go on coming. Then it is started again, gets calls,
and the other one drains: none of its calls may end, and nobody new be refused.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aiohttp import ClientSession

from ivr.demo.line import RunningLine
from tests.bench.figures import Figure, tell
from tests.postgres import start_server, stop_server
from tests.wire.takeover.cluster import AGENT_SAYS, CALLER_SAYS, Cluster, cluster, gap, summary
from tests.wire.takeover.telephone import Telephone

AIM_S, AIM_SHARE, NEW_S = 2.0, 0.95, 2.0
WITHIN_S = 8.0
RATE_S = 0.25  # between new callers
DRAIN_S = 5.0


async def asking(made: Cluster, count: int) -> list[Telephone]:
    phones = await made.calls(count)
    for phone in phones:
        await phone.until_heard()
        phone.press("0")
    return phones


async def arriving(made: Cluster, seconds: float) -> list[tuple[int, float]]:
    """New callers, one after another: the status of each, and how long it took."""

    async def one() -> tuple[int, float]:
        began = asyncio.get_running_loop().time()
        phone = await made.newcomer()
        return phone.status, asyncio.get_running_loop().time() - began

    calls = []
    for _ in range(int(seconds / RATE_S)):
        calls.append(asyncio.create_task(one()))
        await asyncio.sleep(RATE_S)
    return list(await asyncio.gather(*calls))


async def measured(made: Cluster, agents: int, waiting: int, speaking: int) -> int:
    groups = {"talking": await asking(made, agents)}
    await made.until("talking", groups["talking"], 90)
    groups["waiting"] = await asking(made, waiting)
    await made.until("waiting", groups["waiting"], 90)
    groups["in the dialogue"] = await made.calls(speaking)
    await made.kept()
    before = await made.places()
    by_line = {
        address: sum(made.line_of(phone) == address for phones in groups.values() for phone in phones)
        for address in made.lines
    }
    victim = max(by_line, key=lambda address: by_line[address])
    lost = {name: [phone for phone in phones if made.line_of(phone) == victim] for name, phones in groups.items()}
    died = await made.kill(victim)
    came = await arriving(made, WITHIN_S)
    after = await made.places()
    since = asyncio.get_running_loop().time() - 2.0
    every: list[float | None] = []
    for name, phones in lost.items():
        gaps = [gap(phone, died, WITHIN_S) for phone in phones]
        print(f"{name:18} {summary(gaps)}")
        every += [each.heard_s if each.told else None for each in gaps]
    kept = _kept(lost["waiting"], before, after, "waiting")
    talk = sum(_talks(made, phone, after, since) for phone in lost["talking"])
    soon = sum(each is not None and each <= AIM_S for each in every)
    back_s, first_s = await returned(made, victim)
    stayed, lost_by_drain, meanwhile = await drained(made, made.other(victim))
    answered = [took for status, took in came if status == 200]
    print(f"places kept {kept} of {len(lost['waiting'])}")
    print(f"heard both ways with their agent {talk} of {len(lost['talking'])}")
    print(f"new calls answered {len(answered)} of {len(came)}, worst {max(answered, default=0.0):.2f} s")
    print(f"the killed line is back after {back_s:.1f} s, its first call is answered {first_s:.1f} s later")
    refused = sum(status != 200 for status, _ in meanwhile)
    print(f"drain: {stayed} calls stay, {lost_by_drain} of them end, {refused} of {len(meanwhile)} new calls refused")
    print(f"load {os.getloadavg()[0]:.1f}")
    figures = [
        Figure("calls that go on within 2 s of kill -9", soon / max(len(every), 1), "of all", AIM_SHARE, at_most=False),
        Figure("the latest of them", max((each for each in every if each is not None), default=WITHIN_S), "s", AIM_S),
        Figure("places kept", kept / max(len(lost["waiting"]), 1), "of all", 1.0, at_most=False),
        Figure("with their agent again", talk / max(len(lost["talking"]), 1), "of all", AIM_SHARE, at_most=False),
        Figure("new calls answered", len(answered) / max(len(came), 1), "of all", 1.0, at_most=False),
        Figure("the longest of their set-ups", max(answered, default=WITHIN_S), "s", NEW_S),
        Figure("the killed line is back after", back_s, "s"),
        Figure("calls that a drain ends or refuses", lost_by_drain + refused, "", 0),
    ]
    tell(*figures)
    for figure in figures:
        aim = "" if figure.aim is None else f"aim {figure.aim}"
        print(f"{figure.name:42} {figure.value:6.2f} {figure.unit:7} {aim}{' MISSED' if figure.met is False else ''}")
    return int(any(figure.met is False for figure in figures))


async def returned(made: Cluster, address: str) -> tuple[float, float]:
    """The line is started again: seconds until the proxy knows that it takes calls, and until it has answered one."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await made.up()
    up = loop.time()
    await (await made.call_at(address)).until_heard()
    return up - began, loop.time() - up


async def drained(made: Cluster, address: str) -> tuple[int, int, list[tuple[int, float]]]:
    """The line takes no new calls for a while: how many it had, how many of these ended, and who came meanwhile."""
    there = [phone for phone in made.callers if made.line_of(phone) == address]
    drain = f"{made.lines[address].http}/api/drain"
    async with ClientSession(headers={"Authorization": f"Bearer {await token(made.lines[address])}"}) as session:
        async with session.post(drain, raise_for_status=True):
            came = await arriving(made, DRAIN_S)
        async with session.delete(drain, raise_for_status=True):
            pass
    deaf = [phone for phone in there if Telephone.now() - phone.heard.latest > 1.0]
    return len(there), sum(phone.over.is_set() or phone in deaf for phone in there), came


async def token(line: RunningLine) -> str:
    """A new one that may drain it."""
    words = ("token", "add", "bench", "--scope", "calls:control", "--config", str(line.setup.folder / "config.toml"))
    added = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", *words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    out, _ = await added.communicate()
    return out.decode().split()[0]


def _kept(phones: Sequence[Telephone], before: dict[str, dict[str, object]], after: object, state: str) -> int:
    now = after if isinstance(after, dict) else {}
    return sum(
        now.get(phone.call_id, {}).get("state") == state
        and now[phone.call_id]["entered_at"] == before[phone.call_id]["entered_at"]
        for phone in phones
    )


def _talks(made: Cluster, phone: Telephone, places: dict[str, dict[str, object]], since: float) -> bool:
    """They hear each other."""
    place = places.get(phone.call_id, {})
    if place.get("state") != "talking":
        return False
    agent = made.agents[int(str(place["agent"]).removeprefix("agent-"))]
    return phone.heard.said.get(AGENT_SAYS, 0.0) > since and agent.heard.said.get(CALLER_SAYS, 0.0) > since


async def main(agents: int, waiting: int, speaking: int) -> int:
    server = start_server()
    try:
        with tempfile.TemporaryDirectory(prefix="ivr-takeover-") as folder:
            async with cluster(server, Path(folder), agents=agents) as made:
                return await measured(made, agents, waiting, speaking)
    finally:
        stop_server(server)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=10, help="so many callers talk with one")
    parser.add_argument("--waiting", type=int, default=10)
    parser.add_argument("--speaking", type=int, default=20, help="callers in the dialogue")
    chosen = parser.parse_args()
    sys.exit(asyncio.run(main(chosen.agents, chosen.waiting, chosen.speaking)))
