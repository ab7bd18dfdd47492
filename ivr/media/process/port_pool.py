"""The pool of UDP ports for RTP: pairs (RFC 3550 section 11), and single ones for legs with rtcp-mux (RFC 5761)."""

from __future__ import annotations

import errno
import socket

from ivr.errors import MediaUnavailable
from ivr.media.description import callers_served, port_pairs

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class PortPool:
    """Hands out bound socket pairs from ``low``..``high``, going round, so that a freed port rests the longest.

    ``after``: the last one that the process before this had handed out; its legs will want theirs again."""

    def __init__(self, low: int, high: int, after: int = 0) -> None:
        self._low, self._pairs = port_pairs(low, high)
        self._next = (max(0, after - self._low) // 2 + bool(after)) % max(1, self._pairs)
        self._trouble = ""

    def bind(
        self, host: str, callers: int | None = None, wanted: int = 0, *, both: bool = False
    ) -> tuple[socket.socket, socket.socket]:
        """The next free pair (RTP, RTCP) at ``host``, non-blocking; ``wanted``, a port that may be of another process's
        share, and the next where they are free. ``both``: at "::", for IPv4 too. Raises MediaUnavailable when every
        port is taken.

        ``callers``: how many there are, when it is for another one; half of the pairs are kept for those who join."""
        where = f"on {host} in {self._low}-{self._low + 2 * self._pairs - 1}"
        remedy = "widen media.ports, or see what else is bound there"
        self._trouble = ""
        if wanted and (pair := self._pair(wanted, host, both=both)) is not None:
            return pair
        if callers is not None and callers >= callers_served(self._pairs):
            raise MediaUnavailable(f"no free RTP port pair {where} but those kept for the agents' legs", remedy=remedy)
        for _ in range(self._pairs):
            port = self._low + 2 * self._next
            self._next = (self._next + 1) % self._pairs
            if (pair := self._pair(port, host, both=both)) is not None:
                return pair
        raise MediaUnavailable(f"no free RTP port pair {where}: {self._trouble}", remedy=remedy)

    def single(self, host: str, wanted: int = 0) -> socket.socket:
        """One free port at ``host``, non-blocking; ``wanted`` where it is free. Raises MediaUnavailable.

        From the upper end on, so that few pairs are broken. It need not rest: what still comes there of somebody else
        is not authentic. It counts for no caller, so it is one of those kept for who joins them."""
        self._trouble = ""
        last = self._low + 2 * self._pairs - 1
        for port in (wanted, *range(last, self._low - 1, -1)) if wanted else range(last, self._low - 1, -1):
            if (sock := self._bound(port, host, both=True)) is not None:
                return sock
        raise MediaUnavailable(
            f"no free port on {host} in {self._low}-{last}: {self._trouble}",
            remedy="widen media.ports, or see what else is bound there",
        )

    def _pair(self, port: int, host: str, *, both: bool) -> tuple[socket.socket, socket.socket] | None:
        rtp = self._bound(port, host, both=both)
        if rtp is None:
            return None
        try:
            rtcp = self._bound(port + 1, host, both=both)
        except MediaUnavailable:
            rtp.close()
            raise
        if rtcp is None:
            rtp.close()
            return None
        return rtp, rtcp

    def _bound(self, port: int, host: str, *, both: bool) -> socket.socket | None:
        """None when the port is taken. Raises MediaUnavailable when no port would do."""
        sock: socket.socket | None = None
        try:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
            if ":" in host:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
            sock.setblocking(False)
            sock.bind((host, port))
        except OSError as error:
            if sock is not None:
                sock.close()
            self._trouble = error.strerror or str(error)
            if error.errno in _EXHAUSTED:
                remedy = "raise the limit on open files (LimitNOFILE=), or lower sip.max_calls"
                raise MediaUnavailable(f"no socket for another RTP session: {self._trouble}", remedy=remedy) from error
            return None
        return sock
