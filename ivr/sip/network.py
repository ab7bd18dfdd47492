"""SIP transport (RFC 3261 section 18): the user agent's UDP and TCP sockets; it knows bytes and their peers, no SIP."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import Callable, Sequence
from enum import StrEnum
from struct import Struct

import structlog

from ivr.config import Address
from ivr.errors import ConfigError
from ivr.limits import descriptors
from ivr.limits.connections import ConnectionTable
from ivr.limits.throttle import CountedLog, source_of
from ivr.sip.framing import FramingError, StreamFramer
from ivr.sip.message import MAX_MESSAGE, Peer

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 5.0
IDLE_S = 900.0  # a quiet connection is closed; the next request opens another
PARTIAL_S = 30.0  # a message that is not complete so long after its first byte is an attack or a broken peer
UNPROVEN_S = 32.0  # a host that no trunk lists has so long to show credentials
WRITE_LIMIT = 1 << 20
DATAGRAMS_A_TURN = 32
RECEIVE_BUFFER = 1 << 20  # bytes: rides out a burst while the loop is busy; the kernel may grant less
WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
IP_RECVERR, IPV6_RECVERR = 11, 25  # of Linux; Python has no names for them
MOST_ERRORS = 64  # read at once
_ERRNO = Struct("=I")  # the first field of struct sock_extended_err


class Standing(StrEnum):
    """What a host is to us when it connects: a trunk or a party of a call; one that may have credentials; nobody."""

    KNOWN = "known"
    UNPROVEN = "unproven"
    REFUSED = "refused"


def _udp_peer(address: Sequence[object]) -> Peer:
    host = str(address[0]).partition("%")[0].removeprefix("::ffff:")  # IPv4 through a dual-stack socket
    return Peer("udp", host, int(str(address[1])))


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP socket. The event loop gives one datagram a turn. In a flood that is too slow, and what the kernel then
    drops may be a call: what waits beside is taken in the same turn. An ICMP error is told with the peer that it is
    about (section 18.4), where the system says so."""

    def __init__(self, received: Callable[[bytes, Peer], None], unreachable: Callable[[Peer, str], None]) -> None:
        self._received = received
        self._unreachable = unreachable
        self._socket: socket.socket | None = None  # the same one, read without asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        ours = transport.get_extra_info("socket")
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        with contextlib.suppress(OSError):  # a system without error queues: timers decide
            ours.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            if ours.family == socket.AF_INET6:
                ours.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        self._socket = socket.fromfd(ours.fileno(), ours.family, ours.type)

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        self._received(data, _udp_peer(addr))
        for _ in range(DATAGRAMS_A_TURN):
            if self._socket is None:
                return
            try:
                data, addr = self._socket.recvfrom(MAX_MESSAGE + 1)
            except OSError:  # no more for now
                return
            self._received(data, _udp_peer(addr))

    def settle(self) -> None:
        """Read the error queue: an error that waits there would be the answer to the next datagram, whoever it is
        for, and that would not go out."""
        if self._socket is None:
            return
        for _ in range(MOST_ERRORS):
            try:
                _, about, _, address = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            code = next((_ERRNO.unpack_from(data)[0] for *_, data in about if len(data) >= _ERRNO.size), 0)
            # Told later: whoever is sending just now does not expect an answer before it has sent.
            asyncio.get_running_loop().call_soon(self._unreachable, _udp_peer(address), os.strerror(code))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if exc is not None:
            log.critical("sip.udp_socket_lost", error=str(exc), remedy="restart the service")

    def error_received(self, exc: Exception) -> None:
        log.debug("sip.udp_error", error=str(exc))
        self.settle()


