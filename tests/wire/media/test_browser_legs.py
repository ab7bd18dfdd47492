"""Browsers' legs on real sockets, with a pretend browser: keys, strangers, floods, another life of the process."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest

from ivr.errors import MediaUnavailable
from ivr.events import Connected, Digit, MediaLost, MediaTimeout, PlayDone
from ivr.media.clip import Clip
from ivr.media.description import NoCommonCodec
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg
from ivr.media.process.codec import FRAME, PCMU, RATE, Samples, clipped
from ivr.media.process.rtp import Packet, parse
from ivr.media.wire import KEYS
from tests.wire.media.browser_peer import BrowserPeer
from tests.wire.media.conftest import PORTS, Connect, Log

pytestmark = pytest.mark.wire


class Browser(asyncio.DatagramProtocol):
    """A pretend browser on a socket, which collects what it hears."""

    def __init__(self, peer: BrowserPeer) -> None:
        self.peer = peer
        self.target = ("127.0.0.1", 9)
        self.packets: list[Packet] = []
        self.transport: asyncio.DatagramTransport
        self.fresh = asyncio.Event()
        self.left = asyncio.Event()  # the line has hung up

    @classmethod
    async def at_loopback(cls, peer: BrowserPeer | None = None, home: str = "127.0.0.1") -> Browser:
        made = cls(peer or BrowserPeer())
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, local_addr=(home, 0))
        made.transport = transport
        return made

    def begin(self, answer: str, host: str = "127.0.0.1") -> None:
        """As a browser does with an answer: a check, then the handshake."""
        self.peer.answered(answer)
        [self.target] = [each for each in self.peer.candidates if each[0] == host]
        self.send(self.peer.check())

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.transport.sendto(datagram, self.target)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[0] < 4:
            self.send(*self.peer.dtls())
        elif data[0] < 64:
            self.send(*self.peer.dtls(data))
            if self.peer.ended:
                self.left.set()
        elif (clear := self.peer.clear(data)) is not None and (packet := parse(clear)) and packet.payload_type < 72:
            self.packets.append(packet)
            self.fresh.set()

    async def hears(self, count: int) -> list[Packet]:
        async with asyncio.timeout(30):
            while len(self.packets) < count:
                self.fresh.clear()
                await self.fresh.wait()
        return self.packets[:count]

    async def talk(self, signal: Samples) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for index in range(len(signal) // FRAME):
            self.send(self.peer.rtp(PCMU.encode(signal[index * FRAME : (index + 1) * FRAME])))
            await asyncio.sleep(max(0.0, start + (index + 1) * 0.02 - loop.time()))

    def loudest(self) -> int:
        return max((int(np.abs(PCMU.decode(each.payload)).max()) for each in self.packets), default=0)


@pytest.fixture
async def browsers() -> AsyncIterator[list[Browser]]:
    opened: list[Browser] = []
    yield opened
    for each in opened:
        each.transport.close()


async def connected(
    engine: ProcessMediaEngine, browsers: list[Browser], peer: BrowserPeer | None = None
) -> tuple[ProcessMediaLeg, Browser, Log]:
    browser = await Browser.at_loopback(peer)
    browsers.append(browser)
    leg, answer = await engine.open_browser("agent", browser.peer.offer())
    log = Log(leg)
    browser.begin(answer)
    await log.first(Connected)
    return leg, browser, log


def tone(seconds: float, frequency: float = 500) -> Samples:
    return clipped(8000 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE))


async def test_a_browser_is_a_leg_like_any_other(
    engine: ProcessMediaEngine, connect: Connect, browsers: list[Browser]
) -> None:
    leg, browser, log = await connected(engine, browsers)
    caller = await connect()
    await leg.bridge(caller.leg)
    await asyncio.gather(browser.talk(tone(0.5)), caller.far.talk(tone(0.5, 900)))
    await asyncio.gather(browser.hears(20), caller.far.received(20))
    assert browser.loudest() > 6000
    assert max(int(np.abs(frame).max()) for frame in caller.far.signal(caller.far.arrivals)) > 6000
    await leg.play([Clip("beep", tone(0.2).tobytes())], token=1)
    assert (await log.first(PlayDone))[0].completed
    for _ in range(3):
        browser.send(browser.peer.rtp(bytes([KEYS.index("7"), 10, 0, 160]), kind=126, samples=0))
    browser.send(browser.peer.rtp(bytes([KEYS.index("7"), 0x8A, 1, 0]), kind=126, samples=400))
    [digit] = await log.first(Digit)
    assert (digit.key, digit.source) == ("7", "rtp")
    stats = await leg.close()
    assert stats.codec == "PCMU" and stats.packets_lost == 0 and stats.packets_received >= 25
    async with asyncio.timeout(30):
        await browser.left.wait()


async def test_a_flood_of_forged_checks_moves_nobody_and_delays_nobody(
    engine: ProcessMediaEngine, connect: Connect, browsers: list[Browser]
) -> None:
    leg, browser, log = await connected(engine, browsers)
    caller = await connect()
    forger = BrowserPeer()
    forger.their_ufrag, forger.their_password = browser.peer.their_ufrag, secrets.token_hex(16)
    forged = [forger.check() for _ in range(50)] + [browser.peer.check(password="x" * 24) for _ in range(50)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.setblocking(False)
        end = time.monotonic() + 2
        sent = 0
        while time.monotonic() < end:
            for data in forged:
                stranger.sendto(data, browser.target)
                sent += 1
            await asyncio.sleep(0.02)  # 5,000 a second
        with pytest.raises(BlockingIOError):
            stranger.recv(2048)
    assert sent > 2000
    await browser.talk(tone(0.3))
    stats, others = await leg.stats(), await caller.leg.stats()
    assert stats.packets_received >= 10, "and the browser is heard"
    assert others.send_gap_p99_ms <= 60 and stats.packets_failed == 0
    assert [event.state for event in log.of(Connected)] == ["up"]
    await leg.close()


async def test_whoever_shows_another_certificate_is_refused(
    engine: ProcessMediaEngine, browsers: list[Browser]
) -> None:
    browser = await Browser.at_loopback()
    browsers.append(browser)
    browser.peer.fingerprint = "AA:" * 31 + "BB"
    leg, answer = await engine.open_browser("agent", browser.peer.offer())
    log = Log(leg)
    browser.begin(answer)
    [event] = await log.first(Connected)
    assert event.state == "failed" and "certificate" in event.why
    await asyncio.sleep(0.1)
    assert browser.packets == []
    await leg.close()


async def test_a_reoffer_after_a_death_of_the_process_takes_up_everything(
    engine: ProcessMediaEngine, connect: Connect, browsers: list[Browser]
) -> None:
    leg, _, log = await connected(engine, browsers)
    caller = await connect()
    await leg.bridge(caller.leg)
    port = leg.local.port
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    await log.first(MediaLost)
    await caller.log.first(MediaLost)
    await leg.play([Clip("later", tone(0.2).tobytes())], token=4)
    again = await Browser.at_loopback()
    browsers.append(again)
    again.begin(await leg.reoffer(again.peer.offer()))
    await log.first(Connected, 2)
    assert leg.local.port == port
    assert (await log.first(PlayDone))[0] == PlayDone(4, True, 0.2)
    caller.far.aim(await caller.leg.reopen())
    again.packets.clear()
    await caller.far.talk(tone(0.6))
    assert again.loudest() > 6000, "they are joined again"
    await leg.close()


async def test_what_is_reopened_waits_for_the_browsers_offer(
    engine: ProcessMediaEngine, browsers: list[Browser]
) -> None:
    """``reopen`` alone brings no browser back: its keys are gone with the process."""
    leg, _, log = await connected(engine, browsers)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    await log.first(MediaLost)
    await leg.reopen()
    again = await Browser.at_loopback()
    browsers.append(again)
    again.begin(await leg.reoffer(again.peer.offer()))
    await log.first(Connected, 2)
    assert [event.state for event in log.of(Connected)] == ["up", "up"]
    await again.hears(5)
    await leg.close()


async def test_a_browser_that_falls_silent_is_noticed_soon(engine: ProcessMediaEngine, browsers: list[Browser]) -> None:
    leg, browser, log = await connected(engine, browsers)
    await browser.talk(tone(0.3))
    [timeout] = await log.first(MediaTimeout)
    assert 1.8 < timeout.silent_s < 2.5, "by the media process's own clock"
    assert timeout.leg == "agent"
    await leg.close()


async def test_what_is_no_offer_opens_nothing(engine: ProcessMediaEngine, connect: Connect) -> None:
    with pytest.raises(ValueError, match="not a browser's offer"):
        await engine.open_browser("agent", "hello")
    with pytest.raises(NoCommonCodec):
        await engine.open_browser("agent", BrowserPeer(formats="111 126").offer())
    plain = await connect()
    with pytest.raises(ValueError, match="no browser's leg"):
        await plain.leg.reoffer(BrowserPeer().offer())
    leg, answer = await engine.open_browser("agent", BrowserPeer().offer())
    with pytest.raises(ValueError, match="a browser's leg"):
        await leg.update(plain.far.description())
    assert "a=setup:passive" in answer
    await leg.close()


async def test_a_refused_reoffer_leaves_the_leg_as_it_is(engine: ProcessMediaEngine, browsers: list[Browser]) -> None:
    leg, browser, log = await connected(engine, browsers)
    with pytest.raises(NoCommonCodec):
        await leg.reoffer(BrowserPeer(formats="111").offer())
    with pytest.raises(ValueError, match="offer"):
        await leg.reoffer("v=0")
    browser.packets.clear()
    await browser.hears(10)
    assert [event.state for event in log.of(Connected)] == ["up"]
    await leg.close()


@pytest.mark.parametrize("home", ["127.0.0.1", "::1"])
async def test_a_line_of_both_families_is_found_in_both(browsers: list[Browser], home: str) -> None:
    engine = ProcessMediaEngine("::", PORTS, browser_addresses=["127.0.0.1", "::1"])
    await engine.start()
    try:
        browser = await Browser.at_loopback(home=home)
        browsers.append(browser)
        leg, answer = await engine.open_browser("agent", browser.peer.offer())
        log = Log(leg)
        browser.begin(answer, home)
        assert (await log.first(Connected))[0].state == "up"
        await browser.talk(tone(0.2))
        await browser.hears(5)
        assert (await leg.stats()).packets_received == 10
    finally:
        await engine.stop()


async def test_browsers_take_ports_that_callers_may_not_have() -> None:
    low = PORTS[1] - 7
    engine = ProcessMediaEngine("127.0.0.1", (low, low + 7))
    await engine.start()
    try:
        callers = [await engine.open(f"caller {n}", None) for n in range(2)]
        with pytest.raises(MediaUnavailable, match="agents"):
            await engine.open("one too many", None)
        agents = [(await engine.open_browser(f"agent {n}", BrowserPeer().offer()))[0] for n in range(4)]
        assert len({leg.local.port for leg in [*callers, *agents]}) == 6
        with pytest.raises(MediaUnavailable, match="no free port"):
            await engine.open_browser("no more", BrowserPeer().offer())
        await agents[0].close()
        await (await engine.open_browser("again", BrowserPeer().offer()))[0].close()
    finally:
        await engine.stop()
