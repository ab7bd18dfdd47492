"""RTCP (RFC 3550 section 6): what we saw of a stream, sender and receiver reports, round trip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

SR, RR, SDES, BYE = 200, 201, 202, 203

_HEAD = Struct("!BBHI")
_SENDER = Struct("!QIII")
_BLOCK = Struct("!IIIIII")
_NTP_EPOCH = 2208988800  # 1900 to 1970, seconds


class Reception:
    """Counts of one incoming stream (RFC 3550 appendix A.3 and A.8). Jitter is kept in RTP clock ticks (8 kHz)."""

    __slots__ = (
        "_expected_at_report",
        "_lost_before",
        "_received_at_report",
        "_received_before",
        "first",
        "highest",
        "jitter",
        "received",
        "ssrc",
        "transit",
    )

    def __init__(self) -> None:
        self.ssrc = 0
        self.received = 0
        self.jitter = 0.0
        self.first = 0  # extended sequence number, as the next
        self.highest = 0
        self.transit: float | None = None  # of the last packet: arrival less timestamp, in clock ticks
        self._lost_before = 0  # streams that this one replaced
        self._received_before = 0
        self._expected_at_report = 0
        self._received_at_report = 0

    def begin(self, ssrc: int, sequence: int) -> None:
        """A (new) source: carry the totals over, start its own numbering."""
        self._lost_before = self.lost
        self._received_before += self.received
        self.ssrc = ssrc
        self.received = 0
        self.first = self.highest = 0x10000 + sequence
        self.transit = None
        self._expected_at_report = self._received_at_report = 0

    def packet(self, sequence: int, timestamp: int, at: float) -> None:
        """``at`` is its arrival, monotonic seconds."""
        self.received += 1
        self.advance(sequence)
        transit = at * 8000.0 - timestamp
        if self.transit is not None:
            change = transit - self.transit
            if -8000.0 < change < 8000.0:  # a jump of the far clock is no jitter
                self.jitter += (abs(change) - self.jitter) / 16.0
        self.transit = transit

    def went_on(self, count: int, transit: float, jitter: float) -> None:
        """So many packets came, each the next one, with these as their last figures."""
        self.received += count
        self.highest += count
        self.transit, self.jitter = transit, jitter

    def advance(self, sequence: int) -> None:
        """A packet whose timestamp says nothing about jitter (telephone-events repeat theirs)."""
        ahead = (sequence - self.highest) & 0xFFFF
        if ahead < 0x8000:
            self.highest += ahead

    @property
    def expected(self) -> int:
        """Packets that this source must have sent so far."""
        return self.highest - self.first + 1 if self.first else 0

    @property
    def lost(self) -> int:
        """Packets lost, of all sources so far."""
        return self._lost_before + max(0, self.expected - self.received)

    @property
    def total(self) -> int:
        """Packets received, of all sources so far."""
        return self._received_before + self.received

    def block(self, lsr: int, dlsr: int) -> ReportBlock:
        """The report since the last one; ``lsr``/``dlsr`` as in RFC 3550 section 6.4.1."""
        expected = self.expected - self._expected_at_report
        lost = expected - (self.received - self._received_at_report)
        self._expected_at_report, self._received_at_report = self.expected, self.received
        fraction = min(255, lost * 256 // expected) if expected > 0 and lost > 0 else 0
        cumulative = min(max(0, self.expected - self.received), 0x7FFFFF)
        return ReportBlock(
            self.ssrc, fraction, cumulative, self.highest & 0xFFFFFFFF, int(self.jitter) & 0xFFFFFFFF, lsr, dlsr
        )


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """One reception report. ``fraction`` is in 1/256, ``jitter`` in RTP clock ticks, ``dlsr`` in 1/65536 s."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    lsr: int
    dlsr: int


@dataclass(frozen=True, slots=True)
class Report:
    """An SR or RR. ``ntp`` is the 64-bit NTP time of an SR, 0 in an RR."""

    ssrc: int
    ntp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...]


def ntp_time(wall: float) -> int:
    """64-bit NTP time of ``wall`` (seconds since 1970)."""
    return int((wall + _NTP_EPOCH) * 4294967296.0) & 0xFFFFFFFFFFFFFFFF


def middle(ntp: int) -> int:
    """The middle 32 bits, as LSR carries them."""
    return (ntp >> 16) & 0xFFFFFFFF


def round_trip_s(block: ReportBlock, now: int) -> float | None:
    """Seconds there and back, from a block about our own stream; None when it carries no usable LSR."""
    if block.lsr == 0:
        return None
    trip = ((middle(now) - block.lsr - block.dlsr) & 0xFFFFFFFF) / 65536.0
    return trip if trip < 30.0 else None  # a negative difference wraps to hours


def build(report: Report, rtp_timestamp: int, cname: str, *, bye: bool = False) -> bytes:
    """A compound packet: SR (or RR when ``ntp`` is 0), SDES with CNAME, BYE on request."""
    count = len(report.blocks)
    body = b""
    if report.ntp:
        body = _SENDER.pack(report.ntp, rtp_timestamp, report.packets & 0xFFFFFFFF, report.octets & 0xFFFFFFFF)
    for b in report.blocks:
        body += _BLOCK.pack(b.ssrc, b.fraction << 24 | b.lost & 0xFFFFFF, b.highest, b.jitter, b.lsr, b.dlsr)
    kind = SR if report.ntp else RR
    packet = _HEAD.pack(0x80 | count, kind, 1 + len(body) // 4, report.ssrc) + body
    name = cname.encode()[:255]
    item = bytes([1, len(name)]) + name
    item += b"\0" * (4 - len(item) % 4)
    packet += _HEAD.pack(0x81, SDES, 1 + len(item) // 4, report.ssrc) + item
    if bye:
        packet += _HEAD.pack(0x81, BYE, 1, report.ssrc)
    return packet


def plausible(data: bytes) -> bool:
    """Whether ``data`` begins as RTCP does (RFC 5761 section 4), reduced-size packets (RFC 5506) included."""
    return len(data) >= 8 and data[0] & 0xC0 == 0x80 and 192 <= data[1] <= 223


def parse(data: bytes) -> Iterator[Report]:
    """The reports of a compound packet; stops silently at the first byte that makes no sense."""
    at = 0
    while at + 8 <= len(data):
        first, kind, words, ssrc = _HEAD.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first & 0xC0 != 0x80 or words < 1 or end > len(data):
            return
        start = at + 8
        if kind in (SR, RR):
            ntp = packets = octets = 0
            if kind == SR:
                if start + 20 > end:
                    return
                ntp, _, packets, octets = _SENDER.unpack_from(data, start)
                start += 20
            count = min(first & 0x1F, (end - start) // 24)
            yield Report(ssrc, ntp, packets, octets, tuple(_block(data, start + 24 * i) for i in range(count)))
        at = end


def _block(data: bytes, at: int) -> ReportBlock:
    ssrc, loss, highest, jitter, lsr, dlsr = _BLOCK.unpack_from(data, at)
    return ReportBlock(ssrc, loss >> 24, loss & 0xFFFFFF, highest, jitter, lsr, dlsr)