class _Connection(asyncio.Protocol):
    """One TCP connection; ``ours``: we opened it."""

    def __init__(self, network: Network, *, ours: bool = False) -> None:
        self._network = network
        self._ours = ours
        self._framer = StreamFramer()
        self._deadline: asyncio.TimerHandle | None = None
        self._probation: asyncio.TimerHandle | None = None
        self._partial = False
        self.transport: asyncio.Transport | None = None
        self.peer = Peer("tcp", "", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream was expected")
        host, port = transport.get_extra_info("peername")[:2]
        self.transport = transport
        self.peer = Peer("tcp", str(host).partition("%")[0].removeprefix("::ffff:"), port)
        if self._network.opened(self, ours=self._ours):
            self._watch(IDLE_S)
            if not self._network.proven(self.peer):
                self._probation = asyncio.get_running_loop().call_later(UNPROVEN_S, self._close_unproven)
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._framer.feed(data)
        except FramingError as error:
            log.debug("sip.stream_broken", peer=self.peer.host, error=str(error))
            for message in error.messages:
                self._network.arrived(message, self.peer)
            self.close()
            return
        for message in messages:
            self._network.arrived(message, self.peer)
        if self._framer.pings and self.transport is not None:
            self._framer.pings = 0
            self.write(b"\r\n")
        partial = self._framer.pending
        if messages or partial != self._partial or not partial:  # dripping bytes buy a message no more time
            self._partial = partial
            self._watch(PARTIAL_S if partial else IDLE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._deadline, self._probation):
            if timer is not None:
                timer.cancel()
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

    def _watch(self, delay: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(delay, self.close)

    def _close_unproven(self) -> None:
        if not self._network.proven(self.peer):
            self.close()


class Network:
    """``receive(data, peer)`` gets every datagram and every framed message;
    ``unreachable(peer, reason)`` hears of connections that could not be opened, or closed; ``standing(host)`` says
    who may connect: whoever uses it sets it."""

    def __init__(
        self,
        receive: Callable[[bytes, Peer], None],
        unreachable: Callable[[Peer, str], None],
    ) -> None:
        self.received = receive
        self._unreachable = unreachable
        self.standing: Callable[[str], Standing] = lambda host: Standing.KNOWN
        loop = asyncio.get_running_loop()
        self._table = ConnectionTable(descriptors.sip_connections(), loop.time)
        self._turned_away = CountedLog(log, "sip.connection_refused", loop.time)
        self._probes: dict[int, socket.socket] = {}
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
            self._v6 = self._udp.get_extra_info("socket").family == socket.AF_INET6
        if "tcp" in transports:
            backlog = descriptors.backlog()
            self._server = await loop.create_server(lambda: _Connection(self), listen.host, port, backlog=backlog)
            port = int(self._server.sockets[0].getsockname()[1])
        self.bound = Address(listen.host, port)
        if listen.host in WILDCARDS:
            for family in (socket.AF_INET, socket.AF_INET6):  # now, because later there may be no descriptor left
                with contextlib.suppress(OSError):
                    self._probes[family] = socket.socket(family, socket.SOCK_DGRAM)

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
        if self.bound.host not in WILDCARDS:
            return self.bound.host
        family = socket.AF_INET6 if ":" in toward else socket.AF_INET
        probe = self._probes.get(family)
        try:
            if probe is None:
                raise OSError("no such addresses on this machine")
            probe.connect((toward, 9))  # UDP: asks the routing table, sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"

    def prove(self, peer: Peer) -> None:
        """Note that ``peer`` showed credentials: its connection may stay."""
        self._table.prove(peer)

    def proven(self, peer: Peer) -> bool:
        return self._table.proven(peer)

    @property
    def connections(self) -> int:
        return len(self._table)

    @property
    def turned_away(self) -> int:
        """How many connections were refused or had to make room."""
        return self._table.turned_away

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
        for probe in self._probes.values():
            probe.close()
        self._probes.clear()
        await asyncio.sleep(0)  # let the transports run their close callbacks

    # --- what connections report ---

    def opened(self, connection: _Connection, *, ours: bool) -> bool:
        """Whether ``connection`` may stay. Of a host that is nobody to us, not a byte is read."""
        peer = connection.peer
        standing = Standing.KNOWN if ours else self.standing(peer.host)
        proven = standing is Standing.KNOWN
        if standing is Standing.REFUSED:
            self._turned_away.note(peer.host, reason="unknown source", connections=len(self._table))
            return False
        before = self._table.turned_away
        entered = self._table.enter(peer, source_of(peer.host), connection.close, proven=proven, ours=ours)
        if self._table.turned_away > before:
            reason = "too many connections: the oldest idle one goes" if entered else "too many connections"
            self._turned_away.note(peer.host, reason=reason, connections=len(self._table))
        if entered:
            self._connections[peer] = connection
        return entered

    def arrived(self, message: bytes, peer: Peer) -> None:
        self._table.active(peer)
        self.received(message, peer)

    def closed(self, connection: _Connection) -> None:
        if self._connections.get(connection.peer) is connection:
            del self._connections[connection.peer]
            self._table.leave(connection.peer)
            self._unreachable(connection.peer, "connection lost")

    async def _connect(self, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await loop.create_connection(lambda: _Connection(self, ours=True), peer.host, peer.port)
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
