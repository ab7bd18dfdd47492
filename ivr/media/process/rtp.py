"""RTP packets (RFC 3550 section 5.1) and the arithmetic of their wrapping counters."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

HEADER = Struct("!BBHII")
_new = tuple.__new__  # of a Packet: its own constructor takes twice as long
VERSION = 0x80
MARKER = 0x80


class Packet(NamedTuple):
    """``timestamp`` counts the codec's RTP clock (8 kHz for all of ours); ``payload`` is without padding."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse(data: bytes) -> Packet | None:
    """The packet, or None for anything that isn't well-formed RTP. Never raises."""
    size = len(data)
    if size < 12:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first & 0xC0 != VERSION:
        return None
    start, end = 12, size
    if first & 0x3F:  # padding, extension or contributing sources: rare
        start += 4 * (first & 0x0F)
        if first & 0x10:
            if start + 4 > size:
                return None
            start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
        if first & 0x20:
            padding = data[-1]
            if padding == 0:
                return None
            end -= padding
        if start > end:
            return None
    return _new(Packet, (second & 0x7F, second >= MARKER, sequence, timestamp, ssrc, data[start:end]))


def build(packet: Packet) -> bytes:
    """The bytes of ``packet``; sequence, timestamp and SSRC are taken modulo their width."""
    return (
        HEADER.pack(
            VERSION,
            packet.payload_type | (MARKER if packet.marker else 0),
            packet.sequence & 0xFFFF,
            packet.timestamp & 0xFFFFFFFF,
            packet.ssrc & 0xFFFFFFFF,
        )
        + packet.payload
    )


def sequence_ahead(newer: int, older: int) -> int:
    """How far ``newer`` is ahead of ``older``, -32768..32767, across wrap-around."""
    return ((newer - older + 0x8000) & 0xFFFF) - 0x8000


def timestamp_ahead(newer: int, older: int) -> int:
    """How far ``newer`` is ahead of ``older`` in clock ticks, signed, across wrap-around."""
    return ((newer - older + 0x80000000) & 0xFFFFFFFF) - 0x80000000
