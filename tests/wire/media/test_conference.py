"""Legs that hear sets of legs: conferences, supervisors, holds and taps; the process killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from ivr.errors import MediaUnavailable
from ivr.events import Digit, MediaLost, PlayDone, Tapped
from ivr.media.clip import Clip
from ivr.media.description import G722, PCMA, PCMU, Codec
from ivr.media.engine import ProcessMediaEngine
from ivr.media.process.codec import FRAME, Samples, coder
from ivr.media.wire import KEYS
from tests.wire.media.conftest import Connect, Line
from tests.wire.media.test_bridge import level_at, tone

pytestmark = pytest.mark.wire

HERTZ = (400, 650, 900)


async def all_talk(lines: Sequence[Line], seconds: float = 0.6) -> None:
    """At once, each a tone of its own; only what is heard from now on counts."""
    await asyncio.gather(*(line.leg.stats() for line in lines))
    for line in lines:
        line.far.forget()
    await asyncio.gather(*(line.far.talk(tone(hertz, seconds)) for line, hertz in zip(lines, HERTZ, strict=False)))


def heard(line: Line) -> list[bool]:
    """Which of the tones."""
    return [level_at(line, hertz) > 4000 for hertz in HERTZ]


async def test_listen_whisper_barge_hold_and_back(connect: Connect) -> None:
    caller, agent, supervisor = lines = [await connect(), await connect(PCMA), await connect(G722)]
    await caller.leg.bridge(agent.leg)
    await supervisor.leg.hear([caller.leg, agent.leg])
    await all_talk(lines)
    assert [heard(line) for line in lines] == [[False, True, False], [True, False, False], [True, True, False]]
    await agent.leg.hear([caller.leg, supervisor.leg])
    await all_talk(lines)
    assert [heard(line) for line in lines] == [[False, True, False], [True, False, True], [True, True, False]]
    await caller.leg.hear([agent.leg, supervisor.leg])
    await all_talk(lines)
    assert [heard(line) for line in lines] == [[False, True, True], [True, False, True], [True, True, False]]
    await caller.leg.hear([])
    await agent.leg.hear([supervisor.leg])
    await caller.leg.play([Clip("music", tone(1500, 5.0).tobytes())], token=1)
    await all_talk(lines)
    assert heard(caller) == [False] * 3 and level_at(caller, 1500) > 6000
    assert heard(agent) == [False, False, True]
    await caller.leg.stop_playing()
    await supervisor.leg.close()
    await caller.leg.bridge(agent.leg)
    await all_talk(lines[:2])
    assert [heard(line) for line in lines[:2]] == [[False, True, False], [True, False, False]]


async def test_who_closes_leaves_the_two_others_together(connect: Connect) -> None:
    lines = [await connect(), await connect(), await connect()]
    for line in lines:
        await line.leg.hear([other.leg for other in lines if other is not line])
    await all_talk(lines)
    assert [heard(line) for line in lines] == [[False, True, True], [True, False, True], [True, True, False]]
    await lines[2].leg.close()
    await all_talk(lines[:2])
    assert [heard(line) for line in lines[:2]] == [[False, True, False], [True, False, False]]
    await lines[0].leg.hear([lines[2].leg, lines[1].leg, lines[1].leg])
    await all_talk(lines[:2])
    assert heard(lines[0]) == [False, True, False], "who is closed already is nobody"
    with pytest.raises(ValueError, match="itself"):
        await lines[0].leg.hear([lines[0].leg])
    with pytest.raises(MediaUnavailable):
        await lines[2].leg.hear([lines[0].leg])
    await lines[2].leg.hear([])


async def test_what_arrives_is_sent_on_before_the_tick(connect: Connect) -> None:
    """By far: the tick's way takes 40 ms, and a busy machine adds to both."""
    caller, agent = await connect(PCMU), await connect(Codec("PCMU", 96))
    await caller.leg.bridge(agent.leg)
    await caller.far.keep_silent(5)
    delays: list[float] = []
    for mark in range(40):
        sent = asyncio.get_running_loop().time()
        payload = bytes([mark]) * FRAME
        caller.far.send(payload)
        await asyncio.sleep(0.02)
        delays += [a.at - sent for a in agent.far.arrivals if a.packet.payload == payload]
    assert len(delays) >= 38
    assert sorted(delays)[len(delays) // 2] < 0.012
    packets = [arrival.packet for arrival in agent.far.arrivals]
    assert len({packet.ssrc for packet in packets}) == 1
    assert {packet.payload_type for packet in packets} == {96}
    assert [packet.sequence for packet in packets] == [(packets[0].sequence + n) & 0xFFFF for n in range(len(packets))]


async def test_keys_of_one_reach_all_who_hear_it(connect: Connect) -> None:
    lines = [await connect(), await connect(events=96), await connect(events=97)]
    for line in lines:
        await line.leg.hear([other.leg for other in lines if other is not line])
    await lines[0].far.keep_silent(3)
    lines[0].far.press(KEYS.index("7"))
    await lines[0].far.keep_silent(15)
    assert [digit.key for digit in await lines[0].log.first(Digit)] == ["7"]
    for line, kind in zip(lines[1:], (96, 97), strict=True):
        events = [a.packet for a in line.far.arrivals if a.packet.payload_type == kind]
        assert [KEYS[event.payload[0]] for event in events if event.marker] == ["7"]


def recorded(line: Line) -> Samples:
    return np.concatenate([coder(part.codec).decode(part.payload) for part in line.log.of(Tapped)])


@pytest.mark.parametrize("codec", [PCMU, G722])
async def test_two_taps_of_a_bridge_are_in_step(connect: Connect, codec: Codec) -> None:
    caller, agent = await connect(codec), await connect(PCMU)
    await caller.leg.bridge(agent.leg)
    await caller.leg.tap(True)
    await agent.leg.tap(True)
    await asyncio.gather(caller.far.talk(tone(400, 2.4)), agent.far.talk(tone(900, 1.2)))
    for line in (caller, agent):
        await line.leg.tap(False)
        await line.leg.stats()
    parts = [line.log.of(Tapped) for line in (caller, agent)]
    assert all(len(part) >= 3 for part in parts), "not all at the end"
    assert abs(parts[0][0].at - parts[1][0].at) < 0.025
    lengths = [len(recorded(line)) for line in (caller, agent)]
    assert abs(lengths[0] - lengths[1]) <= FRAME
    assert lengths[0] >= 2.3 * 8000
    for part in parts:
        for before, after in pairwise(part):
            assert after.at == pytest.approx(before.at + len(before.payload) / 8000, abs=0.001)
    assert {event.codec for part in parts for event in part} == {"PCMU"}
    assert abs(recorded(caller)[8000:16000]).max() > 7000
    assert abs(recorded(agent)[-4000:]).max() < 200, "silence where nothing came"


async def test_a_tap_says_what_it_has_when_its_leg_closes(connect: Connect) -> None:
    line = await connect()
    await line.leg.tap(True)
    await line.far.talk(tone(400, 0.3))
    await line.leg.close()
    await line.log.ended()
    assert len(recorded(line)) >= 0.25 * 8000


async def test_conferences_and_taps_outlive_the_process(engine: ProcessMediaEngine, connect: Connect) -> None:
    lines = [await connect(), await connect(), await connect()]
    for line in lines:
        await line.leg.hear([other.leg for other in lines if other is not line])
    await lines[1].leg.tap(True)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    for line in lines:
        await line.log.first(MediaLost)
    await lines[0].leg.hear([lines[1].leg])
    for line in reversed(lines):
        await line.leg.reopen()
    before = len(lines[1].log.of(Tapped))
    await all_talk(lines, 1.2)
    assert [heard(line) for line in lines] == [[False, True, False], [True, False, True], [True, True, False]]
    await lines[1].log.first(Tapped, before + 1)
    await lines[0].leg.play([Clip("end", tone(700, 0.1).tobytes())], token=1)
    await lines[0].log.first(PlayDone)
