"""Two lines behind Kamailio: who kills, drains or starts one loses no call that arrives."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ivr.cli.tail import follow
from ivr.config import parse_address
from ivr.demo.line import LineSetup, RunningLine
from tests.wire.baresip import baresip
from tests.wire.kamailio import HOST, Kamailio, kamailio
from tests.wire.line.watching import logged, mark
from tests.wire.ports import free_port
from tests.wire.sip.bare import bare_peer
from tests.wire.sip.conftest import SCENARIOS
from tests.wire.sipp import SippRun, start_sipp

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

SPREAD = Path(__file__).with_name("uac_spread.xml")
DEAD_AFTER_S = 1.5  # fr_timer: without any answer
FEW = 10  # new calls a second: a living line answers them in time on a busy machine, else the proxy takes it for dead
LONGEST_S = 8.0  # a node that died after its 100 costs 4 s; the rest is this machine's


@dataclass(slots=True)
class Cluster:
    """Kamailio and the lines behind it, by HOST:PORT. One that ended starts again there, with its own database."""

    proxy: Kamailio
    setups: dict[str, LineSetup]
    lines: dict[str, RunningLine] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def up(self) -> None:
        """All lines serve, and Kamailio knows. One that a failed test left draining starts anew."""
        for line in self.lines.values():
            if line.process.returncode is None and (await line.ready())["state"] in ("draining", "stopping"):
                line.process.kill()
                await line.process.wait()
        ended = [a for a in self.setups if a not in self.lines or self.lines[a].process.returncode is not None]
        started = (self.stack.enter_async_context(RunningLine.running(self.setups[a])) for a in ended)
        self.lines.update(zip(ended, await asyncio.gather(*started), strict=True))
        for address in self.setups:
            await self.proxy.until("up", address)

    async def arriving(self, folder: Path, calls: int, rate: float) -> SippRun:
        options = ("-d", "500", "-trace_rtt", "-rtt_freq", "1")
        target = self.proxy.target
        return await start_sipp(SPREAD, folder, target=target, calls=calls, rate=rate, deadline_s=90, options=options)


@dataclass(frozen=True, slots=True)
class Arrived:
    """How many calls each line answered, and of how many it answered the BYE; how long each set-up took, in s."""

    answered: Counter[str]
    ended: Counter[str]
    set_up_s: Sequence[float]


async def arrived(run: SippRun, calls: int) -> Arrived:
    """All of the calls were answered."""
    result = (await run.result()).check(calls)
    told = [line.split() for line in result.logged.splitlines() if line]
    answered, ended = (Counter(words[1] for words in told if words[0] == kind) for kind in ("answered", "ended"))
    (table,) = run.folder.glob("*_rtt.csv")
    set_up = sorted(float(row.split(";")[1]) / 1000 for row in table.read_text().splitlines()[1:])
    assert answered.total() == len(set_up) == calls
    return Arrived(answered, ended, set_up)


async def taken(line: RunningLine, calls: int, since: int, event: str = "sip.invite") -> None:
    """So many calls have come to the line after ``since``, or come as far as ``event``."""
    with line.log.open(encoding="utf-8") as stream:
        stream.seek(since)
        async with asyncio.timeout(60):
            async for text in follow(line.log, stream):
                calls -= json.loads(text)["event"] == event
                if calls <= 0:
                    return


async def live(line: RunningLine) -> set[str]:
    return {call["call_id"] for call in await line.calls(live=True)}


def told(file: Path, **fields: object) -> dict[str, dict[str, Any]]:
    """Lines of a log, or of call details, by the call's SIP Call-ID."""
    entries = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return {each["sip_call_id"]: each for each in entries if fields.items() <= each.items()}


def passed_on_s(line: RunningLine, other: RunningLine) -> list[float]:
    """How long after the line's refusal each of these calls was at the other one."""
    refused = told(line.setup.folder / "cdr.jsonl", outcome="refused", end_reason="draining")
    came = told(other.log, event="sip.invite")
    ways = ((each["ended"], came[call]["at"]) for call, each in refused.items())
    return [(datetime.fromisoformat(at) - datetime.fromisoformat(ended)).total_seconds() for ended, at in ways]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    setups = {}
    for host in ("127.0.0.2", "127.0.0.3"):
        address = f"{host}:{free_port(host)}"
        folder = Path(tmp_path_factory.mktemp("node"))
        details = f'[cdr]\npath = "{folder / "cdr.jsonl"}"'
        setups[address] = LineSetup(folder, sip=address, allow=f"{HOST}/32", drain_s=60.0, extra=details)
    async with kamailio(list(setups)) as proxy, AsyncExitStack() as stack:
        made = Cluster(proxy, setups, stack=stack)
        yield made
        for line in made.lines.values():  # nothing of theirs is worth a drain any more
            if line.process.returncode is None:
                line.process.kill()


