"""Two legs joined: audio both ways, keys across, whispers to one."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from ivr.errors import MediaUnavailable
from ivr.events import Audio, Digit, PlayDone
from ivr.media.clip import Clip
from ivr.media.description import G722, PCMA, PCMU, Codec
from ivr.media.process.codec import RATE, Samples, clipped, faded
from ivr.media.wire import KEYS
from tests.wire.media.conftest import Connect, Line

pytestmark = pytest.mark.wire


def tone(frequency: float, seconds: float) -> Samples:
    return faded(clipped(8000 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)), 160)


def level_at(line: Line, frequency: float) -> float:
    """The strongest 20 ms of ``frequency`` in what ``line``'s far end has heard, as an amplitude."""
    basis = np.exp(-2j * np.pi * frequency * np.arange(160) / RATE)
    return max((float(abs(np.dot(frame, basis))) / 80 for frame in line.far.signal(line.far.arrivals)), default=0.0)


@pytest.mark.parametrize(("left", "right"), [(PCMU, PCMU), (PCMU, PCMA), (PCMA, G722), (G722, G722)])
async def test_both_hear_each_other(connect: Connect, left: Codec, right: Codec) -> None:
    caller, agent = await connect(left), await connect(right)
    await caller.leg.bridge(agent.leg)
    await asyncio.gather(caller.far.talk(tone(500, 0.5)), agent.far.talk(tone(900, 0.5)))
    await asyncio.gather(caller.far.received(30), agent.far.received(30))
    assert level_at(agent, 500) > 6000
    assert level_at(caller, 900) > 6000
    assert level_at(caller, 500) < 1000
    await caller.leg.bridge(None)
    await caller.leg.stats()
    for line in (caller, agent):
        line.far.forget()
    await asyncio.gather(caller.far.talk(tone(500, 0.3)), agent.far.talk(tone(900, 0.3)))
    assert level_at(agent, 500) < 100
    assert level_at(caller, 900) < 100


async def test_a_whisper_is_heard_by_one(connect: Connect) -> None:
    caller, agent = await connect(), await connect(PCMA)
    await caller.leg.bridge(agent.leg)
    await agent.leg.whisper([Clip("whisper", tone(1500, 0.3).tobytes())], token=5)
    await caller.far.talk(tone(500, 0.6))
    [done] = await agent.log.first(PlayDone)
    assert done == PlayDone(5, True, done.played_s)
    assert level_at(agent, 1500) > 6000
    assert level_at(agent, 500) > 6000  # and goes on hearing the caller
    assert level_at(caller, 1500) < 100


async def test_keys_cross_the_bridge_once_each(connect: Connect) -> None:
    caller, agent = await connect(), await connect(PCMA, events=96)
    await caller.leg.bridge(agent.leg)
    await caller.far.keep_silent(3)
    for key in "4#":
        caller.far.press(KEYS.index(key))
        await caller.far.keep_silent(12)
    assert [d.key for d in await caller.log.first(Digit, 2)] == ["4", "#"]
    events = [a.packet for a in agent.far.arrivals if a.packet.payload_type == 96]
    assert [KEYS[e.payload[0]] for e in events if e.marker] == ["4", "#"]
    assert sum(bool(e.payload[1] & 0x80) for e in events) == 6
    assert len({e.timestamp for e in events}) == 2
    assert agent.log.of(Digit) == []


async def test_keys_reach_a_far_end_without_events_as_tones(connect: Connect) -> None:
    caller, agent = await connect(), await connect(events=None)
    await caller.leg.bridge(agent.leg)
    await caller.far.keep_silent(3)
    caller.far.press(KEYS.index("5"))
    await caller.far.keep_silent(12)
    assert level_at(agent, 770) > 3000
    assert level_at(agent, 1336) > 3000


async def test_both_sides_can_be_listened_to_while_they_talk(connect: Connect) -> None:
    caller, agent = await connect(), await connect()
    await caller.leg.bridge(agent.leg)
    await agent.leg.listen(True)
    await agent.far.talk(tone(900, 0.3))
    await agent.log.first(Audio, 10)
    assert caller.log.of(Audio) == []


async def test_when_one_leg_closes_the_other_hears_silence_and_lives(connect: Connect) -> None:
    caller, agent = await connect(), await connect()
    await caller.leg.bridge(agent.leg)
    await agent.far.talk(tone(900, 0.2))
    await agent.leg.close()
    await caller.leg.stats()
    caller.far.forget()
    await caller.far.received(10)
    assert level_at(caller, 900) < 100
    await caller.leg.play([Clip("sorry", tone(700, 0.1).tobytes())], token=1)
    assert (await caller.log.first(PlayDone))[0].completed
    with pytest.raises(MediaUnavailable):
        await caller.leg.bridge(agent.leg)
