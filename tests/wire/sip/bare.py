"""A SIP peer made of one UDP socket: it sends what it is told, byte for byte, keeps what comes back,
and answers nothing but BYE."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from ivr.config import Address
from ivr.sip.datagrams import RECEIVE_BUFFER
from ivr.sip.message import MalformedMessage, SipRequest, SipResponse, parse_message
from tests.unit.sip.messages import OFFER, request, response


class BarePeer(asyncio.DatagramProtocol):
    """``host`` is what it writes into Via and Contact."""

    def __init__(self, goal: Address) -> None:
        self.goal = goal
        self._arrived: asyncio.Queue[SipRequest | SipResponse] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None
        self.host = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        host, port = transport.get_extra_info("sockname")[:2]
        self.host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        try:
            message = parse_message(data)
        except MalformedMessage:
            return  # a 400 gives back headers that nobody can read
        if isinstance(message, SipRequest) and message.method == "BYE":
            self.send(response(message, 200))
        self._arrived.put_nowait(message)

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(data, (self.goal.host, self.goal.port))

    async def next(self) -> SipRequest | SipResponse:
        async with asyncio.timeout(30):
            return await self._arrived.get()

    @property
    def waiting(self) -> int:
        """How many messages came that nobody has read."""
        return self._arrived.qsize()

    async def final(self) -> SipResponse:
        """The next response that is not provisional."""
        while True:
            message = await self.next()
            if isinstance(message, SipResponse) and message.status_code >= 200:
                return message

    async def asked(self, method: str) -> tuple[int, str]:
        """Send a request outside a dialog; the final answer's status and Retry-After. A refusal is acknowledged."""
        invite = method == "INVITE"
        sent = self.invitation() if invite else request(method, uri=f"sip:{self.goal}", host=self.host)
        self.send(sent)
        answer = await self.final()
        if invite:
            self.send(like(sent, "ACK", to=answer.headers.first("to")))
        return answer.status_code, answer.headers.first("retry-after")

    def invitation(self) -> bytes:
        return request("INVITE", uri=f"sip:line@{self.goal}", host=self.host, body=OFFER)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def bare_peer(goal: Address, host: str = "127.0.0.1") -> AsyncIterator[BarePeer]:
    _, peer = await asyncio.get_running_loop().create_datagram_endpoint(lambda: BarePeer(goal), local_addr=(host, 0))
    try:
        yield peer
    finally:
        peer.close()


def like(invite: bytes, method: str, to: str = "") -> bytes:
    """The CANCEL of an INVITE, or the ACK of its refusal, whose To is ``to`` (RFC 3261 sections 9.1, 17.1.1.3)."""
    kept = []
    for text in invite.partition(b"\r\n\r\n")[0].decode().split("\r\n"):
        name = text.partition(":")[0]
        if name == "To" and to:
            kept.append(f"To: {to}")
        elif name not in ("Contact", "Content-Type", "Content-Length"):
            kept.append(text.replace("INVITE", method))
    return "\r\n".join([*kept, "Content-Length: 0", "", ""]).encode()
