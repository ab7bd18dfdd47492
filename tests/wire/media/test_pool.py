"""Two media processes on real sockets: legs placed and brought together, one of two killed, agents who serve callers of
both."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from itertools import pairwise

import numpy as np
import pytest
from structlog.testing import capture_logs

from ivr.errors import MediaUnavailable
from ivr.events import Connected, Digit, MediaLost, PlayDone
from ivr.media.clip import Clip
from ivr.media.description import MediaDescription, Resumption
from ivr.media.leg import ProcessMediaLeg
from ivr.media.pool import MediaPool
from ivr.media.process.codec import RATE, Samples, clipped
from tests.wire.media.browser_peer import BrowserPeer
from tests.wire.media.conftest import PORTS, Line, Log
from tests.wire.media.far_end import Arrival, FarEnd
from tests.wire.media.test_browser_legs import Browser
from tests.wire.srtp.far_end import SealedFarEnd

pytestmark = pytest.mark.wire


def tone(seconds: float, frequency: float = 500) -> Samples:
    return clipped(8000 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE))


def loudest(far: FarEnd) -> int:
    return max((int(np.abs(frame).max()) for frame in far.signal(far.arrivals)), default=0)


def gap_s(arrivals: Sequence[Arrival]) -> float:
    return max(later.at - sooner.at for sooner, later in pairwise(arrivals))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        for _ in iter(holds, True):
            await asyncio.sleep(0.01)


def unbroken(arrivals: Sequence[Arrival]) -> bool:
    """One stream, of which nothing is missing."""
    packets = [each.packet for each in arrivals]
    steps = {(later.sequence - sooner.sequence) & 0xFFFF for sooner, later in pairwise(packets)}
    return steps == {1} and len({packet.ssrc for packet in packets}) == 1


async def reopened(leg: ProcessMediaLeg) -> MediaDescription:
    """As a call does it: again while there is no process yet."""
    async with asyncio.timeout(30):
        while True:
            with suppress(MediaUnavailable):
                return await leg.reopen()


class House:
    """A pool, and everybody who is connected to it."""

    def __init__(self, pool: MediaPool, stack: AsyncExitStack) -> None:
        self.pool = pool
        self._stack = stack

    async def line(self, name: str, call: str = "", *, caller: bool = True, far: FarEnd | None = None) -> Line:
        there = far or await FarEnd.at_loopback()
        offered = there.offered() if isinstance(there, SealedFarEnd) else there.description()
        leg = await self.pool.open(name, offered, caller=caller, call=call)
        there.aim(leg.local)
        line = Line(leg, there)

        async def leave() -> None:
            await leg.close()
            await line.log.ended()
            there.close()

        self._stack.push_async_callback(leave)
        return line

    async def agent(self, name: str) -> tuple[ProcessMediaLeg, Browser, Log]:
        """At a browser, whose leg is connected before anybody calls."""
        browser = await Browser.at_loopback(BrowserPeer())
        self._stack.callback(browser.transport.close)
        leg, answer = await self.pool.open_browser(name, browser.peer.offer())
        self._stack.push_async_callback(leg.close)
        log = Log(leg)
        browser.begin(answer)
        await log.first(Connected)
        return leg, browser, log

    def process(self, leg: ProcessMediaLeg) -> int:
        """Which has it."""
        [number] = [each.number for each in self.pool.engines if leg in each.legs]
        return number

    def kill(self, process: int) -> None:
        pid = self.pool.pids[process - 1]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def opened(processes: int = 2, legs: int = 200, ports: tuple[int, int] = PORTS) -> AsyncIterator[House]:
    pool = MediaPool("127.0.0.1", ports, timeout_s=5.0, processes=processes, legs_per_process=legs)
    await pool.start()
    try:
        async with AsyncExitStack() as stack:
            yield House(pool, stack)
    finally:
        await pool.stop()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with opened() as made:
        yield made


async def converse(one: Line, two: Line, seconds: float = 0.6) -> None:
    """Each hears the other."""
    one.far.forget()
    two.far.forget()
    await asyncio.gather(one.far.talk(tone(seconds)), two.far.talk(tone(seconds, 900)))
    assert loudest(one.far) > 6000 and loudest(two.far) > 6000


async def test_callers_are_spread_and_those_of_one_call_are_together(house: House) -> None:
    lines = [await house.line(f"call-{number}") for number in range(4)]
    assert sorted(house.process(line.leg) for line in lines) == [1, 1, 2, 2]
    for number, caller in enumerate(lines):
        agent = await house.line(f"agent-{number}", f"call-{number}", caller=False)
        assert house.process(agent.leg) == house.process(caller.leg)
        await caller.leg.bridge(agent.leg)
        await converse(caller, agent, 0.3)
    assert [load.legs for load in house.pool.loads()] == [4, 4]
    ports = [[line.leg.local.port for line in lines if house.process(line.leg) == number] for number in (1, 2)]
    assert max(ports[0]) < min(ports[1]), "each process has ports of its own"


async def test_a_killed_process_takes_nothing_from_the_others_calls(house: House) -> None:
    callers = [await house.line(f"call-{number}") for number in range(2)]
    agents = [await house.line(f"agent-{number}", f"call-{number}", caller=False) for number in range(2)]
    for caller, agent in zip(callers, agents, strict=True):
        await caller.leg.bridge(agent.leg)
        await converse(caller, agent, 0.2)
    killed = house.process(callers[0].leg)
    for line in (*callers, *agents):
        line.far.forget()
    loop = asyncio.get_running_loop()
    others = asyncio.gather(callers[1].far.talk(tone(2.5)), agents[1].far.talk(tone(2.5, 900)))
    await callers[1].far.received(10)
    house.kill(killed)
    await asyncio.gather(callers[0].log.first(MediaLost), agents[0].log.first(MediaLost))
    began = loop.time()
    for line in (callers[0], agents[0]):
        before = line.leg.local
        assert await reopened(line.leg) == before, "at the same ports, of which the far end need not be told"
    took_s = loop.time() - began
    await converse(callers[0], agents[0])
    await others
    assert not callers[1].log.of(MediaLost) and not agents[1].log.of(MediaLost)
    for line in (callers[1], agents[1]):
        assert len(line.far.arrivals) > 100 and unbroken(line.far.arrivals), "those of the other process go on"
        print(f"  the other process's: {gap_s(line.far.arrivals):.3f} s without a packet at most")
    print(f"  the killed one's calls went on after {took_s:.2f} s")
    assert house.process(callers[0].leg) == killed and house.pool.healthy()


async def test_an_agent_at_a_browser_serves_callers_of_both(house: House) -> None:
    callers = [await house.line(f"call-{number}") for number in range(2)]
    before = [house.process(line.leg) for line in callers]
    assert before[0] != before[1]
    agent, browser, log = await house.agent("agent")
    home = house.process(agent)
    for caller, was in zip(callers, before, strict=True):
        there = caller.leg.local
        await caller.far.keep_silent(5)
        caller.far.forget()
        browser.packets.clear()
        await caller.leg.hear([agent])
        await agent.hear([caller.leg])
        assert house.process(caller.leg) == house.process(agent) == home
        assert caller.leg.local == there, "the far end need not be told"
        await asyncio.gather(browser.talk(tone(0.6)), caller.far.talk(tone(0.6, 900)))
        assert browser.loudest() > 6000 and loudest(caller.far) > 6000
        if was != home:
            print(f"  moved: {gap_s(caller.far.arrivals):.3f} s without a packet")
        caller.far.press(5)
        assert [each.key for each in await caller.log.first(Digit)] == ["5"]
        await agent.hear([])
        await caller.leg.hear([])
        assert not caller.log.of(MediaLost)
    stats = [await line.leg.stats() for line in callers]
    assert all(each.packets_received >= 35 and each.packets_sent >= 20 for each in stats), "before the move, too"
    assert not log.of(MediaLost)


async def test_two_agents_at_browsers_of_two_processes_talk_about_a_caller(house: House) -> None:
    caller = await house.line("call")
    ada, at_ada, ada_log = await house.agent("ada")
    ben, at_ben, ben_log = await house.agent("ben")
    assert len({house.process(leg) for leg in (ada, ben)}) == 2
    everybody = [caller.leg, ada, ben]
    for leg in everybody:
        await leg.hear([other for other in everybody if other is not leg])
    assert len({house.process(leg) for leg in everybody}) == 1
    at_ada.packets.clear()
    at_ben.packets.clear()
    caller.far.forget()
    await caller.far.talk(tone(0.6))
    assert at_ada.loudest() > 6000 and at_ben.loudest() > 6000
    for speaker, hearer in ((at_ada, at_ben), (at_ben, at_ada)):
        hearer.packets.clear()
        caller.far.forget()
        await asyncio.gather(speaker.talk(tone(0.5, 900)), caller.far.keep_silent(25))
        assert hearer.loudest() > 6000 and loudest(caller.far) > 6000
    assert not ada_log.of(MediaLost) and not ben_log.of(MediaLost)
    moved, at_moved = (ada, at_ada) if house.process(ada) != 2 else (ben, at_ben)
    assert await moved.reoffer(at_moved.peer.offer()), "whose page makes an offer still gets an answer"


@pytest.mark.parametrize("hours", [0, 3])
async def test_who_speaks_encrypted_is_moved_with_the_keys(house: House, hours: int) -> None:
    far = await SealedFarEnd.sealed("AEAD_AES_256_GCM")
    await house.line("somebody else")
    caller = await house.line("call", far=far)
    agent, browser, _ = await house.agent("agent")
    await far.keep_silent(3)
    far.run_ahead(hours * 3600 * 50)
    if house.process(agent) == house.process(caller.leg):
        caller, far = await house.line("another", far=await SealedFarEnd.sealed()), far
    before = caller.leg.local
    sealed = caller.far
    await sealed.keep_silent(3)
    await caller.leg.bridge(agent)
    assert house.process(caller.leg) == house.process(agent) and caller.leg.local == before
    sealed.forget()
    browser.packets.clear()
    await asyncio.gather(browser.talk(tone(0.6)), sealed.talk(tone(0.6, 900)))
    assert browser.loudest() > 6000 and loudest(sealed) > 6000
    assert (await caller.leg.stats()).srtp


async def test_what_plays_and_who_listens_go_along(house: House) -> None:
    first, second = await house.line("one"), await house.line("two")
    await second.leg.play([Clip("music", tone(5).tobytes())], token=1)
    await second.leg.listen(True)
    await first.leg.move(second.leg.commands)
    await second.leg.move(house.pool.engines[0])
    assert house.process(second.leg) == 1
    second.far.forget()
    await second.far.received(10)
    assert loudest(second.far) > 6000, "begins anew"
    await second.leg.stop_playing(1)
    assert not (await second.log.first(PlayDone))[0].completed


async def test_a_port_that_is_anothers_meanwhile_makes_it_lost_and_not_deaf(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has it then tells the far end by a re-INVITE, as after a death."""
    caller, other = await house.line("one"), await house.line("two")
    to = other.leg.commands
    bind = to.bind

    async def taken(
        leg: ProcessMediaLeg, remote: MediaDescription | None, _: int, resumed: Resumption
    ) -> MediaDescription:
        monkeypatch.undo()
        return await bind(leg, remote, 0, resumed)

    monkeypatch.setattr(to, "bind", taken)
    await caller.leg.move(to)
    await caller.log.first(MediaLost)
    local = await caller.leg.reopen()
    caller.far.aim(local)
    await caller.leg.bridge(other.leg)
    await converse(caller, other, 0.3)


