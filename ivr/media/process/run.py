"""The run of an RTP stream: packets of which each is the one that was to come, counted together. Pure."""

from __future__ import annotations

from ivr.media.process.jitter import PayloadClock
from ivr.media.process.rtcp import Reception
from ivr.media.process.rtp import HEADER


class Run:
    """Packets of which each is the next one of its stream, as nearly all are: nothing need be asked of them, and they
    are counted together.

    ``number``, ``timestamp``, ``size`` and ``ssrc`` are of the one that is to come; a size of 0: there is no run."""

    __slots__ = ("_count", "_jitter", "_transit", "number", "size", "ssrc", "timestamp")

    def __init__(self) -> None:
        self.number = self.timestamp = self.size = self.ssrc = 0
        self._count = 0  # that nobody has counted yet
        self._transit = self._jitter = 0.0

    def begin(self, reception: Reception, sequence: int, timestamp: int, size: int) -> None:
        """After this packet, which ``reception`` has counted."""
        self.number, self.size, self.ssrc = (sequence + 1) & 0xFFFF, size, reception.ssrc
        self.timestamp = (timestamp + size - HEADER.size) & 0xFFFFFFFF
        self._transit, self._jitter = reception.transit or 0.0, reception.jitter

    def goes_on(self, sequence: int, timestamp: int, now: float) -> None:
        """With the one that was to come."""
        self.number = (sequence + 1) & 0xFFFF
        self.timestamp = (timestamp + self.size - HEADER.size) & 0xFFFFFFFF
        self._count += 1
        before, self._transit = self._transit, now * 8000.0 - timestamp
        change = self._transit - before
        if -8000.0 < change < 8000.0:
            self._jitter += (abs(change) - self._jitter) / 16.0

    def settle(self, reception: Reception, clock: PayloadClock) -> None:
        """They are counted."""
        if self._count:
            reception.went_on(self._count, self._transit, self._jitter)
            clock.went_on((self.number - 1) & 0xFFFF, (self.timestamp - self.size + HEADER.size) & 0xFFFFFFFF)
            self._count = 0
