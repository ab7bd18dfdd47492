"""The media process as a process: it dies, it hangs, it is restarted, and nobody else is hurt."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import numpy as np
import pytest

from ivr.errors import MediaUnavailable
from ivr.events import Audio, MediaHeard, MediaLost, PlayDone
from ivr.media.clip import Clip
from ivr.media.description import MediaDescription
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg
from ivr.media.process.codec import RATE, clipped
from ivr.ports import MediaEngine, MediaLeg
from tests.wire.media.conftest import PORTS, Connect, Line, Log
from tests.wire.media.far_end import FarEnd

pytestmark = pytest.mark.wire


def clip(key: str, seconds: float = 0.1, frequency: float = 500) -> Clip:
    return Clip(key, clipped(8000 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)).tobytes())


def as_ports(engine: ProcessMediaEngine, leg: ProcessMediaLeg) -> tuple[MediaEngine, MediaLeg]:
    """mypy holds the adapters against the Protocols here."""
    return engine, leg


async def lost(engine: ProcessMediaEngine, *lines: Line, times: int = 1) -> None:
    """The process is killed, and these know it."""
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    for line in lines:
        await line.log.first(MediaLost, times)


async def test_after_kill_9_new_legs_work(engine: ProcessMediaEngine, connect: Connect) -> None:
    one, two = await connect(), await connect()
    await one.leg.play([clip("long", 5.0)], token=3)
    await one.far.received(5)
    first = engine.pid
    await lost(engine, one, two)
    assert two.log.of(MediaLost)[0].leg == "leg-1"
    await one.leg.close()
    await one.log.ended()
    assert [(e.token, e.completed) for e in one.log.of(PlayDone)] == [(3, False)]
    three = await connect()  # waits for the restart
    assert engine.pid not in (None, first)
    assert engine.healthy()
    await three.leg.play([clip("long", 5.0), clip("short")], token=1)  # known to the old process, not to this one
    await three.far.received(30)
    assert max(int(np.abs(f).max()) for f in three.far.signal(three.far.arrivals)) > 4000


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_leg_that_is_opened_while_the_process_dies_is_opened_in_the_next(how: signal.Signals) -> None:
    """Before the line knows: dead, it does not answer; standing still, it is waited for until it is replaced."""
    far = await FarEnd.at_loopback()
    engine = ProcessMediaEngine("127.0.0.1", PORTS, hung_after_s=0.5)
    await engine.start()
    first = engine.pid
    assert first is not None
    os.kill(first, how)
    leg = await engine.open("late", far.description())
    assert engine.pid not in (None, first)
    await leg.play([clip("hello")], token=1)
    await far.received(5)
    assert voice(far) > 4000
    await leg.close()
    await engine.stop()
    far.close()


def voice(far: FarEnd) -> int:
    """How loud the far end was spoken to."""
    return max((int(np.abs(frame).max()) for frame in far.signal(far.arrivals)), default=0)


async def test_a_lost_leg_goes_on_where_it_was_on_the_same_ports(engine: ProcessMediaEngine, connect: Connect) -> None:
    line = await connect()
    before = line.leg.local
    await line.leg.listen(True)
    await line.leg.play([clip("first")], token=1)
    await line.log.first(PlayDone)
    await line.leg.play([clip("second", 5.0)], token=2)
    await line.leg.play([clip("third", 5.0)], token=3)
    await line.far.received(20)
    await lost(engine, line)
    await line.leg.play([clip("fourth", 0.2)], token=4)
    assert [done.token for done in line.log.of(PlayDone)] == [1], "it will be played"
    assert await line.leg.reopen() == before
    line.far.forget()
    await line.far.received(20)
    assert voice(line.far) > 4000
    await line.far.talk(8000 * np.sin(np.arange(8000) / 3))
    assert await line.log.first(Audio, 10)
    await line.leg.stop_playing()
    dones = await line.log.first(PlayDone, 4)
    assert [(done.token, done.completed) for done in dones] == [(1, True), (2, False), (3, False), (4, False)]
    assert await line.leg.reopen() == before, "nothing is lost: nothing is done"


async def test_who_was_told_to_be_silent_is_not_played_again(engine: ProcessMediaEngine, connect: Connect) -> None:
    line = await connect()
    await line.leg.play([clip("long", 5.0)], token=1)
    await lost(engine, line)
    await line.leg.stop_playing()
    assert [(done.token, done.completed) for done in await line.log.first(PlayDone)] == [(1, False)]
    await line.leg.reopen()
    line.far.forget()
    await line.far.received(10)
    assert voice(line.far) < 200


async def test_a_port_that_is_taken_meanwhile_becomes_another(engine: ProcessMediaEngine, connect: Connect) -> None:
    line = await connect()
    before = line.leg.local
    await lost(engine, line)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind((before.host, before.port))
        after = await line.leg.reopen()
    assert after.port not in (before.port, 0)
    assert (after.codecs, after.host) == (before.codecs, before.host)
    line.far.aim(after)
    line.far.forget()
    await line.far.received(5)


async def test_a_bridge_outlives_two_deaths_in_a_row(engine: ProcessMediaEngine, connect: Connect) -> None:
    one, two = await connect(), await connect()
    await one.leg.bridge(two.leg)
    for times in (1, 2):
        await lost(engine, one, two, times=times)
        await two.leg.reopen()
        await one.leg.reopen()
        for speaker, hearer in ((one, two), (two, one)):
            hearer.far.forget()
            await speaker.far.talk(8000 * np.sin(np.arange(8000) / 3))
            assert voice(hearer.far) > 4000
    await lost(engine, one, two, times=3)
    await one.leg.bridge(None)
    await one.leg.reopen()
    await two.leg.reopen()
    two.far.forget()
    await one.far.talk(8000 * np.sin(np.arange(4000) / 3))
    assert voice(two.far) < 200, "they were parted meanwhile"


async def test_the_first_sign_of_the_far_end_is_told_once(connect: Connect) -> None:
    line = await connect()
    await line.far.received(10)
    assert not line.log.of(MediaHeard)
    await line.far.keep_silent(10)
    await line.log.first(MediaHeard)
    await line.leg.update(line.far.description())
    await line.far.keep_silent(10)
    assert len(line.log.of(MediaHeard)) == 1


async def test_a_second_death_is_survived_too(engine: ProcessMediaEngine, connect: Connect) -> None:
    for _ in range(2):
        await lost(engine, await connect())
    line = await connect()
    await line.far.received(3)


async def test_requests_under_way_fail_when_the_process_dies(engine: ProcessMediaEngine, connect: Connect) -> None:
    line = await connect()
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGSTOP)
    asking = asyncio.create_task(line.leg.stats())
    await asyncio.sleep(0)
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(MediaUnavailable):
        await asking


async def test_a_hung_process_is_replaced() -> None:
    engine = ProcessMediaEngine("127.0.0.1", PORTS, hung_after_s=1.5)
    await engine.start()
    leg = await engine.open("leg", None)
    log = Log(leg)
    hung = engine.pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    assert (await log.first(MediaLost))[0].reason == "the media process hung"
    await leg.close()
    again = await engine.open("again", None)
    assert engine.pid != hung
    await again.close()
    await engine.stop()


async def test_ctrl_c_is_the_lines_business(engine: ProcessMediaEngine, connect: Connect) -> None:
    line = await connect()
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGINT)
    line.far.forget()
    await line.far.received(5)


async def test_the_process_ends_with_its_line() -> None:
    engine = ProcessMediaEngine("127.0.0.1", PORTS)
    await engine.start()
    leg = await engine.open("leg", None)
    log = Log(leg)
    pid = engine.pid
    assert pid is not None
    await engine.stop()
    assert (await log.first(MediaLost))[0].reason == "the service stops"
    with pytest.raises(MediaUnavailable):
        await leg.reopen()
    await leg.close()
    await log.ended()
    assert engine.pid is None
    assert not engine.healthy()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(MediaUnavailable):
        await engine.open("late", None)


async def test_clips_over_the_bound_are_forgotten_and_shipped_again() -> None:
    engine = ProcessMediaEngine("127.0.0.1", PORTS, clip_bytes=4000)
    await engine.start()
    far = await FarEnd.at_loopback()
    leg = await engine.open("leg", far.description())
    log = Log(leg)
    await engine.preload([clip(f"preloaded-{n}") for n in range(20)])  # 1600 bytes each
    for token in range(6):
        await leg.play([clip(f"clip-{n}") for n in range(token % 3 + 1)], token=token)
    dones = await log.first(PlayDone, 6)
    assert [(d.token, d.completed) for d in dones] == [(n, True) for n in range(6)]
    assert sum(d.played_s for d in dones) == pytest.approx(1.2)
    await leg.close()
    await log.ended()
    await engine.stop()
    far.close()


async def test_tokens_end_exactly_once_when_the_leg_closes(connect: Connect) -> None:
    line = await connect()
    await line.leg.play([clip("a", 5.0)], token=1)
    with pytest.raises(ValueError, match="token 1"):
        await line.leg.play([clip("a")], token=1)
    await line.leg.play([clip("")], token=2)
    stats = await line.leg.close()
    await line.log.ended()
    assert [(d.token, d.completed) for d in line.log.of(PlayDone)] == [(1, False), (2, False)]
    assert stats == await line.leg.close() == await line.leg.stats()


async def test_joining_with_a_stranger_is_refused(connect: Connect) -> None:
    line = await connect()

    class Stranger:
        local = MediaDescription("127.0.0.1", 9, ())

    with pytest.raises(TypeError):
        await line.leg.bridge(Stranger())
