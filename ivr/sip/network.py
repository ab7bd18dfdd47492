"""SIP transport (RFC 3261 section 18): the user agent's UDP and TCP sockets, and where messages end on a stream.

It knows bytes and their peers, and no SIP beyond framing."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import re
import socket
from collections.abc import Callable, Sequence
from struct import Struct

import structlog

from ivr.config import Address
from ivr.errors import ConfigError
from ivr.sip.message import MAX_MESSAGE, Peer

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 5.0
IDLE_S = 900.0  # a quiet connection is closed; the next request opens another
PARTIAL_S = 30.0  # half a message for this long is an attack or a broken peer
WRITE_LIMIT = 1 << 20
RECEIVE_BUFFER = 1 << 20  # bytes: rides out a burst while the loop is busy; the kernel may grant less
MAX_CONNECTIONS = 512
MAX_CONNECTIONS_A_HOST = 64
_CONTENT_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
IP_RECVERR, IPV6_RECVERR = 11, 25  # of Linux; Python has no names for them
MOST_ERRORS = 64  # read at once
_ERRNO = Struct("=I")  # the first field of struct sock_extended_err
_PING = b"\r\n\r\n"


class FramingError(ValueError):
    """The stream cannot be followed any further; its connection must go."""


class StreamFramer:
    """It takes bytes and gives whole messages (section 18.3), which may come in parts or in a row, but not endless.
    ``pings`` counts keep-alives (RFC 5626) since last read."""

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._buffer = bytearray()
        self._limit = limit
        self._searched = 0
        self.pings = 0

    @property
    def pending(self) -> bool:
        """Whether part of a message is waiting for the rest."""
        return bool(self._buffer.strip())

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that ``data`` completed. Raises FramingError."""
        self._buffer += data
        messages: list[bytes] = []
        while message := self._next():
            messages.append(message)
        return messages

    def _next(self) -> bytes | None:
        buffer = self._buffer
        while buffer[:2] == b"\r\n":
            if buffer[:4] == _PING:
                self.pings += 1
                del buffer[:4]
            elif bytes(buffer) in (b"\r\n", b"\r\n\r"):
                return None  # half a ping, perhaps: what follows will tell
            else:
                del buffer[:2]
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(buffer)
            if len(buffer) > self._limit:
                raise FramingError("header section too large")
            return None
        lengths = {bytes(value) for value in _CONTENT_LENGTH.findall(bytes(buffer[: end + 2]))}
        if len(lengths) > 1 or not all(value.isdigit() and len(value) <= 6 for value in lengths):
            raise FramingError("bad Content-Length")
        total = end + 4 + (int(lengths.pop()) if lengths else 0)
        if total > self._limit:
            raise FramingError("message too large")
        if len(buffer) < total:
            return None
        message = bytes(buffer[:total])
        del buffer[:total]
        self._searched = 0
        return message


