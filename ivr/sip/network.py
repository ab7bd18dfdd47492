"""SIP transport (RFC 3261 section 18): the user agent's UDP, TCP and TLS sockets; it knows bytes and their peers, no
SIP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from enum import StrEnum

import structlog

from ivr.config import Address
from ivr.errors import ConfigError
from ivr.limits import descriptors
from ivr.limits.connections import ConnectionTable
from ivr.limits.throttle import Budgets, CountedLog, source_of
from ivr.sip.certificates import Expected, Shown
from ivr.sip.connection import Connection
from ivr.sip.datagrams import Datagrams
from ivr.sip.message import Peer
from ivr.sip.tls import TlsContexts

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 5.0
HANDSHAKES_RATE, HANDSHAKES_BURST = 20.0, 60.0  # of TLS, with one source; a millisecond and a half each
STRANGE_RATE, STRANGE_BURST = 50.0, 150.0  # with all who have proven nothing yet
MOST_MUTE = 1024
WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound


class Standing(StrEnum):
    """What a host is to us when it connects: a trunk or a party of a call; one that may have credentials; nobody."""

    KNOWN = "known"
    UNPROVEN = "unproven"
    REFUSED = "refused"


class Network:
    """``receive(data, peer)`` gets every datagram and every framed message;
    ``unreachable(peer, reason)`` hears of connections that could not be opened, or closed. Whoever uses it sets the
    rest: ``standing(peer)`` says who may connect, ``expected(peer)`` whom a certificate must name where we do,
    ``known(shown)`` whether one shows somebody whom we know, ``pending(peer)`` whether a request waits for it."""

    def __init__(
        self,
        receive: Callable[[bytes, Peer], None],
        unreachable: Callable[[Peer, str], None],
    ) -> None:
        self.received = receive
        self._unreachable = unreachable
        self.standing: Callable[[Peer], Standing] = lambda peer: Standing.KNOWN
        self.expected: Callable[[Peer], Expected] = lambda peer: Expected(frozenset({peer.name}))
        self.known: Callable[[Shown], bool] = lambda shown: False
        self.pending: Callable[[Peer], bool] = lambda peer: False
        self.contexts: TlsContexts | None = None
        loop = asyncio.get_running_loop()
        self._table = ConnectionTable(descriptors.sip_connections(), loop.time)
        self._turned_away = CountedLog(log, "sip.connection_refused", loop.time)
        self._tls_failed = CountedLog(log, "sip.tls_failed", loop.time)
        self._handshakes = Budgets(HANDSHAKES_RATE, HANDSHAKES_BURST, loop.time)
        self._strange = Budgets(STRANGE_RATE, STRANGE_BURST, loop.time)
        self._mute: dict[Peer, None] = {}  # who answers no keep-alive
        self._probes: dict[int, socket.socket] = {}
        self._datagrams: Datagrams | None = None
        self._servers: list[asyncio.Server] = []
        self._connections: dict[Peer, Connection] = {}
        self._waiting: dict[Peer, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.bound = Address("", 0)
        self.tls_bound = Address("", 0)

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
            _, self._datagrams = await loop.create_datagram_endpoint(
                lambda: Datagrams(self.received, self._unreachable), local_addr=(listen.host, port)
            )
            port = self._datagrams.port
        if "tcp" in transports:
            port = await self._serve(listen.host, port, lambda: Connection(self))
        self.bound = Address(listen.host, port)
        self._prepare_probes(listen.host)

    async def open_tls(self, listen: Address, contexts: TlsContexts) -> None:
        """Bind the listener for TLS; from now on we also connect so. Raises ConfigError."""
        try:
            port = await self._serve(listen.host, listen.port, lambda: Connection(self, tls=contexts.arriving()))
        except OSError as error:
            await self.close()
            raise ConfigError(
                f"cannot listen for SIP over TLS on {listen}: {error.strerror or error}",
                remedy="stop what uses that address, or choose another sip.tls.listen",
            ) from error
        self.contexts = contexts
        self.tls_bound = Address(listen.host, port)
        self._prepare_probes(listen.host)

    async def _serve(self, host: str, port: int, made: Callable[[], Connection]) -> int:
        server = await asyncio.get_running_loop().create_server(made, host, port, backlog=descriptors.backlog())
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def _prepare_probes(self, host: str) -> None:
        if host in WILDCARDS and not self._probes:
            for family in (socket.AF_INET, socket.AF_INET6):  # now, because later there may be no descriptor left
                with contextlib.suppress(OSError):
                    self._probes[family] = socket.socket(family, socket.SOCK_DGRAM)

    def send(self, data: bytes, peer: Peer, fallback: Peer | None = None) -> None:
        """Send without blocking. A stream with ``peer`` is used again, else opened (to ``fallback`` if given)."""
        if not 0 < peer.port < 65536:  # asyncio gives a whole socket up over one such address
            self._unreachable(peer, "no such port")
            return
        if peer.transport == "udp":
            if self._datagrams is None or not self._datagrams.send(data, peer):
                self._unreachable(peer, "no UDP socket")
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

    def shown(self, peer: Peer) -> Shown | None:
        """What ``peer`` showed of itself; None where no TLS connection with it is up."""
        connection = self._connections.get(peer)
        if connection is None or connection.session is None or not connection.session.up:
            return None
        return connection.session.shown

    def listening(self, transport: str) -> Address:
        """Where others reach us over ``transport``."""
        return self.tls_bound if transport == "tls" else self.bound

    def local_host(self, toward: str, transport: str = "") -> str:
        """Return our address as ``toward`` sees it: the listening one, or the interface that routes there."""
        if (host := self.listening(transport).host) not in WILDCARDS:
            return host
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
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None
        while self._servers:
            self._servers.pop().close()
        for connection in tuple(self._connections.values()):
            connection.close()
        for probe in self._probes.values():
            probe.close()
        self._probes.clear()
        await asyncio.sleep(0)  # let the transports run their close callbacks

    # --- sip.connection.Connections ---

    def opened(self, connection: Connection) -> bool:
        peer = connection.peer
        standing = Standing.KNOWN if connection.ours else self.standing(peer)
        proven = standing is Standing.KNOWN
        if standing is Standing.REFUSED:
            self._turned_away.note(peer.host, reason="unknown source", connections=len(self._table))
            return False
        source = source_of(peer.host)
        if connection.shaking and not connection.ours and not self._may_shake(source, proven=proven):
            self._turned_away.note(peer.host, reason="too many handshakes", connections=len(self._table))
            return False
        before = self._table.turned_away
        entered = self._table.enter(peer, source, connection.close, proven=proven, ours=connection.ours)
        if self._table.turned_away > before:
            reason = "too many connections: the oldest idle one goes" if entered else "too many connections"
            self._turned_away.note(peer.host, reason=reason, connections=len(self._table))
        if entered:
            self._connections[peer] = connection
        return entered

    def _may_shake(self, source: str, *, proven: bool) -> bool:
        return self._handshakes.take(source) and (proven or self._strange.take("everybody"))

    def secured(self, connection: Connection) -> None:
        shown = self.shown(connection.peer)
        if shown is not None and self.known(shown):
            self._table.prove(connection.peer)

    def broken(self, connection: Connection, reason: str) -> None:
        if connection.shaking or connection.ours:
            self._tls_failed.note(connection.peer.host, reason=reason, ours=connection.ours)

    def arrived(self, message: bytes, peer: Peer) -> None:
        self._table.active(peer)
        self.received(message, peer)

    def closed(self, connection: Connection) -> None:
        if self._connections.get(connection.peer) is connection:
            del self._connections[connection.peer]
            self._table.leave(connection.peer)
            self._unreachable(connection.peer, connection.reason)

    def pings(self, peer: Peer) -> bool:
        return peer not in self._mute

    def unanswered(self, connection: Connection) -> None:
        """Whoever answered before is gone. Whoever never did may not know of keep-alives: no request is lost for it,
        and it is not asked again."""
        if not connection.pongs:
            while len(self._mute) >= MOST_MUTE:
                del self._mute[next(iter(self._mute))]
            self._mute[connection.peer] = None
            if self.pending(connection.peer):
                return
        connection.close("no answer to a keep-alive")

    async def _connect(self, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        try:
            tls = None
            if peer.transport == "tls":
                if self.contexts is None:
                    raise OSError("no TLS: sip.tls is not configured")
                tls = self.contexts.leaving(peer.name or peer.host, self.expected(peer))
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await loop.create_connection(lambda: Connection(self, peer, tls), peer.host, peer.port)
        except (OSError, TimeoutError) as error:
            self._waiting.pop(peer, None)
            self._unreachable(peer, str(error) or "no connection in time")
            return
        for data in self._waiting.pop(peer, []):
            connection.write(data)
