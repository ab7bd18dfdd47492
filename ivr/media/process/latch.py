"""Symmetric RTP (RFC 4961), latching: send to where packets come from, and let no stranger have the stream.

Whoever knows our port can send to it, with any SSRC; only addresses tell a stranger from the far end. So the address
that the SDP named always wins. Behind NAT it is not where packets come from: then the host that the SDP named, or the
one that its SIP came from, may speak from another port, until the address itself has been heard."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from ivr.media.process.rtp import sequence_ahead

Address: TypeAlias = tuple[str, int]

_UNKNOWN = 3  # packets in a row needed of another port of a known host, before anything is established
_NEW_STREAM = 2  # ... of a new SSRC from the established address
_TAKEOVER = 5  # ... of another port of the established host, once the established one is silent
_FORMER = 25  # ... of the address before a re-INVITE: what it still sends was under way, mostly
_SILENT_S = 2.0
_CANDIDATES = 8


class Latch(Protocol):
    """Who the far end is. ``source`` is where to send to, None for nowhere; ``latched`` whom we hear.

    ``usual``: the far end in the clear, once it is ``latched``: of what comes from there with ``ssrc``, to note
    ``heard_at`` is all that ``admit`` would do."""

    source: Address | None
    latched: Address | None
    usual: Address | None
    ssrc: int
    heard_at: float

    def aim(self, signalled: Address | None, sip_host: str = "") -> bool: ...
    def far_end(self, host: str) -> bool: ...
    def admit(self, address: Address, ssrc: int, sequence: int, now: float) -> bool: ...


class KeyLatch:
    """The far end of a leg whose packets are authenticated: whoever has the keys is it, from the first packet on.

    ``source`` stands for it whatever its address is, which is its transport's business."""

    def __init__(self) -> None:
        self.source: Address | None = None
        self.latched: Address | None = None
        self.usual: Address | None = None
        self.ssrc = 0
        self.heard_at = 0.0

    def aim(self, signalled: Address | None, sip_host: str = "") -> bool:
        """Descriptions name no address that matters; whoever is behind may be another."""
        return True

    def far_end(self, host: str) -> bool:
        """Nobody else's packets come here."""
        return True

    def admit(self, address: Address, ssrc: int, sequence: int, now: float) -> bool:
        """Always."""
        self.latched, self.ssrc = address, ssrc
        return True


class SourceLatch:
    """Which source is the far end. ``source``: where packets come from; until one has counted, what was signalled.

    ``authentic``: what is to be admitted has been opened with the far end's key: who has it is the far end, from the
    first packet on, but for a copy of an old one. ``ready``: False while there are no keys yet to send with."""

    __slots__ = (
        "_candidates",
        "_former",
        "_hosts",
        "_sequence",
        "authentic",
        "heard_at",
        "latched",
        "ready",
        "signalled",
        "source",
        "ssrc",
        "usual",
    )

    def __init__(self) -> None:
        self.authentic = False
        self.ready = True
        self.source: Address | None = None
        self.signalled: Address | None = None
        self.latched: Address | None = None
        self.usual: Address | None = None
        self.ssrc = 0
        self.heard_at = 0.0
        self._hosts: frozenset[str] = frozenset()  # that may be the far end before its address was heard
        self._former: Address | None = None
        self._sequence = 0  # the newest of what was authentic
        self._candidates: dict[Address, tuple[int, int, int]] = {}  # ssrc, next sequence, packets

    def prepare(self, *, ready: bool) -> None:
        """There are keys to send with from now on, or none are needed; or there are none yet."""
        self.ready = ready
        self._point()

    def meet(self, address: Address) -> None:
        """It has been heard from there, by whoever had the leg before."""
        self.latched = address
        self._point()

    def _point(self) -> None:
        self.source = (self.latched or self.signalled) if self.ready else None
        self.usual = None if self.authentic else self.latched

    def aim(self, signalled: Address | None, sip_host: str = "") -> bool:
        """A (new) description, whose SIP came from ``sip_host``; whether it names another address: then all starts
        over, else the latch holds on."""
        self._hosts = frozenset(host for host in (sip_host, signalled[0] if signalled else "") if host)
        if signalled == self.signalled:
            return False
        self.signalled = signalled
        self._former, self.latched = self.latched, None
        self._candidates.clear()
        self._point()
        return True

    def far_end(self, host: str) -> bool:
        """Whether ``host`` is the far end's, as far as is known by now."""
        if self.authentic:
            return True
        return self.may_be(host)

    def may_be(self, host: str) -> bool:
        """The same, of packets that prove nothing."""
        return host == self.latched[0] if self.latched is not None else host in self._hosts

    def admit(self, address: Address, ssrc: int, sequence: int, now: float) -> bool:
        """Whether a packet (already of a negotiated payload type) belongs to the far end's stream."""
        if self.authentic:
            if ssrc != self.ssrc or sequence_ahead(sequence, self._sequence) > 0:
                self.ssrc, self._sequence, self.heard_at = ssrc, sequence, now
                if address != self.latched:
                    self.meet(address)
            return True
        if address == self.latched and ssrc == self.ssrc:
            self.heard_at = now
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
        self.ssrc, self.heard_at = ssrc, now
        self.meet(address)
        return True

    def _needed(self, address: Address, now: float) -> int:
        """Packets in a row it takes to be believed; 0: no number is enough."""
        if address == self.latched:
            return _NEW_STREAM
        if address == self.signalled:
            return 1
        if not self.far_end(address[0]):
            return 0
        if self.latched is None:
            return _FORMER if address == self._former else _UNKNOWN
        return _TAKEOVER if now - self.heard_at >= _SILENT_S else 0
