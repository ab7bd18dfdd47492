"""A real Chromium whose leg is moved from one media process to another, without its page hearing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from ivr.events import Connected, Digit, MediaLost, MediaTimeout
from ivr.media.pool import MediaPool
from tests.wire.browser.conftest import Desk, talking
from tests.wire.media.conftest import PORTS, Line

pytestmark = pytest.mark.wire


@pytest.fixture
async def engine() -> AsyncIterator[MediaPool]:
    running = MediaPool("127.0.0.1", PORTS, processes=2)
    await running.start()
    yield running
    await running.stop()


async def test_a_browser_speaks_and_hears_on_in_another_process(engine: MediaPool, desk: Desk, caller: Line) -> None:
    await desk.connect()
    await desk.leg.bridge(caller.leg)
    there, elsewhere = sorted(engine.engines, key=lambda each: desk.leg not in each.legs)
    port = desk.leg.local.port
    for to, hertz in ((elsewhere, 800), (there, 1000)):
        async with talking(caller.far, hertz):
            await desk.hears(hertz)
            await desk.leg.move(to)
            await desk.leg.bridge(caller.leg)
            assert desk.leg in to.legs and caller.leg in to.legs and desk.leg.local.port == port
            await desk.hears(hertz)
            caller.far.forget()
            await caller.far.received(200)  # 4 s: its sentence comes again within that
            assert max(int(np.abs(frame).max()) for frame in caller.far.signal(caller.far.arrivals)) > 2000
    await desk.page.evaluate("press('5')")
    assert [digit.key for digit in await desk.log.first(Digit)] == ["5"]
    await desk.page.reload()
    await desk.log.first(MediaTimeout, within=10)
    assert len(desk.log.of(Connected)) == 1 and not desk.log.of(MediaLost), "its end is noticed by its silence"
    assert desk.window.complaints == []
