"""Who is the far end: strangers neither get a call's audio nor give any, whenever they try."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from ivr.events import Audio, Digit, MediaLost, MediaTimeout
from ivr.media.description import Direction
from ivr.media.engine import ProcessMediaEngine
from ivr.media.process import rtcp
from ivr.media.process.codec import RATE, clipped
from ivr.media.process.dtmf_tone import tones
from ivr.media.wire import KEYS
from tests.wire.media.conftest import PORTS, Connect, Line, Log
from tests.wire.media.far_end import FarEnd

pytestmark = pytest.mark.wire

VOICE = clipped(8000 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE))


@pytest.fixture
async def stranger() -> AsyncIterator[FarEnd]:
    far = await FarEnd.at_loopback(host="127.0.0.2")
    yield far
    far.close()


async def attack(stranger: FarEnd, line: Line) -> None:
    """Voice, keys by event (agreed on or not) and by tone, reports: everything that a caller could send."""
    stranger.aim(line.leg.local)
    await stranger.talk(VOICE)
    for payload_type in (101, 96):
        stranger.press(KEYS.index("0"), payload_type=payload_type)
    await stranger.talk(tones("0", 0.2))
    stranger.target = (line.leg.local.host, line.leg.local.port + 1)
    stranger.raw(rtcp.build(rtcp.Report(stranger.ssrc, rtcp.ntp_time(1.0), 1, 1, ()), 0, "stranger@test"))
    stranger.aim(line.leg.local)
    await stranger.keep_silent(5)


def untouched(line: Line, stranger: FarEnd) -> None:
    assert stranger.arrivals == [], "not a packet of the caller's audio went there"
    assert line.log.of(Digit) == []
    assert line.log.of(Audio) == []


async def test_a_stranger_before_the_callers_first_packet(connect: Connect, stranger: FarEnd) -> None:
    line = await connect()
    await line.leg.listen(True)
    await attack(stranger, line)
    untouched(line, stranger)
    assert (await line.leg.stats()).packets_received == 0
    line.far.forget()
    await asyncio.gather(line.far.talk(VOICE), stranger.talk(VOICE))
    assert await line.log.first(Audio, 10)
    await line.far.received(10)
    line.far.press(KEYS.index("5"))
    assert [d.key for d in await line.log.first(Digit)] == ["5"]
    assert stranger.arrivals == []


@pytest.mark.parametrize("imitating", [False, True])
async def test_a_stranger_after_the_caller_was_silent(connect: Connect, stranger: FarEnd, imitating: bool) -> None:
    line = await connect()
    await line.far.keep_silent(10)
    await asyncio.sleep(2.3)  # more than any silence after which another address was believed
    if imitating:
        stranger.imitate(line.far)
    await line.leg.listen(True)
    await attack(stranger, line)
    untouched(line, stranger)
    line.far.forget()
    await line.far.talk(VOICE)
    assert await line.log.first(Audio, 10), "the caller comes back, and is heard at once"
    assert len(line.far.arrivals) > 15
    assert stranger.arrivals == []


async def test_a_stranger_keeps_no_call_alive(connect: Connect, stranger: FarEnd) -> None:
    line = await connect()
    await line.far.keep_silent(5)
    await attack(stranger, line)  # longer than the time-out of 0.5 s
    assert (await line.log.first(MediaTimeout))[0].leg == "leg-0"


async def test_a_stranger_while_the_media_process_is_followed_by_another(
    engine: ProcessMediaEngine, connect: Connect, stranger: FarEnd
) -> None:
    """Whom it had heard is forgotten; who may be heard is not."""
    line = await connect()
    await line.far.keep_silent(10)
    stranger.aim(line.leg.local)
    sending = asyncio.create_task(stranger.keep_silent(500))
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    await line.log.first(MediaLost)
    await line.leg.reopen()
    await line.leg.listen(True)
    sending.cancel()
    await attack(stranger, line)
    untouched(line, stranger)
    line.far.forget()
    await line.far.talk(VOICE)
    assert await line.log.first(Audio, 10)
    assert len(line.far.arrivals) > 15


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_a_stranger_while_the_caller_holds(connect: Connect, stranger: FarEnd, host: str) -> None:
    line = await connect()
    await line.far.keep_silent(5)
    await line.leg.listen(True)
    await line.leg.update(replace(line.far.description(direction=Direction.SENDONLY), host=host))
    await attack(stranger, line)
    await line.leg.update(line.far.description())
    await stranger.keep_silent(5)
    untouched(line, stranger)
    line.far.forget()
    await line.far.talk(VOICE)
    assert await line.log.first(Audio, 10)
    assert len(line.far.arrivals) > 15


async def test_another_port_of_the_callers_host_takes_over_and_gives_back(connect: Connect) -> None:
    """A NAT that forgot its mapping; and the signalled address when it speaks again."""
    line = await connect()
    await line.far.keep_silent(5)
    moved = await FarEnd.at_loopback()
    moved.aim(line.leg.local)
    await asyncio.sleep(2.1)
    await moved.keep_silent(8)
    await moved.received(5)
    await line.far.keep_silent(1)
    count = len(moved.arrivals)
    line.far.forget()
    await line.far.received(10)
    assert len(moved.arrivals) <= count + 1
    moved.close()


@pytest.mark.parametrize(("sip_host", "admitted"), [("127.0.0.3", True), ("127.0.0.1", False), ("", False)])
async def test_behind_nat_the_host_that_the_sip_came_from_may_speak(
    engine: ProcessMediaEngine, sip_host: str, admitted: bool
) -> None:
    phone = await FarEnd.at_loopback(host="127.0.0.3")
    hidden = replace(phone.description(), host="10.255.255.1", sip_host=sip_host)
    leg = await engine.open("nat", hidden)
    log = Log(leg)
    await leg.listen(True)
    phone.aim(leg.local)
    await phone.talk(VOICE)
    phone.press(KEYS.index("4"))
    await phone.keep_silent(5)
    received = (await leg.stats()).packets_received
    if admitted:
        assert received > 20
        assert [d.key for d in await log.first(Digit)] == ["4"]
        assert await log.first(Audio, 10)
        await phone.received(10)
    else:
        assert (received, phone.arrivals, log.of(Digit), log.of(Audio)) == (0, [], [], [])
    await leg.close()
    phone.close()


async def test_a_new_description_moves_the_call(connect: Connect, stranger: FarEnd) -> None:
    line = await connect()
    await line.far.keep_silent(5)
    await line.leg.update(replace(stranger.description(), host="127.0.0.2"))
    await stranger.received(5)
    stranger.aim(line.leg.local)
    count = len(line.far.arrivals)
    await asyncio.gather(stranger.keep_silent(10), line.far.keep_silent(10))
    assert len(line.far.arrivals) <= count + 2, "what the old address still sends moves nothing back"


@pytest.mark.parametrize("bound", ["::1", "::"])
async def test_over_ipv6_and_over_ipv4_beside_it(bound: str) -> None:
    host = "::1" if bound == "::1" else "127.0.0.1"
    engine = ProcessMediaEngine(bound, PORTS, advertise=[host])
    await engine.start()
    far = await FarEnd.at_loopback(host=host)
    leg = await engine.open("leg", replace(far.description(), host=host))
    log = Log(leg)
    far.aim(leg.local)
    await far.received(5)
    await far.keep_silent(3)
    far.press(KEYS.index("6"))
    assert [d.key for d in await log.first(Digit)] == ["6"]
    assert (await leg.stats()).packets_received == 9
    await leg.close()
    await engine.stop()
    far.close()
