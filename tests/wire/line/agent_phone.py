"""An agent's phone made of two sockets: it answers as a test says, moves, holds, and sends RTP only when told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast

from ivr.media.description import Direction
from ivr.sip.message import MalformedMessage, Peer, SipRequest, SipResponse, encode, parse_message, response_to
from tests.wire.media.far_end import FarEnd

_SDP = """v=0
o=agent 1 {version} IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio {port} RTP/AVP 0 101
a=rtpmap:101 telephone-event/8000
a={direction}
"""


class AgentSockets(asyncio.DatagramProtocol):
    """``direction`` is what it answers with; ``rtp`` is where it listens (and talks) now."""

    def __init__(self, rtp: FarEnd, direction: Direction) -> None:
        self.rtp = rtp
        self.direction = direction
        self.invited = asyncio.Event()
        self.acknowledged = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.notified: asyncio.Queue[str] = asyncio.Queue()  # how the transfer that it asked for came on
        self._version = 1
        self._invite: SipRequest | None = None
        self._peer = Peer("udp", "", 0)
        self._answers: asyncio.Queue[SipResponse] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def uri(self) -> str:
        assert self._transport is not None
        return f"sip:agent@127.0.0.1:{self._transport.get_extra_info('sockname')[1]}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            message = parse_message(data)
        except MalformedMessage:
            return
        self._peer = Peer("udp", *addr)
        if isinstance(message, SipResponse):
            if message.status_code >= 200:
                self._answers.put_nowait(message)
        elif message.method == "ACK":
            self.acknowledged.set()
        else:
            self._answer(message)

    def _answer(self, request: SipRequest) -> None:
        response = response_to(request, 200, tag="agent")
        response.headers.set("Contact", f"<{self.uri}>")
        if request.method == "INVITE":
            if self._invite is None:
                self._invite = request
            self.rtp.target = ("127.0.0.1", int(request.text.partition("m=audio ")[2].split()[0]))
            response.carry_sdp(self._sdp())
            self.invited.set()
        elif request.method == "BYE":
            self.hung_up.set()
        elif request.method == "NOTIFY":
            self.notified.put_nowait(request.text.strip())
        self._send(response)

    async def change(self, *, rtp: FarEnd | None = None, direction: Direction = Direction.SENDRECV) -> SipResponse:
        """A re-INVITE: elsewhere, on hold, or back again; not before the first is done (RFC 3261 section 14.1). The
        final answer."""
        if rtp is not None:
            rtp.target = self.rtp.target
            self.rtp = rtp
        self.direction = direction
        answer = await self._request("INVITE", sdp=True)
        self._send(self._inside("ACK"))
        return answer

    async def refer(self, target: str) -> SipResponse:
        """Ask for a blind transfer (RFC 3515); the final answer."""
        return await self._request("REFER", {"Refer-To": f"<{target}>"})

    async def hang_up(self) -> SipResponse:
        return await self._request("BYE")

    async def _request(
        self, method: str, headers: Mapping[str, str] | None = None, *, sdp: bool = False
    ) -> SipResponse:
        """In the call, not before it is settled (RFC 3261 section 14.1); the final answer."""
        async with asyncio.timeout(30):
            await self.acknowledged.wait()
        self._version += 1
        request = self._inside(method)
        for name, value in (headers or {}).items():
            request.headers.set(name, value)
        if sdp:
            request.carry_sdp(self._sdp())
        self._send(request)
        async with asyncio.timeout(30):
            return await self._answers.get()

    def _inside(self, method: str) -> SipRequest:
        assert self._invite is not None
        request = SipRequest(method=method, uri=str(self._invite.contact.uri))
        via = f"SIP/2.0/UDP {self.uri.partition('@')[2]};branch=z9hG4bK{method}{self._version}"
        for name, value in {
            "Via": via,
            "From": f"{self._invite.headers.first('to')};tag=agent",
            "To": self._invite.headers.first("from"),
            "Call-ID": self._invite.call_id,
            "CSeq": f"{self._version} {method}",
            "Max-Forwards": "70",
            "Contact": f"<{self.uri}>",
        }.items():
            request.headers.set(name, value)
        return request

    def _sdp(self) -> str:
        text = _SDP.format(version=self._version, port=self.rtp.port, direction=self.direction.value)
        return text.replace("\n", "\r\n")

    def _send(self, message: SipRequest | SipResponse) -> None:
        assert self._transport is not None
        self._transport.sendto(encode(message), (self._peer.host, self._peer.port))

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


@asynccontextmanager
async def agent_phone(direction: Direction = Direction.SENDRECV) -> AsyncIterator[AgentSockets]:
    rtp = await FarEnd.at_loopback()
    _, phone = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: AgentSockets(rtp, direction), local_addr=("127.0.0.1", 0)
    )
    try:
        yield phone
    finally:
        phone.close()
        rtp.close()
