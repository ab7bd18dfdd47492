"""A network without sockets, so that a whole user agent runs in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ivr.config import Address, SipConfig
from ivr.ports import Leg, RefusedCall, RegistrationLeases
from ivr.sip.addresses import OwnAddresses
from ivr.sip.agent import SipUserAgent
from ivr.sip.locate import Lookup
from ivr.sip.message import Peer, SipRequest, SipResponse, parse_message
from ivr.sip.network import Network
from ivr.sip.registration import PING

FAR = Peer("udp", "192.0.2.9", 5070)
HERE = "192.0.2.1"


class Fabric(Network):
    """Keeps what is sent; ``deliver`` is the far end's packet arriving."""

    def __init__(self, receive: Callable[[bytes, Peer], None], unreachable: Callable[[Peer, str], None]) -> None:
        super().__init__(receive, unreachable)
        self.sent: list[tuple[float, SipRequest | SipResponse, Peer]] = []
        self.pinged: list[tuple[float, Peer]] = []
        self.streams = False  # whether peers take TCP connections
        self.knocked: list[Peer] = []  # where one was wanted
        self._unread: asyncio.Queue[SipRequest | SipResponse] = asyncio.Queue()

    async def open(self, listen: Sequence[Address], transports: Sequence[str]) -> None:
        self.own = OwnAddresses([Address(HERE, 5060)])

    async def connect(self, peer: Peer, timeout_s: float) -> bool:
        self.knocked.append(peer)
        return self.streams

    def send(self, data: bytes, peer: Peer, fallback: Peer | None = None) -> None:
        if data == PING:
            self.pinged.append((asyncio.get_running_loop().time(), peer))
            return
        message = parse_message(data)
        self.sent.append((asyncio.get_running_loop().time(), message, peer))
        self._unread.put_nowait(message)

    async def close(self) -> None:
        return

    def deliver(self, data: bytes, source: Peer = FAR) -> None:
        self.received(data, source)

    async def next(self) -> SipRequest | SipResponse:
        """The next message the agent sent, in order, waiting for it in virtual time."""
        async with asyncio.timeout(3600):
            return await self._unread.get()

    async def request(self, method: str) -> SipRequest:
        """The next request of ``method``; responses and other requests before it are passed over."""
        while True:
            message = await self.next()
            if isinstance(message, SipRequest) and message.method == method:
                return message

    async def response(self, status: int) -> SipResponse:
        while True:
            message = await self.next()
            if isinstance(message, SipResponse) and message.status_code == status:
                return message

    def times(self, what: str) -> list[float]:
        """When messages whose start line begins with ``what`` were sent."""
        return [
            at
            for at, message, _ in self.sent
            if (f"{message.method} " if isinstance(message, SipRequest) else f"{message.status_code} ").startswith(what)
        ]


@asynccontextmanager
async def user_agent(
    *,
    full: Callable[[int], str] = lambda calls: "",
    unready: Callable[[], str] = lambda: "",
    lookup: Lookup | None = None,
    leases: RegistrationLeases | None = None,
    refused: Callable[[RefusedCall], None] = lambda call: None,
    **settings: Any,
) -> AsyncIterator[tuple[SipUserAgent, Fabric, asyncio.Queue[Leg]]]:
    """A started agent that admits 192.0.2.0/24, its fabric, and the legs it reports; ``full`` and ``unready`` as
    SipUserAgent takes them, other ``settings`` as its configuration has them."""
    fabrics: list[Fabric] = []

    def weave(receive: Callable[[bytes, Peer], None], unreachable: Callable[[Peer, str], None]) -> Network:
        fabrics.append(Fabric(receive, unreachable))
        return fabrics[0]

    settings.setdefault("trunks", [{"name": "far", "allow": ["192.0.2.0/24"]}])
    config = SipConfig.model_validate(settings)
    agent = SipUserAgent(
        config, network=weave, full=full, unready=unready, lookup=lookup, leases=leases, refused=refused
    )
    legs: asyncio.Queue[Leg] = asyncio.Queue()
    await agent.start(legs.put_nowait)
    try:
        yield agent, fabrics[0], legs
    finally:
        await agent.stop()
