"""The transport of an RTP session: how its packets travel, as the session sees it, and the UDP ports that they use."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from ivr.media.description import BrowserAgreement, DtlsAgreement, Keying, socket_address
from ivr.media.process.latch import Address, Latch
from ivr.media.process.srtp import Protection

Taker: TypeAlias = Callable[[bytes, Address, float], None]  # a packet in the clear, where it came from, when
Change: TypeAlias = Callable[[Literal["up", "closed", "failed"], str, float], None]  # ``events.Connected``, and when
Sending: TypeAlias = Callable[[bytes, Address], object]  # a packet, where to
Reader: TypeAlias = Callable[[float], None]  # to be called, with the time, when its socket has something

_ONCE = range(1)
_OFTEN = range(64)  # datagrams taken at once of a far end that keeps sending: strangers may, and it must be heard
_FLOOD_S = 0.008  # between two of them; telephones leave 10 ms and more
_LONGEST = 2048
_MAPPED = "::ffff:"  # IPv4 through an IPv6 socket


class Transport(Protocol):
    """``now`` is monotonic seconds. ``port`` is where it listens; ``latch`` knows who its far end is.

    ``established``: the far end can be heard at all; ``protection``: what seals and opens RTP, None while it is in the
    clear; ``refused`` counts what it did not open. ``send`` and ``send_rtcp`` raise OSError for what can't go."""

    port: int
    latch: Latch

    @property
    def established(self) -> bool: ...
    @property
    def protection(self) -> Protection | None: ...
    @property
    def refused(self) -> int: ...
    @property
    def agreement(self) -> DtlsAgreement | BrowserAgreement | None:
        """What another process may go on with, once there are all keys; None: of no association."""

    @property
    def sockets(self) -> tuple[socket.socket, ...]: ...
    def readers(self, rtp: Taker, rtcp: Taker, changed: Change) -> list[tuple[socket.socket, Reader]]:
        """Every socket, and what reads it: its packets go to ``rtp`` and ``rtcp``; a connection made or ended is told
        to ``changed``."""

    @property
    def send(self) -> Sending:
        """Another one whenever the protection is."""

    def send_rtcp(self, packet: bytes, target: Address, /) -> object: ...
    def aim(self, theirs: Keying | None, now: float) -> Keying | None:
        """What the far end's description says of keys; what ours is to say. Raises ValueError for keys that are
        none."""

    def watch(self, now: float) -> None:
        """Once a tick, after its urgent work."""

    @property
    def address(self) -> Address | None:
        """Where the far end has been heard from."""

    def meet(self, address: Address) -> None:
        """It was there when another process had the leg, and may be silent now."""

    def close(self, *, elsewhere: bool = False) -> None:
        """``elsewhere``: another process goes on at the same port, and the far end is told nothing."""


def forgotten(data: bytes, address: Address, now: float) -> None:
    """Takes what nobody is there for."""


class UdpPort:
    """A bound socket that is never waited for. IPv4 through an IPv6 socket is named as descriptions name it.

    ``take``: who is told of each datagram."""

    __slots__ = (
        "_read_at",
        "_v6",
        "number",
        "send",
        "socket",
        "take",
    )

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.number: int = sock.getsockname()[1]
        self._v6 = sock.family == socket.AF_INET6
        self._read_at = 0.0
        self.take: Taker = forgotten
        self.send: Sending = self._send if self._v6 else sock.sendto

    def read(self, now: float) -> None:
        """What has arrived. One datagram a time is the rule; a sender that outruns it is drained, within bounds."""
        hasty, self._read_at = now - self._read_at < _FLOOD_S, now
        for _ in _OFTEN if hasty else _ONCE:
            try:
                data, address = self.socket.recvfrom(_LONGEST)
            except OSError:  # nothing more, or an ICMP error of our own sending
                return
            if self._v6:
                host, port, _, scope = address
                address = f"{host}%{scope}" if scope else host.removeprefix(_MAPPED), port
            self.take(data, address, now)

    def _send(self, data: bytes, target: Address) -> None:
        host, port = target
        self.socket.sendto(data, socket_address(host, port) if ":" in host else (_MAPPED + host, port))
