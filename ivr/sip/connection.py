"""SIP connection (RFC 3261 section 18): one stream, TCP or TLS, with its deadlines and keep-alive (RFC 5626)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from typing import Protocol

import structlog

from ivr.sip.addresses import scoped
from ivr.sip.framing import FramingError, StreamFramer
from ivr.sip.message import Peer
from ivr.sip.tls import TlsFailed, TlsSession

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

IDLE_S = 900.0  # a quiet connection is closed; the next request opens another
PARTIAL_S = 30.0  # a message that is not complete so long after its first byte is an attack or a broken peer
UNPROVEN_S = 32.0  # a host that no trunk lists has so long to show credentials
HANDSHAKE_S = 5.0  # from the first byte to the last, however they come
WRITE_LIMIT = 1 << 20
LOST = "connection lost"
MOST_UNSENT = 64  # messages that wait for a handshake
PING_S = (25.0, 30.0)  # RFC 5626 section 4.4.1 has 80 to 100 % of what keeps a NAT's binding
PONG_S = 10.0
_KERNEL = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 4))


class Connections(Protocol):
    """Whom a connection reports to."""

    def opened(self, connection: Connection) -> bool:
        """Whether it may stay. Of a host that is nobody to us, not a byte is read."""

    def secured(self, connection: Connection) -> None:
        """Its handshake is over, and its ``shown`` stands."""

    def broken(self, connection: Connection, reason: str) -> None:
        """Its TLS failed."""

    def arrived(self, message: bytes, peer: Peer) -> None: ...
    def closed(self, connection: Connection) -> None: ...
    def proven(self, peer: Peer) -> bool: ...
    def pings(self, peer: Peer) -> bool:
        """Whether a connection of ours to ``peer`` is to be kept alive."""

    def unanswered(self, connection: Connection) -> None:
        """Nothing came for PONG_S after a keep-alive."""


class Connection(asyncio.Protocol):
    """``goal``: whom we opened it to, None for one that came. What is written while a handshake goes on waits for it:
    to whom we didn't mean nothing is sent. ``reason``: why it ended; ``pongs``: it has answered a keep-alive."""

    def __init__(self, owner: Connections, goal: Peer | None = None, tls: TlsSession | None = None) -> None:
        self._owner = owner
        self._tls = tls
        self._framer = StreamFramer()
        self._deadline: asyncio.TimerHandle | None = None
        self._probation: asyncio.TimerHandle | None = None
        self._keep_alive: asyncio.TimerHandle | None = None
        self._pinged = False
        self._partial = False
        self._spoke = False
        self._unsent: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.ours = goal is not None
        self.peer = goal or Peer("tcp" if tls is None else "tls", "", 0)
        self.pongs = False
        self.reason = LOST

    @property
    def shaking(self) -> bool:
        """Whether its handshake goes on."""
        return self._tls is not None and not self._tls.up

    @property
    def session(self) -> TlsSession | None:
        return self._tls

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream was expected")
        self.transport = transport
        if not self.ours:
            peername = transport.get_extra_info("peername")
            if not peername:  # it is gone already
                transport.abort()
                return
            self.peer = Peer(self.peer.transport, scoped(peername).removeprefix("::ffff:"), peername[1])
        if not self._owner.opened(self):
            transport.abort()
            return
        kept_alive(transport.get_extra_info("socket"))
        self._watch(HANDSHAKE_S if self.shaking else IDLE_S)
        if not self._owner.proven(self.peer):
            self._probation = asyncio.get_running_loop().call_later(UNPROVEN_S, self._close_unproven)
        self._flush()  # the first of our handshake
        if not self.shaking:
            self._up()

    def data_received(self, data: bytes) -> None:
        if self._tls is not None:
            shaking = not self._tls.up
            try:
                data = self._tls.receive(data)
            except TlsFailed as error:
                self.reason = str(error)
                self._flush()  # the alert that says why
                self._owner.broken(self, self.reason)
                self.close()
                return
            self._flush()
            if shaking and self._tls.up:
                self._owner.secured(self)
                self._watch(IDLE_S)
                self._up()
            if not data:
                return
        self._spoke = True
        self._read(self._heard(data))

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._deadline, self._probation, self._keep_alive):
            if timer is not None:
                timer.cancel()
        if self.ours and self._tls is not None and self._tls.up and not self._spoke and self.reason == LOST:
            self.reason = "closed right after the handshake: it may not believe our certificate"  # TLS 1.3 says it then
        self._owner.closed(self)
        self.transport = self._tls = None

    # --- bytes ---

    def _read(self, data: bytes) -> None:
        try:
            messages = self._framer.feed(data)
        except FramingError as error:
            log.debug("sip.stream_broken", peer=self.peer.host, error=str(error))
            for message in error.messages:
                self._owner.arrived(message, self.peer)
            self.close()
            return
        for message in messages:
            self._owner.arrived(message, self.peer)
        if self._framer.pings and self.transport is not None:
            self._framer.pings = 0
            self.write(b"\r\n")
        partial = self._framer.pending
        if messages or partial != self._partial or not partial:  # dripping bytes buy a message no more time
            self._partial = partial
            self._watch(PARTIAL_S if partial else IDLE_S)

    def write(self, data: bytes) -> None:
        if self.transport is None:
            return
        if self.shaking:
            if len(self._unsent) < MOST_UNSENT:
                self._unsent.append(data)
            return
        if self._tls is None:
            self.transport.write(data)
        else:
            try:
                self._tls.send(data)
            except TlsFailed as error:
                self.reason = str(error)
                self.transport.abort()
                return
            self._flush()
        if self.transport.get_write_buffer_size() > WRITE_LIMIT:
            self.transport.abort()  # it doesn't read: don't hoard what it will never get

    def _flush(self) -> None:
        """Send what TLS wants sent."""
        if self._tls is not None and self.transport is not None and (flight := self._tls.outgoing()):
            self.transport.write(flight)

    def close(self, reason: str = "") -> None:
        self.reason = reason or self.reason
        if self.transport is None:
            return
        if self._tls is not None:
            self._tls.close()
            self._flush()
        self.transport.close()

    # --- time ---

    def _up(self) -> None:
        unsent, self._unsent = self._unsent, []
        for data in unsent:
            self.write(data)
        if self.ours and self._owner.pings(self.peer):
            self._ping_later()

    def _watch(self, delay: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(delay, self._too_late)

    def _too_late(self) -> None:
        self.close("no TLS handshake in time" if self.shaking else "")
        if self.shaking and self.transport is not None:
            self._owner.broken(self, self.reason)
            self.transport.abort()  # nobody reads what it would wait for

    def _close_unproven(self) -> None:
        if not self._owner.proven(self.peer):
            self.close()

    def _ping_later(self) -> None:
        self._pinged = False
        self._keep_alive = asyncio.get_running_loop().call_later(random.uniform(*PING_S), self._ping)

    def _ping(self) -> None:
        self._pinged = True
        self._keep_alive = asyncio.get_running_loop().call_later(PONG_S, self._owner.unanswered, self)
        self.write(b"\r\n\r\n")

    def _heard(self, data: bytes) -> bytes:
        """Whatever comes after a keep-alive shows that somebody is there. Return ``data`` without the answer to it."""
        if not self._pinged or self._keep_alive is None:
            return data
        if data.startswith(b"\r\n") and not data.startswith(b"\r\n\r\n") and not self._framer.pending:
            self.pongs, data = True, data[2:]
        self._keep_alive.cancel()
        self._ping_later()
        return data


def kept_alive(sock: socket.socket | None) -> None:
    """For those that answer no keep-alive of SIP."""
    if sock is None:
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KERNEL:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
