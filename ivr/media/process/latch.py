"""Symmetric RTP (RFC 4961), latching: send to where packets come from, and let no stray packet take a stream over."""

from __future__ import annotations

from typing import TypeAlias

from ivr.media.process.rtp import sequence_ahead

Address: TypeAlias = tuple[str, int]

_SIGNALLED = 1  # packets needed of the address the SDP named, before anything is established
_UNKNOWN = 3  # ... of any other address
_NEW_STREAM = 2  # ... of a new SSRC from the established address
_TAKEOVER = 5  # ... of another address, once the established one is silent
_SILENT_S = 2.0
_CANDIDATES = 8


class SourceLatch:
    """Which source is the far end. ``source`` is where to send: latched, else as signalled, else None."""

    def __init__(self) -> None:
        self.signalled: Address | None = None
        self.latched: Address | None = None
        self.ssrc = 0
        self._heard_at = 0.0
        self._candidates: dict[Address, tuple[int, int, int]] = {}  # ssrc, next sequence, packets

    @property
    def source(self) -> Address | None:
        """Where to send to: where packets come from; until one has counted, what was signalled."""
        return self.latched or self.signalled

    def aim(self, signalled: Address | None) -> None:
        """A (new) description. The latch holds on if it names the same address, else starts over."""
        if signalled != self.signalled:
            self.signalled = signalled
            self.latched = None
            self._candidates.clear()

    def admit(self, address: Address, ssrc: int, sequence: int, now: float) -> bool:
        """Whether a packet (already of a negotiated payload type) belongs to the far end's stream."""
        if address == self.latched and ssrc == self.ssrc:
            self._heard_at = now
            return True
        needed = self._needed(address, now)
        if not needed:
            return False
        known = self._candidates.get(address)
        count = 1
        if known is not None and known[0] == ssrc and 0 <= sequence_ahead(sequence, known[1]) <= 3:
            count = known[2] + 1
        if count < needed:
            if known is None and len(self._candidates) >= _CANDIDATES:
                del self._candidates[next(iter(self._candidates))]
            self._candidates[address] = (ssrc, (sequence + 1) & 0xFFFF, count)
            return False
        self._candidates.clear()
        self.latched, self.ssrc, self._heard_at = address, ssrc, now
        return True

    def _needed(self, address: Address, now: float) -> int:
        """Packets in a row it takes to be believed; 0: no number is enough."""
        if self.latched is None:
            return _SIGNALLED if address == self.signalled else _UNKNOWN
        if address == self.latched:
            return _NEW_STREAM
        if now - self._heard_at < _SILENT_S:
            return 0
        return _UNKNOWN if address == self.signalled else _TAKEOVER