def _udp_peer(address: Sequence[object]) -> Peer:
    host = str(address[0]).partition("%")[0].removeprefix("::ffff:")  # IPv4 through a dual-stack socket
    return Peer("udp", host, int(str(address[1])))


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP socket. An ICMP error is told with the peer that it is about (section 18.4), where the system says so."""

    def __init__(self, received: Callable[[bytes, Peer], None], unreachable: Callable[[Peer, str], None]) -> None:
        self._received = received
        self._unreachable = unreachable
        self._errors: socket.socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        bound = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # a system without error queues: timers decide
            bound.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            if bound.family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
            self._errors = socket.socket(fileno=os.dup(bound.fileno()))

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        self._received(data, _udp_peer(addr))

    def settle(self) -> None:
        """Read the error queue: an error that waits there would be the answer to the next datagram, whoever it is
        for, and that would not go out."""
        if self._errors is None:
            return
        for _ in range(MOST_ERRORS):
            try:
                _, about, _, address = self._errors.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            code = next((_ERRNO.unpack_from(data)[0] for *_, data in about if len(data) >= _ERRNO.size), 0)
            # Told later: whoever is sending just now does not expect an answer before it has sent.
            asyncio.get_running_loop().call_soon(self._unreachable, _udp_peer(address), os.strerror(code))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._errors is not None:
            self._errors.close()
            self._errors = None
        if exc is not None:
            log.critical("sip.udp_socket_lost", error=str(exc), remedy="restart the service")

    def error_received(self, exc: Exception) -> None:
        log.debug("sip.udp_error", error=str(exc))
        self.settle()


class _Connection(asyncio.Protocol):
    """One TCP connection, whoever opened it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._framer = StreamFramer()
        self._deadline: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport | None = None
        self.peer = Peer("tcp", "", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream was expected")
        host, port = transport.get_extra_info("peername")[:2]
        self.transport, self.peer = transport, Peer("tcp", host, port)
        if self._network.opened(self):
            self._watch()
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._framer.feed(data)
        except FramingError as error:
            log.debug("sip.stream_broken", peer=self.peer.host, error=str(error))
            self.close()
            return
        for message in messages:
            self._network.received(message, self.peer)
        if self._framer.pings and self.transport is not None:
            self._framer.pings = 0
            self.transport.write(b"\r\n")
        if messages or self._deadline is None or not self._framer.pending:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._network.closed(self)

    def write(self, data: bytes) -> None:
        if self.transport is None:
            return
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > WRITE_LIMIT:
            self.transport.abort()  # it doesn't read: don't hoard what it will never get

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def _watch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        delay = PARTIAL_S if self._framer.pending else IDLE_S
        self._deadline = asyncio.get_running_loop().call_later(delay, self.close)


class Network:
    """``receive(data, peer)`` gets every datagram and every framed message;
    ``unreachable(peer, reason)`` hears of connections that could not be opened."""

    def __init__(self, receive: Callable[[bytes, Peer], None], unreachable: Callable[[Peer, str], None]) -> None:
        self.received = receive
        self._unreachable = unreachable
        self._udp: asyncio.DatagramTransport | None = None
        self._datagrams = _Datagrams(receive, unreachable)
        self._server: asyncio.Server | None = None
        self._connections: dict[Peer, _Connection] = {}
        self._waiting: dict[Peer, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._v6 = False
        self.bound = Address("", 0)

    async def open(self, listen: Address, transports: Sequence[str]) -> None:
        """Bind the sockets. Port 0 takes one port that is free for every transport. Raises ConfigError."""
        for attempt in range(8):
            try:
                await self._bind(listen, transports)
                return
            except OSError as error:
                await self.close()
                if listen.port == 0 and attempt < 7:
                    continue  # the port chosen for UDP was taken for TCP: choose again
                raise ConfigError(
                    f"cannot listen for SIP on {listen}: {error.strerror or error}",
                    remedy="stop what uses that address, or choose another sip.listen",
                ) from error

    async def _bind(self, listen: Address, transports: Sequence[str]) -> None:
        loop = asyncio.get_running_loop()
        port = listen.port
        if "udp" in transports:
            self._datagrams = _Datagrams(self.received, self._unreachable)
            self._udp, _ = await loop.create_datagram_endpoint(lambda: self._datagrams, local_addr=(listen.host, port))
            port = int(self._udp.get_extra_info("sockname")[1])
            self._udp.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self._v6 = self._udp.get_extra_info("socket").family == socket.AF_INET6
        if "tcp" in transports:
            self._server = await loop.create_server(lambda: _Connection(self), listen.host, port)
            port = int(self._server.sockets[0].getsockname()[1])
        self.bound = Address(listen.host, port)

    def send(self, data: bytes, peer: Peer, fallback: Peer | None = None) -> None:
        """Send without blocking. TCP reuses the connection with ``peer``, else opens one (to ``fallback`` if given)."""
        if not 0 < peer.port < 65536:  # asyncio gives a whole socket up over one such address
            self._unreachable(peer, "no such port")
            return
        if peer.transport == "udp":
            if self._udp is None or self._udp.is_closing():
                self._unreachable(peer, "no UDP socket")
                return
            self._datagrams.settle()
            self._udp.sendto(data, (self._mapped(peer.host), peer.port))
            return
        connection = self._connections.get(peer)
        if connection is not None:
            connection.write(data)
            return
        goal = fallback or peer
        if goal in self._connections:
            self._connections[goal].write(data)
        elif goal in self._waiting:
            if len(self._waiting[goal]) < 64:
                self._waiting[goal].append(data)
        else:
            self._waiting[goal] = [data]
            task = asyncio.get_running_loop().create_task(self._connect(goal))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def connected(self, peer: Peer) -> bool:
        return peer in self._connections

    def local_host(self, toward: str) -> str:
        """Return our address as ``toward`` sees it: the listening one, or the interface that routes there."""
        if self.bound.host not in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
            return self.bound.host
        family = socket.AF_INET6 if ":" in toward else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((toward, 9))  # UDP: asks the routing table, sends nothing
                return str(probe.getsockname()[0])
            except OSError:
                return "::1" if family == socket.AF_INET6 else "127.0.0.1"

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self._connections.values()):
            connection.close()
        await asyncio.sleep(0)  # let the transports run their close callbacks

    # --- what connections report ---

    def opened(self, connection: _Connection) -> bool:
        same_host = sum(1 for peer in self._connections if peer.host == connection.peer.host)
        if len(self._connections) >= MAX_CONNECTIONS or same_host >= MAX_CONNECTIONS_A_HOST:
            log.debug("sip.connection_refused", peer=connection.peer.host, connections=len(self._connections))
            return False
        self._connections[connection.peer] = connection
        return True

    def closed(self, connection: _Connection) -> None:
        if self._connections.get(connection.peer) is connection:
            del self._connections[connection.peer]
            self._unreachable(connection.peer, "connection lost")

    async def _connect(self, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await loop.create_connection(lambda: _Connection(self), peer.host, peer.port)
        except (OSError, TimeoutError) as error:
            self._waiting.pop(peer, None)
            self._unreachable(peer, str(error) or "no connection in time")
            return
        for data in self._waiting.pop(peer, []):
            connection.write(data)

    def _mapped(self, host: str) -> str:
        if self._v6 and ":" not in host:
            with contextlib.suppress(ValueError):
                return f"::ffff:{ipaddress.IPv4Address(host)}"
        return host
