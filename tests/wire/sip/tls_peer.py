"""A SIP peer over TLS made of asyncio's streams and the standard library's ``ssl``: another stack than the line's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ivr.config import Address
from ivr.sip.framing import StreamFramer
from ivr.sip.message import SipRequest, SipResponse, parse_message
from tests.certificates import Credentials
from tests.unit.sip.messages import OFFER, request, response

PATIENCE_S = 20.0


def client_context(ca: Path | None, own: Credentials | None = None) -> ssl.SSLContext:
    """For who connects; ``ca`` None believes anybody."""
    context = ssl.create_default_context(cafile=ca)
    context.check_hostname = False
    if ca is None:
        context.verify_mode = ssl.CERT_NONE
    if own is not None:
        context.load_cert_chain(own.pem, own.key_pem)
    return context


def server_context(own: Credentials, client_ca: Path | None = None) -> ssl.SSLContext:
    """For who is connected to; with ``client_ca`` a certificate is demanded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.pem, own.key_pem)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class TlsPeer:
    """One connection. ``pings``: keep-alives that came; ``answers_pings`` them. It says BYE's 200 by itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers_pings: bool) -> None:
        self._reader, self._writer = reader, writer
        self._framer = StreamFramer()
        self._arrived: asyncio.Queue[SipRequest | SipResponse | None] = asyncio.Queue()
        self.answers_pings = answers_pings
        self.pings = 0
        self.pinged = asyncio.Event()
        self.ended = asyncio.Event()
        host, port = writer.get_extra_info("sockname")[:2]
        self.host = f"{host}:{port}"
        self._reading = asyncio.create_task(self._read())

    @property
    def certificate(self) -> bytes:
        """The line's, in DER."""
        found = self._writer.get_extra_info("ssl_object").getpeercert(True)
        assert isinstance(found, bytes)
        return found

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    async def _read(self) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while data := await self._reader.read(65536):
                for raw in self._framer.feed(data):
                    self._take(parse_message(raw))
                if self._framer.pings:
                    self.pings += self._framer.pings
                    self._framer.pings = 0
                    self.pinged.set()
                    if self.answers_pings:
                        self.send(b"\r\n")
        self.ended.set()
        self._arrived.put_nowait(None)

    def _take(self, message: SipRequest | SipResponse) -> None:
        if isinstance(message, SipRequest) and message.method == "BYE":
            self.send(response(message, 200))
        self._arrived.put_nowait(message)

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def abort(self) -> None:
        """Go without a word."""
        self._writer.transport.abort()

    async def next(self) -> SipRequest | SipResponse:
        """Raises ConnectionError once it ended."""
        async with asyncio.timeout(PATIENCE_S):
            message = await self._arrived.get()
        if message is None:
            raise ConnectionError("ended")
        return message

    async def response(self, status: int) -> SipResponse:
        while True:
            message = await self.next()
            if isinstance(message, SipResponse) and message.status_code >= 200:
                assert message.status_code == status, f"{message.status_code} {message.reason_phrase}"
                return message

    async def request(self, method: str) -> SipRequest:
        while True:
            message = await self.next()
            if isinstance(message, SipRequest) and message.method == method:
                return message

    async def call(self, call_id: str) -> SipResponse:
        """Call the line, and acknowledge its answer."""
        self.send(request("INVITE", call_id=call_id, body=OFFER, host=self.host, transport="TLS"))
        ok = await self.response(200)
        self.send(request("ACK", call_id=call_id, to_tag=ok.to.tag, host=self.host, transport="TLS"))
        return ok

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        self._writer.transport.abort()  # asyncio may wait for half a minute for the other end's last word
        self._reading.cancel()
        with suppress(asyncio.CancelledError, ConnectionError, ssl.SSLError):
            await self._reading


@asynccontextmanager
async def connected(
    to: Address, context: ssl.SSLContext, *, source: str = "127.0.0.1", answers_pings: bool = True
) -> AsyncIterator[TlsPeer]:
    """Raises ssl.SSLError or ConnectionError where the line refuses."""
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection(to.host, to.port, ssl=context, local_addr=(source, 0))
    peer = TlsPeer(reader, writer, answers_pings=answers_pings)
    try:
        yield peer
    finally:
        await peer.close()


class TlsServer:
    """Takes the line's connections; ``peers``: each of them, ``taken`` waits for the next."""

    def __init__(self, *, answers_pings: bool = True) -> None:
        self.port = 0
        self.peers: list[TlsPeer] = []
        self._answers_pings = answers_pings
        self._next: asyncio.Queue[TlsPeer] = asyncio.Queue()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = TlsPeer(reader, writer, answers_pings=self._answers_pings)
        self.peers.append(peer)
        self._next.put_nowait(peer)

    async def taken(self) -> TlsPeer:
        async with asyncio.timeout(PATIENCE_S):
            return await self._next.get()

    @classmethod
    @asynccontextmanager
    async def running(cls, context: ssl.SSLContext, *, answers_pings: bool = True) -> AsyncIterator[TlsServer]:
        made = cls(answers_pings=answers_pings)
        server = await asyncio.start_server(made._accepted, "127.0.0.1", 0, ssl=context)
        made.port = server.sockets[0].getsockname()[1]
        try:
            yield made
        finally:
            server.close()
            for peer in made.peers:
                await peer.close()


async def refused(to: Address, context: ssl.SSLContext, source: str = "127.0.0.1") -> bool:
    """Whether the line ends the handshake, or what follows it: with TLS 1.3 a client hears of it only then."""
    try:
        async with connected(to, context, source=source) as peer:
            peer.send(request("OPTIONS", host=peer.host, transport="TLS"))
            await peer.next()
    except (ssl.SSLError, ConnectionError):
        return True
    return False