async def test_a_killed_node_loses_no_call_that_arrives_and_is_used_again_when_it_is_back(
    cluster: Cluster, tmp_path: Path
) -> None:
    await cluster.up()
    address, victim = next(iter(cluster.lines.items()))
    since = mark(victim)
    run = await cluster.arriving(tmp_path / "arriving", calls=100, rate=FEW)
    await taken(victim, 15, since)
    victim.process.kill()
    came = await arrived(run, 100)
    other = next(known for known in cluster.lines if known != address)
    assert came.answered[other] > 60
    met_the_dead = [s for s in came.set_up_s if s >= DEAD_AFTER_S - 0.1]
    assert met_the_dead and came.set_up_s[-1] < LONGEST_S
    assert came.ended[other] == came.answered[other], "all of them hung up normally"
    print(f"met the dead node: {len(met_the_dead)} of 100, answered after {met_the_dead}")
    await cluster.proxy.until("down", address)
    await cluster.up()
    again = await arrived(await cluster.arriving(tmp_path / "again", calls=24, rate=50), 24)
    assert again.answered.keys() == {address, other} and again.ended == again.answered


async def test_a_draining_node_loses_no_call_and_with_none_left_callers_hear_503(
    cluster: Cluster, tmp_path: Path
) -> None:
    await cluster.up()
    # A line that was killed went on with its calls once it was back: they are up until it finds that nobody is there.
    before = {address: await live(line) for address, line in cluster.lines.items()}
    async with baresip(tmp_path / "phone", pcm=bytes(16_000 * 60)) as phone:
        await phone.command("dial", f"sip:line@{cluster.proxy.target}")
        await phone.wait("CALL_ESTABLISHED")
        calls = {address: await live(line) - before[address] for address, line in cluster.lines.items()}
        ((address, call),) = ((address, call) for address, up in calls.items() for call in up)
        line, since = cluster.lines[address], mark(cluster.lines[address])
        run = await cluster.arriving(tmp_path / "arriving", calls=60, rate=25)
        await taken(line, 8, since)
        line.process.send_signal(signal.SIGTERM)
        came = await arrived(run, 60)
        assert came.ended == came.answered
        (other,) = (each for known, each in cluster.lines.items() if known != address)
        passed_on = passed_on_s(line, other)
        assert passed_on and max(passed_on) < DEAD_AFTER_S - 0.1, "a refusal costs no wait"
        assert '"sip.flood"' not in line.log.read_text(), "each of them was refused, none left without an answer"
        print(f"drained: {came.answered}, passed on after {max(passed_on):.3f} s, set-up {came.set_up_s[-1]:.2f} s")
        await cluster.proxy.until("down", address)
        await the_other_drains_too(cluster, address, tmp_path / "held")
        await phone.press("3")
        await logged(line, "dialogue.key", since=since, call_id=call)
        await phone.command("hangup")
        assert (await logged(line, "call.end", since=since, call_id=call))["ended_by"] == "caller"
        await asyncio.wait_for(line.process.wait(), 60)


async def the_other_drains_too(cluster: Cluster, address: str, folder: Path) -> None:
    """It has calls in progress, which stay until it is told to end them; its BYE finds them."""
    ((last, line),) = ((known, line) for known, line in cluster.lines.items() if known != address)
    since = mark(line)
    run = await start_sipp(SCENARIOS / "uac_wait_bye.xml", folder, target=cluster.proxy.target, calls=6)
    await taken(line, 6, since, "sip.answered")
    line.process.send_signal(signal.SIGTERM)
    await logged(line, "service.draining", since=since)
    async with bare_peer(parse_address(cluster.proxy.target)) as caller:
        assert await caller.asked("INVITE") == (503, "10"), "the line's refusal, unless a probe was quicker"
        await cluster.proxy.until("down", last)
        assert await caller.asked("INVITE") == (503, "10")
        assert await caller.asked("OPTIONS") == (503, "10")
    assert line.process.returncode is None
    line.process.send_signal(signal.SIGTERM)
    (await run.result()).check(6)
