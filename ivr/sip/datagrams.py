"""SIP over UDP (RFC 3261 section 18): a socket of each IP version, whole bursts in one turn of the loop, and what ICMP
says."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Sequence
from struct import Struct
from typing import cast

import structlog

from ivr.config import Address
from ivr.media.description import ip_version, socket_address
from ivr.sip.addresses import FAMILIES, scoped
from ivr.sip.message import MAX_MESSAGE, Peer

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

DATAGRAMS_A_TURN = 32
RECEIVE_BUFFER = 1 << 20  # bytes: rides out a burst while the loop is busy; the kernel may grant less
IP_RECVERR, IPV6_RECVERR = 11, 25  # of Linux; Python has no names for them
MOST_ERRORS = 64  # read at once
_EXTENDED_ERROR = Struct("=IBB")  # struct sock_extended_err begins: errno, origin, type of the ICMP message
_BY_THE_WAY = frozenset({(2, 4), (2, 11), (3, 2), (3, 3)})  # (origin, type): slow down, hops used up, packet too big
_PASSING = frozenset({errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EINTR})


def _peer(address: Sequence[object]) -> Peer:
    return Peer("udp", scoped(address), int(str(address[1])))


async def bound_socket(address: Address) -> socket.socket:
    """A UDP socket for the one IP version of ``address``. Raises OSError."""
    loop = asyncio.get_running_loop()
    family = FAMILIES[ip_version(address.host)]
    found = await loop.getaddrinfo(address.host, address.port, family=family, type=socket.SOCK_DGRAM)
    _, kind, protocol, _, where = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own, or none
        sock.bind(where)
    except OSError:
        sock.close()
        raise
    return sock


class Datagrams(asyncio.DatagramProtocol):
    """The event loop gives one datagram a turn. In a flood that is too slow, and what the kernel then drops may be a
    call: what waits beside is taken in the same turn. That a peer cannot be reached is told, where the system says so
    (section 18.4)."""

    def __init__(self, received: Callable[[bytes, Peer], None], unreachable: Callable[[Peer, str], None]) -> None:
        self._received = received
        self._unreachable = unreachable
        self._transport: asyncio.DatagramTransport | None = None
        self._socket: socket.socket | None = None  # the same one, read without asyncio
        self._sending: Peer | None = None
        self.port = 0

    def send(self, data: bytes, peer: Peer) -> bool:
        """Send without blocking; False once the socket is gone."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._settle()
        self._sending = peer
        self._transport.sendto(data, socket_address(peer.host, peer.port))
        self._sending = None
        return True

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # --- asyncio.DatagramProtocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # it is one, and no subclass
        transport.max_size = MAX_MESSAGE + 1  # type: ignore[attr-defined]  # asyncio's own is mapped anew for each
        ours = transport.get_extra_info("socket")
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        with contextlib.suppress(OSError):  # a system without error queues: timers decide
            ours.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            if ours.family == socket.AF_INET6:
                ours.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        self._socket = socket.fromfd(ours.fileno(), ours.family, ours.type)
        self.port = int(ours.getsockname()[1])

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        self._received(data, _peer(addr))
        for _ in range(DATAGRAMS_A_TURN):
            if self._socket is None:
                return
            try:
                data, addr = self._socket.recvfrom(MAX_MESSAGE + 1)
            except BlockingIOError:
                return
            except OSError:  # what ICMP said: unread it would wake the loop again and again
                self._settle()
                continue
            self._received(data, _peer(addr))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if exc is not None:
            log.critical("sip.udp_socket_lost", error=str(exc), remedy="restart the service")

    def error_received(self, exc: Exception) -> None:
        log.debug("sip.udp_error", error=str(exc))
        waiting = self._settle()
        code = exc.errno if isinstance(exc, OSError) else None
        if self._sending is not None and not waiting and code not in _PASSING:  # no route, no such kind of address
            self._tell(self._sending, getattr(exc, "strerror", None) or str(exc))

    # --- errors ---

    def _settle(self) -> bool:
        """Read the error queue; whether there was something. An error that waits there would be the answer to the next
        datagram, whoever it is for, and that would not go out."""
        for read in range(MOST_ERRORS):
            if self._socket is None:
                return False
            try:
                _, about, _, address = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return read > 0
            found = (_EXTENDED_ERROR.unpack_from(data) for *_, data in about if len(data) >= _EXTENDED_ERROR.size)
            code, origin, kind = next(found, (0, 0, 0))
            if code not in _PASSING and (origin, kind) not in _BY_THE_WAY:
                self._tell(_peer(address), os.strerror(code))
        return True

    def _tell(self, peer: Peer, reason: str) -> None:
        # Later: whoever is sending just now does not expect an answer before it has sent.
        asyncio.get_running_loop().call_soon(self._unreachable, peer, reason)