async def test_nobody_is_taken_beyond_the_cap_and_half_is_kept_for_agents() -> None:
    async with opened(2, legs=4) as house:
        for number in range(4):
            await house.line(f"call-{number}")
        with capture_logs() as logs, pytest.raises(MediaUnavailable, match="kept for the agents"):
            await house.line("one too many")
        assert [entry["event"] for entry in logs] == ["media.refused"]
        for number in range(4):
            await house.line(f"agent-{number}", f"call-{number}", caller=False)
        assert [load.legs for load in house.pool.loads()] == [4, 4]
        with pytest.raises(MediaUnavailable, match="each media process has its 4 legs"):
            await house.line("a supervisor", "call-0", caller=False)


async def test_while_one_is_away_new_calls_go_to_the_other(house: House) -> None:
    house.kill(1)
    await until(lambda: not house.pool.loads()[0].up)
    assert house.pool.healthy()
    assert house.process((await house.line("call")).leg) == 2


async def test_more_and_fewer_processes_while_calls_go_on() -> None:
    async with opened(1) as house:
        pool = house.pool
        caller, agent = await house.line("call"), await house.line("agent", "call", caller=False)
        await caller.leg.bridge(agent.leg)
        pool.apply(2, 200)
        await until(lambda: pool.loads()[1].up)
        new = await house.line("new")
        assert house.process(new.leg) == 2
        await converse(caller, agent, 0.3)
        pool.apply(1, 200)
        assert house.process((await house.line("newer")).leg) == 1, "the second takes nobody any more"
        await converse(caller, agent, 0.3)
        new.far.forget()
        await new.far.received(5)
        await new.leg.close()
        await until(lambda: len(pool.loads()) == 1)
        await converse(caller, agent, 0.3)


async def test_ticks_and_legs_are_told_of_each(house: House) -> None:
    line = await house.line("call")
    await line.far.received(10)
    process = house.process(line.leg)
    await line.leg.close()  # an idle process tells what it had
    await until(lambda: bool(house.pool.loads()[process - 1].ticks))
    load = house.pool.loads()[process - 1]
    assert load.ticks >= 10 and load.late <= load.ticks and load.legs == 0
    assert house.pool.loads()[2 - process].ticks == 0


async def test_ports_that_others_have_are_told_once_a_minute() -> None:
    """Everything runs, and nobody gets through: the log says why, and what to do."""
    ports = (31200, 31207)
    with ExitStack() as stack:
        for port in range(ports[0], ports[1] + 1):
            held = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            held.bind(("127.0.0.1", port))
        with capture_logs() as logs:
            async with opened(processes=1, ports=ports) as house:
                for number in range(3):
                    with pytest.raises(MediaUnavailable):
                        await house.pool.open(f"call-{number}", None)
    told = [entry for entry in logs if entry["event"] == "media.refused"]
    assert len(told) == 1 and "Address already in use" in told[0]["error"] and "media.ports" in told[0]["error"]
