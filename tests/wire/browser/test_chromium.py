"""A real Chromium as an agent's phone: both ways by ear, keys, a reload, its end, its freezing, our process's death."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import numpy as np
import pytest

from ivr.events import Cause, Connected, Digit, MediaLost, MediaTimeout
from ivr.media.process.codec import Samples
from ivr.ports import SpeechGrammar
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from tests.wire.browser.conftest import SENTENCE, Desk, talking
from tests.wire.media.conftest import Line
from tests.wire.media.far_end import FarEnd

pytestmark = pytest.mark.wire

GRAMMAR = SpeechGrammar("main", "en-US", (SENTENCE, "move vertigo to the top", "what's next", "agent", "yes", "no"))
NOTICED_S = 2.5


async def utterance(far: FarEnd) -> Samples:
    """The next whole one that ``far`` hears: between two pauses of half a second."""
    far.forget()
    frames: list[Samples] = []
    quiet, began = 0, None
    async with asyncio.timeout(20):
        while True:
            await far.received(len(frames) + 1)
            for arrival in far.arrivals[len(frames) :]:
                frame = far.coder.decode(arrival.packet.payload)
                loud = bool(np.abs(frame).max() > 700)
                if loud and began is None and quiet >= 25:
                    began = len(frames)
                quiet = 0 if loud else quiet + 1
                frames.append(frame)
                if began is not None and quiet >= 25:
                    return np.concatenate(frames[began - 15 :])


async def test_what_the_agent_says_is_understood_by_the_caller_and_the_other_way_round(
    desk: Desk, caller: Line
) -> None:
    took = await desk.connect()
    print(f"click to connected: {took:.0f} ms")
    await desk.leg.bridge(caller.leg)
    async with talking(caller.far, 1000):
        said = await utterance(caller.far)
        level = await desk.hears(1000)
    print(f"said for {len(said) / 8000:.1f} s; the page heard the tone at {level:.2f}")
    recogniser = MoonshineRecogniser()
    recogniser.load()
    recognition = recogniser.recognise(said.astype(np.float32) / np.float32(32768), GRAMMAR)
    assert recognition.cause is Cause.SUCCESS
    assert recognition.nbest[0].text == SENTENCE, recognition
    assert desk.window.complaints == []


async def test_keys_of_the_page_are_digits(desk: Desk, caller: Line) -> None:
    await desk.connect()
    await desk.leg.bridge(caller.leg)
    await desk.page.evaluate("press('5#')")
    assert [digit.key for digit in await desk.log.first(Digit, 2)] == ["5", "#"]


async def test_the_browser_learns_round_trip_and_loss_from_us(desk: Desk) -> None:
    await desk.connect()
    async with asyncio.timeout(20):
        found = await desk.page.evaluate("reported()")
    assert 0 <= found["trip"] < 1
    assert found["lost"] < 10
    for _ in range(75):  # its next report, which is about one of ours
        if (stats := await desk.leg.stats()).round_trip_ms is not None:
            break
        await asyncio.sleep(0.2)
    assert stats.round_trip_ms is not None and stats.round_trip_ms < 1000, "and we from its"
    assert stats.packets_failed == 0


async def test_a_page_that_is_loaded_again_has_its_call_back(desk: Desk, caller: Line) -> None:
    await desk.connect()
    await desk.leg.bridge(caller.leg)
    async with talking(caller.far, 800):
        await desk.hears(800)
        await desk.page.reload()
        began = time.monotonic()
        await desk.page.evaluate("connect('/reoffer')")
        await desk.hears(800)
        print(f"heard again {time.monotonic() - began:.1f} s after the reload")
        await utterance(caller.far)
    assert [event.state for event in desk.log.of(Connected)] in (["up", "closed", "up"], ["up", "up"])


async def test_another_network_path_keeps_the_call(desk: Desk, caller: Line) -> None:
    """``restartIce``: other passwords, the same certificate, no other handshake."""
    await desk.connect()
    await desk.leg.bridge(caller.leg)
    async with talking(caller.far, 800):
        await desk.hears(800)
        await desk.page.evaluate("restart('/reoffer')")
        await desk.log.first(Connected, 2)
        await utterance(caller.far)
        await desk.hears(800)
    assert [event.state for event in desk.log.of(Connected)] == ["up", "up"]


async def test_after_the_media_process_died_the_page_offers_again(desk: Desk, caller: Line) -> None:
    await desk.connect()
    await desk.leg.bridge(caller.leg)
    [engine] = desk.engine.engines
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    await desk.log.first(MediaLost)
    await caller.log.first(MediaLost)
    caller.far.aim(await caller.leg.reopen())
    await desk.page.evaluate("connect('/reoffer')")
    await desk.log.first(Connected, 2)
    async with talking(caller.far, 900):
        await desk.hears(900)
        await utterance(caller.far)


async def test_a_muted_page_is_there(desk: Desk) -> None:
    await desk.connect()
    await desk.page.evaluate("mute(true)")
    before = await desk.leg.stats()
    await asyncio.sleep(3)
    after = await desk.leg.stats()
    assert after.packets_received - before.packets_received > 100
    assert desk.log.of(MediaTimeout) == []


@pytest.mark.parametrize("how", ["hang up", "leave"])
async def test_a_page_that_ends_its_phone_is_noticed_at_once(desk: Desk, how: str) -> None:
    await desk.connect()
    began = time.monotonic()
    await (desk.page.evaluate("hangUp()") if how == "hang up" else desk.page.goto("about:blank"))
    connected = await desk.log.first(Connected, 2)
    print(f"{how}: noticed after {(time.monotonic() - began) * 1000:.0f} ms")
    assert [event.state for event in connected] == ["up", "closed"]
    assert desk.log.of(MediaTimeout) == [], "it was told, and not missed"


async def test_a_tab_that_is_closed_is_noticed(desk: Desk) -> None:
    """Its process is ended, and says nothing."""
    await desk.connect()
    await asyncio.sleep(0.5)
    began = time.monotonic()
    await desk.page.close()
    ends = asyncio.create_task(desk.log.first(Connected, 2)), asyncio.create_task(desk.log.first(MediaTimeout))
    _, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    print(f"tab closed: noticed after {time.monotonic() - began:.2f} s by {desk.log.all[-1]}")
    assert all(timeout.silent_s < NOTICED_S for timeout in desk.log.of(MediaTimeout)), (
        "by the media process's own clock"
    )


async def test_a_browser_that_freezes_is_noticed(desk: Desk, stopped: list[int]) -> None:
    await desk.connect()
    await asyncio.sleep(0.5)
    for number in await desk.renderers():
        os.kill(number, signal.SIGSTOP)
        stopped.append(number)
    began = time.monotonic()
    [timeout] = await desk.log.first(MediaTimeout)
    print(f"frozen: noticed after {time.monotonic() - began:.2f} s")
    assert 2.0 <= timeout.silent_s < NOTICED_S, "by the media process's own clock"
