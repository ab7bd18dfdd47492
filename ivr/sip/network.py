"""SIP transport (RFC 3261 section 18): the user agent's UDP, TCP and TLS sockets; it knows bytes and their peers, no
SIP."""

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
from ivr.limits.throttle import Budgets, CountedLog, source_of
from ivr.media.description import ip_version
from ivr.sip.addresses import OwnAddresses
from ivr.sip.certificates import Expected, Shown
from ivr.sip.connection import Connection
from ivr.sip.datagrams import Datagrams, bound_socket
from ivr.sip.message import Peer
from ivr.sip.tls import TlsContexts

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 5.0
HANDSHAKES_RATE, HANDSHAKES_BURST = 20.0, 60.0  # of TLS, with one source; a millisecond and a half each
STRANGE_RATE, STRANGE_BURST = 50.0, 150.0  # with all who have proven nothing yet
MOST_MUTE = 1024


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
        self._datagrams: dict[int, Datagrams] = {}  # by IP version
        self._servers: list[asyncio.Server] = []
        self._connections: dict[Peer, Connection] = {}
        self._waiting: dict[Peer, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.own = OwnAddresses()
        self.own_tls = OwnAddresses()

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
                raise _unbound(listen, error, "sip.listen") from error

    async def _bind(self, listen: Sequence[Address], transports: Sequence[str]) -> None:
        chosen = 0
        bound: list[Address] = []
        for wanted in listen:
            port = await self._bind_one(Address(wanted.host, wanted.port or chosen), transports)
            chosen = chosen or (0 if wanted.port else port)
            bound.append(Address(wanted.host, port))
        self.own = OwnAddresses(bound)

    async def _bind_one(self, address: Address, transports: Sequence[str]) -> int:
        """The sockets of one address; its port. Raises OSError."""
        port = address.port
        if "udp" in transports:
            sock = await bound_socket(address)
            _, datagrams = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Datagrams(self.received, self._unreachable), sock=sock
            )
            self._datagrams[ip_version(address.host)] = datagrams
            port = datagrams.port
        if "tcp" in transports:
            port = await self._serve(address.host, port, lambda: Connection(self))
        return port

    async def open_tls(self, listen: Sequence[Address], contexts: TlsContexts) -> None:
        """Bind the listeners for TLS; from now on we also connect so. Raises ConfigError."""
        bound: list[Address] = []
        try:
            for wanted in listen:
                port = await self._serve(wanted.host, wanted.port, lambda: Connection(self, tls=contexts.arriving()))
                bound.append(Address(wanted.host, port))
        except OSError as error:
            await self.close()
            raise _unbound(listen, error, "sip.tls.listen", "SIP over TLS") from error
        self.contexts = contexts
        self.own_tls = OwnAddresses(bound)

    async def _serve(self, host: str, port: int, made: Callable[[], Connection]) -> int:
        server = await asyncio.get_running_loop().create_server(made, host, port, backlog=descriptors.backlog())
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def send(self, data: bytes, peer: Peer, fallback: Peer | None = None) -> None:
        """Send without blocking. A stream with ``peer`` is used again, else opened (to ``fallback`` if given)."""
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

    def shown(self, peer: Peer) -> Shown | None:
        """What ``peer`` showed of itself; None where no TLS connection with it is up."""
        connection = self._connections.get(peer)
        if connection is None or connection.session is None or not connection.session.up:
            return None
        return connection.session.shown

    def listening(self, transport: str) -> OwnAddresses:
        """Where others reach us over ``transport``."""
        return self.own_tls if transport == "tls" else self.own

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

    def drop_revoked(self) -> None:
        """Who was revoked since they connected is let go of."""
        if self.contexts is None:
            return
        for connection in tuple(self._connections.values()):
            if connection.session is not None and connection.session.revoked(self.contexts.revocations):
                connection.close("its certificate is revoked")

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        for datagrams in self._datagrams.values():
            datagrams.close()
        self._datagrams.clear()
        while self._servers:
            self._servers.pop().close()
        for connection in tuple(self._connections.values()):
            connection.close()
        self.own.close()
        self.own_tls.close()
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

    def _spawn(self, peer: Peer) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(peer), name=_name(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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


def _name(peer: Peer) -> str:
    return f"sip-connect {peer}"


def _unbound(listen: Sequence[Address], error: OSError, key: str, what: str = "SIP") -> ConfigError:
    remedy = f"stop what uses that address, or choose another {key}"
    if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and any(ip_version(each.host) == 6 for each in listen):
        four = next((str(each) for each in listen if ip_version(each.host) == 4), f"0.0.0.0:{listen[0].port}")
        remedy = f'without IPv6 on this machine: {key} = "{four}"; else an address that it has'
    where = " and ".join(map(str, listen))
    return ConfigError(f"cannot listen for {what} on {where}: {error.strerror or error}", remedy=remedy)
