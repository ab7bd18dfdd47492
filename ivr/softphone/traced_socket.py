"""Traced UDP socket: pyVoIP uses it like its own, and every packet is reported with the time it crossed the wire.

Times are CLOCK_MONOTONIC seconds, which all processes of one machine share. Arrival is taken from the kernel
(SO_TIMESTAMPNS) where it offers that, so a busy interpreter doesn't falsify measurements.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable

from ivr.softphone.sdes import SdesKeys

_SO_TIMESTAMPNS = 35 if hasattr(socket, "SO_PEERCRED") else None  # Linux; the constant is missing in `socket`
_TIMESPEC = struct.Struct("@ll")

Address = tuple[str, int]


class TracedSocket:
    """A UDP socket with the few methods that pyVoIP calls. ``keys`` seal and open what is reported in the clear."""

    def __init__(
        self,
        sock: socket.socket,
        on_received: Callable[[bytes, float], None],
        on_sent: Callable[[bytes, float], None],
        rewrite: Callable[[bytes], bytes] = bytes,
        keys: SdesKeys | None = None,
        wait_s: float = 0.25,
    ) -> None:
        sock.setblocking(False)
        if _SO_TIMESTAMPNS is not None:
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.source: Address = ("", 0)  # of the last datagram
        self._sock = sock
        self._on_received = on_received
        self._on_sent = on_sent
        self._rewrite = rewrite
        self._keys = keys
        self._wait_s = wait_s

    def recv(self, size: int) -> bytes:
        """Wait a little, so that pyVoIP's polling delays no packet; then raise BlockingIOError, as pyVoIP expects."""
        try:
            ready = select.select([self._sock], [], [], self._wait_s)[0]
        except ValueError as closed:
            raise OSError("socket closed") from closed
        if not ready:
            raise BlockingIOError
        data, ancillary, _, source = self._sock.recvmsg(size, 64)
        self.source = source
        clear = data if self._keys is None else self._keys.open(data)
        if clear is None:
            raise BlockingIOError
        self._on_received(clear, _arrival(ancillary))
        return clear

    def sendto(self, data: bytes, address: Address) -> int:
        data = self._rewrite(data)
        at = time.monotonic()
        sent = self._sock.sendto(data if self._keys is None else self._keys.seal(data), address)
        self._on_sent(data, at)
        return sent

    def setblocking(self, _: bool) -> None:
        """Do nothing: pyVoIP toggles this around its lock, but this socket always waits by itself."""

    def getsockname(self) -> Address:
        host, port = self._sock.getsockname()[:2]
        return str(host), int(port)

    def close(self) -> None:
        self._sock.close()


def _arrival(ancillary: list[tuple[int, int, bytes]]) -> float:
    now = time.monotonic()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            age = _wall_ahead() + now - (seconds + nanoseconds / 1e9)
            return now - age if 0 <= age < 5 else now
    return now


def _wall_ahead() -> float:
    """Return wall clock minus monotonic clock, read close together even when the scheduler intervenes."""
    best, ahead = float("inf"), 0.0
    for _ in range(5):
        before = time.monotonic()
        wall = time.time()
        after = time.monotonic()
        if after - before < best:
            best, ahead = after - before, wall - (before + after) / 2
        if best < 20e-6:
            break
    return ahead
