"""A real Chromium whose microphone speaks a sentence, a page that is a phone, and the media process behind it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from playwright.async_api import Browser, Page

from ivr.demo.chromium import chromium, speaking, write_microphone
from ivr.events import Connected
from ivr.media.leg import ProcessMediaLeg
from ivr.media.pool import MediaPool
from ivr.softphone.voices import CallerVoice
from tests.web.browser import Window, window
from tests.wire.media.conftest import PORTS, Line, Log
from tests.wire.media.far_end import FarEnd

HERE = Path(__file__).parent
SENTENCE = "move casablanca to the top"


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that says SENTENCE, and says it again after a pause."""
    path = tmp_path_factory.mktemp("microphone") / "sentence.wav"
    return write_microphone(path, CallerVoice("joe").speak(SENTENCE))


@pytest.fixture
async def browser(microphone: Path) -> AsyncIterator[Browser]:
    async with chromium(*speaking(microphone)) as running:
        yield running


@pytest.fixture
async def engine() -> AsyncIterator[MediaPool]:
    running = MediaPool("127.0.0.1", PORTS)
    await running.start()
    yield running
    await running.stop()


class Desk:
    """The web side: takes the page's offers to the media process."""

    def __init__(self, engine: MediaPool, browser: Browser) -> None:
        self.engine = engine
        self.browser = browser
        self.url = ""
        self.leg: ProcessMediaLeg
        self.log: Log
        self.window: Window

    @property
    def page(self) -> Page:
        return self.window.page

    async def offer(self, request: web.Request) -> web.Response:
        self.leg, answer = await self.engine.open_browser("agent", await request.text())
        self.log = Log(self.leg)
        return web.Response(text=answer)

    async def reoffer(self, request: web.Request) -> web.Response:
        return web.Response(text=await self.leg.reoffer(await request.text()))

    async def connect(self) -> float:
        """The page's phone is up; milliseconds from the click."""
        await self.page.goto(self.url)
        took: float = await self.page.evaluate("connect('/offer')")
        await self.log.first(Connected)
        return took

    async def heard(self) -> tuple[float, float]:
        """Hertz and level of what the page hears just now."""
        found = await self.page.evaluate("heard()")
        return found["hertz"], found["level"]

    async def hears(self, hertz: float, *, within: float = 30.0) -> float:
        """Wait until the page hears that tone; its level."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            found, level = await self.heard()
            if level > 0.02 and abs(found - hertz) < 40:
                return level
            await asyncio.sleep(0.05)
        pytest.fail(f"the page heard {await self.heard()} instead of {hertz} Hz")

    async def renderers(self) -> list[int]:
        """Process numbers of everything that runs pages."""
        session = await self.browser.new_browser_cdp_session()
        processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
        await session.detach()
        return [each["id"] for each in processes if each["type"] == "renderer"]


@pytest.fixture
async def desk(engine: MediaPool, browser: Browser) -> AsyncIterator[Desk]:
    desk = Desk(engine, browser)
    app = web.Application()
    app.add_routes(
        [
            web.get("/", _shown("phone.html")),
            web.get("/phone.js", _shown("phone.js")),
            web.post("/offer", desk.offer),
            web.post("/reoffer", desk.reoffer),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    desk.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with window(browser) as opened:
        desk.window = opened
        yield desk
    await runner.cleanup()


def _shown(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def show(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(HERE / name)

    return show


@pytest.fixture
async def caller(engine: MediaPool) -> AsyncIterator[Line]:
    """A plain leg to join the browser with."""
    far = await FarEnd.at_loopback()
    leg = await engine.open("caller", far.description())
    far.aim(leg.local)
    line = Line(leg, far)
    yield line
    await leg.close()
    await line.log.ended()
    far.close()


@pytest.fixture
def stopped() -> Iterator[list[int]]:
    """Processes that the test has stopped: they go on afterwards."""
    numbers: list[int] = []
    yield numbers
    for number in numbers:
        os.kill(number, signal.SIGCONT)


@asynccontextmanager
async def talking(far: FarEnd, hertz: float) -> AsyncIterator[None]:
    """The far end plays a tone meanwhile."""

    async def tone() -> None:
        at = 0
        while True:
            signal = 8000 * np.sin(2 * np.pi * hertz * np.arange(at, at + 1600) / 8000)
            await far.talk(signal.astype(np.int16))
            at += 1600

    task = asyncio.create_task(tone())
    try:
        yield
    finally:
        task.cancel()
