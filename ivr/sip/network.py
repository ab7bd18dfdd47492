"""SIP transport (RFC 3261 section 18): the user agent's UDP and TCP sockets; it knows bytes and their peers, no SIP."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence
from enum import StrEnum

import structlog

from ivr.config import Address
from ivr.errors import ConfigError
from ivr.limits import descriptors
from ivr.limits.connections import ConnectionTable
from ivr.limits.throttle import CountedLog, source_of
from ivr.media.description import ip_version
from ivr.sip.addresses import OwnAddresses, scoped
from ivr.sip.datagrams import Datagrams, bound_socket
from ivr.sip.framing import FramingError, StreamFramer
from ivr.sip.message import Peer

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 5.0
IDLE_S = 900.0  # a quiet connection is closed; the next request opens another
PARTIAL_S = 30.0  # a message that is not complete so long after its first byte is an attack or a broken peer
UNPROVEN_S = 32.0  # a host that no trunk lists has so long to show credentials
WRITE_LIMIT = 1 << 20


class Standing(StrEnum):
    """What a host is to us when it connects: a trunk or a party of a call; one that may have credentials; nobody."""

    KNOWN = "known"
    UNPROVEN = "unproven"
    REFUSED = "refused"


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
        address = transport.get_extra_info("peername")
        self.transport = transport
        self.peer = Peer("tcp", scoped(address), address[1])
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
        self._datagrams: dict[int, Datagrams] = {}  # by IP version
        self._servers: list[asyncio.Server] = []
        self._connections: dict[Peer, _Connection] = {}
        self._waiting: dict[Peer, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.own = OwnAddresses()

    @property
    def bound(self) -> Address:
        """The first address that we listen on."""
        return self.own.first

    async def open(self, listen: Sequence[Address], transports: Sequence[str]) -> None:
        """Bind the sockets, a set for each of ``listen``. Port 0 takes one port that is free for every transport and
        IP version. Raises ConfigError."""
        for attempt in range(8):
            try:
                await self._bind(listen, transports)
                return
            except OSError as error:
                await self.close()
                if any(address.port == 0 for address in listen) and attempt < 7:
                    continue  # the port chosen for one of them was taken for another: choose again
                raise _unbound(listen, error) from error

    async def _bind(self, listen: Sequence[Address], transports: Sequence[str]) -> None:
        chosen = 0
        bound: list[Address] = []
        for wanted in listen:
            address = Address(wanted.host, wanted.port or chosen)
            port = await self._bind_one(address, transports)
            chosen = chosen or (0 if wanted.port else port)
            bound.append(Address(wanted.host, port))
        self.own = OwnAddresses(bound)

    async def _bind_one(self, address: Address, transports: Sequence[str]) -> int:
        """The sockets of one address; its port. Raises OSError."""
        loop = asyncio.get_running_loop()
        port = address.port
        if "udp" in transports:
            sock = await bound_socket(address)
            _, datagrams = await loop.create_datagram_endpoint(
                lambda: Datagrams(self.received, self._unreachable), sock=sock
            )
            self._datagrams[ip_version(address.host)] = datagrams
            port = datagrams.port
        if "tcp" in transports:
            backlog = descriptors.backlog()
            server = await loop.create_server(lambda: _Connection(self), address.host, port, backlog=backlog)
            self._servers.append(server)
            port = int(server.sockets[0].getsockname()[1])
        return port

    def send(self, data: bytes, peer: Peer, fallback: Peer | None = None) -> None:
        """Send without blocking. TCP reuses the connection with ``peer``, else opens one (to ``fallback`` if given)."""
        if not 0 < peer.port < 65536:  # asyncio gives a whole socket up over one such address
            self._unreachable(peer, "no such port")
            return
        if peer.transport == "udp":
            datagrams = self._datagrams.get(ip_version(peer.host))
            if datagrams is None or not datagrams.send(data, peer):
                self._unreachable(peer, f"no UDP socket for IPv{ip_version(peer.host)}: see sip.listen")
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
            self._spawn(goal)

    def connected(self, peer: Peer) -> bool:
        return peer in self._connections

    async def connect(self, peer: Peer, timeout_s: float) -> bool:
        """Whether there is a connection with ``peer``, one being opened if need be, within ``timeout_s``."""
        if peer not in self._connections and peer not in self._waiting:
            self._waiting[peer] = []
            self._spawn(peer)
        opening = [task for task in self._tasks if task.get_name() == _name(peer)]
        if opening:
            await asyncio.wait(opening, timeout=timeout_s)
        return peer in self._connections

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
        for datagrams in self._datagrams.values():
            datagrams.close()
        self._datagrams.clear()
        for server in self._servers:
            server.close()
        self._servers.clear()
        for connection in tuple(self._connections.values()):
            connection.close()
        self.own.close()
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

    def _spawn(self, peer: Peer) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(peer), name=_name(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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


def _name(peer: Peer) -> str:
    return f"sip-connect {peer}"


def _unbound(listen: Sequence[Address], error: OSError) -> ConfigError:
    remedy = "stop what uses that address, or choose another sip.listen"
    if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and any(ip_version(each.host) == 6 for each in listen):
        four = next((str(each) for each in listen if ip_version(each.host) == 4), f"0.0.0.0:{listen[0].port}")
        remedy = f'without IPv6 on this machine: sip.listen = "{four}"; else an address that it has'
    where = " and ".join(map(str, listen))
    return ConfigError(f"cannot listen for SIP on {where}: {error.strerror or error}", remedy=remedy)
