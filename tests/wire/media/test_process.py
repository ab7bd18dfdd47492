"""The media process as a process: it dies, it hangs, it is restarted, and nobody else is hurt."""

from __future__ import annotations

import asyncio
import os
import signal

import numpy as np
import pytest

from ivr.errors import MediaUnavailable
from ivr.events import MediaLost, PlayDone
from ivr.media.clip import Clip
from ivr.media.description import MediaDescription
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg
from ivr.media.process.codec import RATE, clipped
from ivr.ports import MediaEngine, MediaLeg
from tests.wire.media.conftest import Connect, Log
from tests.wire.media.far_end import FarEnd

pytestmark = pytest.mark.wire


def clip(key: str, seconds: float = 0.1, frequency: float = 500) -> Clip:
    return Clip(key, clipped(8000 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)).tobytes())


def as_ports(engine: ProcessMediaEngine, leg: ProcessMediaLeg) -> tuple[MediaEngine, MediaLeg]:
    """mypy holds the adapters against the Protocols here."""
    return engine, leg


async def test_kill_9_loses_the_legs_and_new_ones_work(engine: ProcessMediaEngine, connect: Connect) -> None:
    one, two = await connect(), await connect()
    await one.leg.play([clip("long", 5.0)], token=3)
    await one.leg.play([clip("long", 5.0)], token=4)
    await one.far.received(5)
    first = engine.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await asyncio.gather(one.log.ended(), two.log.ended())
    assert [type(e) for e in one.log.all[-3:]] == [PlayDone, PlayDone, MediaLost]
    assert [e.token for e in one.log.of(PlayDone)] == [3, 4]
    assert not any(e.completed for e in one.log.of(PlayDone))
    assert two.log.of(MediaLost)[0].leg == "leg-1"
    with pytest.raises(MediaUnavailable):
        await one.leg.play([clip("more")], token=5)
    await one.leg.stop_playing()
    await one.leg.close()
    three = await connect()  # waits for the restart
    assert engine.pid not in (None, first)
    assert engine.healthy()
    await three.leg.play([clip("long", 5.0), clip("short")], token=1)  # known to the old process, not to this one
    await three.far.received(30)
    assert max(int(np.abs(f).max()) for f in three.far.signal(three.far.arrivals)) > 4000


async def test_a_second_death_is_survived_too(engine: ProcessMediaEngine, connect: Connect) -> None:
    for _ in range(2):
        line = await connect()
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        await line.log.ended()
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
    engine = ProcessMediaEngine("127.0.0.1", (20000, 39999), hung_after_s=1.5)
    await engine.start()
    leg = await engine.open("leg", None)
    log = Log(leg)
    hung = engine.pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    await log.ended(within=20)
    assert log.of(MediaLost)[0].reason == "the media process hung"
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
    engine = ProcessMediaEngine("127.0.0.1", (20000, 39999))
    await engine.start()
    leg = await engine.open("leg", None)
    log = Log(leg)
    pid = engine.pid
    assert pid is not None
    await engine.stop()
    await log.ended()
    assert log.of(MediaLost)[0].reason == "the service stops"
    assert engine.pid is None
    assert not engine.healthy()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(MediaUnavailable):
        await engine.open("late", None)


async def test_clips_over_the_bound_are_forgotten_and_shipped_again() -> None:
    engine = ProcessMediaEngine("127.0.0.1", (20000, 39999), clip_bytes=4000)
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
