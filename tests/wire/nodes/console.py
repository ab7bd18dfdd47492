"""An agent's console without a browser: the desk's WebSocket, and a browser's end of a phone that says one tone."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np

from ivr.media.process.rtp import parse
from ivr.softphone.g711 import decode, encode
from tests.wire.media.browser_peer import BrowserPeer

HERTZ = 700.0
FRAMES = 50  # of what is heard, at most: a second


def tone(hertz: float, seconds: float) -> bytes:
    """16-bit PCM at 8 kHz."""
    at = np.arange(int(8000 * seconds))
    return (9000 * np.sin(2 * np.pi * hertz * at / 8000)).astype("<i2").tobytes()


def pitch(pcm: bytes) -> float:
    """Hertz of what is loudest, 0 for silence."""
    signal = np.frombuffer(pcm, "<i2").astype(float)
    if len(signal) < 800 or np.abs(signal).max() < 500:
        return 0.0
    return float(np.argmax(np.abs(np.fft.rfft(signal))) * 8000 / len(signal))


class Console(asyncio.DatagramProtocol):
    """``state``: as the service told it last."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._fresh, self._up = asyncio.Event(), asyncio.Event()
        self._peer = BrowserPeer()
        self._transport: asyncio.DatagramTransport | None = None
        self._target = ("127.0.0.1", 9)
        self._tasks: list[asyncio.Task[None]] = []
        self._heard: deque[bytes] = deque(maxlen=FRAMES)
        self.state: dict[str, Any] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, http: str) -> AsyncIterator[Console]:
        """At the line whose HTTP is at this URL, with its phone connected."""
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{http}/desk/socket") as ws:
            console = cls(ws)
            console._tasks.append(asyncio.create_task(console._read()))
            try:
                await console._connect()
                yield console
            finally:
                await console.close()

    async def close(self) -> None:
        """As a tab that is closed without a word: no BYE, no close_notify."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()
        await self._ws.close()

    async def do(self, command: str, **values: object) -> dict[str, Any]:
        """What was answered; ``kind`` is "done" or "refused"."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._ws.send_json({"id": number, "do": command, **values})
        async with asyncio.timeout(15):
            return await self._answers[number]

    async def done(self, command: str, **values: object) -> dict[str, Any]:
        answer = await self.do(command, **values)
        assert answer["kind"] == "done", answer
        return answer

    async def until(self, name: str, *, within_s: float = 30.0) -> dict[str, Any]:
        """``offer``, ``talk`` or ``wrap``, once there is one."""
        async with asyncio.timeout(within_s):
            while not self.state.get(name):
                self._fresh.clear()
                await self._fresh.wait()
        return dict(self.state[name])

    async def until_free(self, *, within_s: float = 30.0) -> None:
        async with asyncio.timeout(within_s):
            while self.state.get("talk") or self.state.get("offer"):
                self._fresh.clear()
                await self._fresh.wait()

    async def is_(self, state: str, *, within_s: float = 30.0) -> None:
        """The agent is idle, in wrap_up, …"""
        async with asyncio.timeout(within_s):
            while self.state.get("me", {}).get("state") != state:
                self._fresh.clear()
                await self._fresh.wait()

    async def joined(self, *, within_s: float = 30.0) -> dict[str, Any]:
        """The conversation."""
        async with asyncio.timeout(within_s):
            while not (self.state.get("talk") or {}).get("joined"):
                self._fresh.clear()
                await self._fresh.wait()
        return dict(self.state["talk"])

    async def hears(self, hertz: float, *, within_s: float = 30.0) -> None:
        """Raises AssertionError with what was heard instead."""
        self._heard.clear()
        end = asyncio.get_running_loop().time() + within_s
        heard = 0.0
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.1)
            heard = pitch(b"".join(list(self._heard)[-15:]))
            if abs(heard - hertz) < 40:
                return
        raise AssertionError(f"the agent heard {heard:.0f} Hz instead of {hertz:.0f}")

    async def hears_nobody(self) -> None:
        """Neither now nor in the next half second."""
        await asyncio.sleep(0.5)  # what was under way
        self._heard.clear()
        await asyncio.sleep(0.5)
        assert pitch(b"".join(self._heard)) == 0.0

    # -- the phone -----------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        answer = await self.done("phone.offer", sdp=self._peer.offer())
        self._peer.answered(answer["sdp"])
        self._target = next(found for found in self._peer.candidates if found[0] == "127.0.0.1")
        self._send(self._peer.check())
        async with asyncio.timeout(10):
            await self._up.wait()
        self._tasks.append(asyncio.create_task(self._talk()))

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        frames = itertools.cycle(encode(tone(HERTZ, 1.0), "PCMU")[n : n + 160] for n in range(0, 8000, 160))
        start = loop.time()
        for count, frame in enumerate(frames):
            self._send(self._peer.rtp(frame))
            await asyncio.sleep(max(0.0, start + (count + 1) * 0.02 - loop.time()))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data[0] < 4:
            self._send(*self._peer.dtls())  # the check was answered
        elif data[0] < 64:
            self._send(*self._peer.dtls(data))
            if self._peer.up:
                self._up.set()
        elif self._peer.up and (clear := self._peer.clear(data)) is not None:
            packet = parse(clear)
            if packet is not None and packet.payload_type == 0:
                self._heard.append(decode(packet.payload, "PCMU").astype("<i2").tobytes())

    def _send(self, *datagrams: bytes) -> None:
        assert self._transport is not None
        for datagram in datagrams:
            self._transport.sendto(datagram, self._target)

    async def _read(self) -> None:
        async for message in self._ws:
            told = message.json()
            if told["kind"] == "state":
                self.state = told
            elif told["kind"] in ("done", "refused"):
                self._answers[told["id"]].set_result(told)
            self._fresh.set()
