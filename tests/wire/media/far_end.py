"""A telephone's RTP side on a real socket, for talking to the media process."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ivr.media.description import Codec, Direction, MediaDescription
from ivr.media.process.codec import FRAME, SILENCE, Coder, Samples, coder
from ivr.media.process.rtp import Packet, build, parse


@dataclass(frozen=True)
class Arrival:
    at: float
    packet: Packet


class FarEnd(asyncio.DatagramProtocol):
    """Collects what it is sent; sends frames at a 20 ms pace, or single packets."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.coder: Coder = coder(codec.name)
        self.arrivals: list[Arrival] = []
        self.ssrc = 0x1234
        self.sequence = 100
        self.timestamp = 5000
        self.target: tuple[str, int] = ("127.0.0.1", 9)
        self.step = FRAME  # of timestamps
        self._transport: asyncio.DatagramTransport | None = None
        self._fresh = asyncio.Event()

    @classmethod
    async def at_loopback(cls, codec: Codec = Codec("PCMU", 0), *, host: str = "127.0.0.1") -> FarEnd:  # noqa: B008
        """``host``: another of 127.0.0.0/8 is another machine, as far as addresses tell."""
        loop = asyncio.get_running_loop()
        _, far = await loop.create_datagram_endpoint(
            lambda: cls(codec), local_addr=(host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
        return far

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        packet = parse(data)
        if packet is not None:
            self.arrivals.append(Arrival(time.monotonic(), packet))
            self._fresh.set()

    @property
    def port(self) -> int:
        assert self._transport is not None
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    def description(
        self, *, events: int | None = 101, direction: Direction = Direction.SENDRECV, codecs: Sequence[Codec] = ()
    ) -> MediaDescription:
        return MediaDescription("127.0.0.1", self.port, tuple(codecs) or (self.codec,), events, direction)

    def imitate(self, other: FarEnd) -> None:
        """Pretend to be ``other``'s stream: its SSRC, and numbers that go on where it is."""
        self.ssrc, self.sequence, self.timestamp = other.ssrc, other.sequence, other.timestamp

    def aim(self, local: MediaDescription) -> None:
        self.target = (local.host, local.port)

    def raw(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(data, self.target)

    def empty(self) -> None:
        """A datagram without a byte in it, which asyncio would not send."""
        assert self._transport is not None
        with socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno())) as same:
            same.sendto(b"", self.target)

    def send(self, payload: bytes, *, payload_type: int | None = None, timestamp: int | None = None) -> None:
        """One packet; audio moves the timestamp on."""
        kind = self.codec.payload_type if payload_type is None else payload_type
        when = self.timestamp if timestamp is None else timestamp
        self.sequence += 1
        self.raw(build(Packet(kind, False, self.sequence, when, self.ssrc, payload)))
        if timestamp is None:
            self.timestamp += self.step

    async def talk(self, signal: Samples) -> None:
        """Send ``signal`` at the pace of speech."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for index in range(len(signal) // FRAME):
            self.send(self.coder.encode(signal[index * FRAME : (index + 1) * FRAME]))
            await asyncio.sleep(max(0.0, start + (index + 1) * 0.02 - loop.time()))

    async def keep_silent(self, frames: int) -> None:
        for _ in range(frames):
            await self.talk(SILENCE)

    def press(self, key_code: int, *, payload_type: int = 101, updates: int = 3, ends: int = 3) -> None:
        """A whole key press at once, every packet of it."""
        start = self.timestamp
        for index in range(updates):
            duration = 160 * (index + 1)
            self.send(bytes([key_code, 10]) + duration.to_bytes(2, "big"), payload_type=payload_type, timestamp=start)
        for _ in range(ends):
            body = bytes([key_code, 0x8A]) + (160 * updates).to_bytes(2, "big")
            self.send(body, payload_type=payload_type, timestamp=start)
        self.timestamp += 160 * (updates + 1)

    async def received(self, count: int, *, within: float = 30.0) -> list[Arrival]:
        """The first ``count`` arrivals since the last ``forget``."""
        async with asyncio.timeout(within):
            while len(self.arrivals) < count:
                self._fresh.clear()
                await self._fresh.wait()
        return self.arrivals[:count]

    def forget(self) -> None:
        self.arrivals.clear()

    def signal(self, arrivals: Sequence[Arrival]) -> list[Samples]:
        """The audio of ``arrivals``, decoded."""
        return [
            self.coder.decode(a.packet.payload) for a in arrivals if a.packet.payload_type == self.codec.payload_type
        ]

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()
