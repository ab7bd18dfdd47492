"""RTP/RTCP port pairs: bound, not probed (RFC 3550 section 11: RTP even, RTCP the next odd one)."""

from __future__ import annotations

import socket

from ivr.errors import MediaUnavailable


class PortPool:
    """Hands out bound socket pairs from ``low``..``high``, going round, so that a freed port rests the longest."""

    def __init__(self, host: str, low: int, high: int) -> None:
        self._host = host
        self._low = low + low % 2
        self._pairs = (high + 1 - self._low) // 2
        self._next = 0
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET

    def bind(self) -> tuple[socket.socket, socket.socket]:
        """The next free pair (RTP, RTCP), non-blocking. Raises MediaUnavailable when every port is taken."""
        for _ in range(self._pairs):
            port = self._low + 2 * self._next
            self._next = (self._next + 1) % self._pairs
            rtp = self._bound(port)
            if rtp is None:
                continue
            rtcp = self._bound(port + 1)
            if rtcp is not None:
                return rtp, rtcp
            rtp.close()
        raise MediaUnavailable(
            f"no free RTP port pair on {self._host} in {self._low}-{self._low + 2 * self._pairs - 1}",
            remedy="widen media.ports, or see what else is bound there",
        )

    def _bound(self, port: int) -> socket.socket | None:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((self._host, port))
        except OSError:
            sock.close()
            return None
        return sock
