"""DTMF sender: keys as RFC 4733 telephone-events, laid over an RTP stream that somebody else paces.

pyVoIP sends no digits. ``DtmfSender.replace`` gets each audio packet just before it leaves and, while a key is held,
returns an event packet in its place: same SSRC, same sequence numbers, timestamps of the same clock, so the far end
sees one ordinary stream. The last packet of an event is sent three times (RFC 4733 section 2.5.1.4).
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from threading import Lock

KEYS = "0123456789*#ABCD"
_VOLUME = 10  # dBm0 below zero, RFC 4733 section 2.3.3
_END_PACKETS = 3


@dataclass(frozen=True, slots=True)
class DtmfEvent:
    """The payload of one event packet. ``duration`` in samples of the 8 kHz clock."""

    key: str
    end: bool
    duration: int

    def to_bytes(self) -> bytes:
        return struct.pack(
            "!BBH", KEYS.index(self.key), (0x80 if self.end else 0) | _VOLUME, min(self.duration, 0xFFFF)
        )

    @classmethod
    def from_bytes(cls, payload: bytes) -> DtmfEvent:
        """Read a payload. Raises ValueError for anything that is not a DTMF event."""
        if len(payload) < 4 or payload[0] >= len(KEYS):
            raise ValueError("not a telephone-event for a key")
        _, flags, duration = struct.unpack("!BBH", payload[:4])
        return cls(KEYS[payload[0]], bool(flags & 0x80), duration)


@dataclass(slots=True)
class _Press:
    token: int
    key: str
    hold_packets: int
    gap_packets: int
    last: bool
    started_at: int | None = None  # RTP timestamp of the event
    sent: int = 0


class DtmfSender:
    """A queue of keys to send. ``payload_type`` is the far end's telephone-event number, None where it has none."""

    def __init__(self, payload_type: int | None) -> None:
        self.payload_type = payload_type
        self._queue: deque[_Press] = deque()
        self._finished: list[int] = []
        self._lock = Lock()

    def press(self, token: int, keys: str, hold_ms: int = 100, gap_ms: int = 80) -> None:
        """Queue ``keys``. Raises ValueError for none, an unknown one, or a far end without telephone-event."""
        if self.payload_type is None:
            raise ValueError("the far end did not offer telephone-event, so no key can be sent")
        wrong = sorted(set(keys.upper()) - set(KEYS))
        if wrong or not keys:
            raise ValueError(f"not keys of a telephone: {''.join(wrong) or '(none)'}")
        presses = [
            _Press(token, key, max(1, hold_ms // 20), max(1, gap_ms // 20), last=index == len(keys) - 1)
            for index, key in enumerate(keys.upper())
        ]
        with self._lock:
            self._queue.extend(presses)

    @property
    def busy(self) -> bool:
        return bool(self._queue)

    def finished(self) -> list[int]:
        """Return the tokens whose last key has left completely since the last call."""
        with self._lock:
            done, self._finished = self._finished, []
        return done

    def replace(self, packet: bytes) -> bytes:
        """Return the packet to send instead of ``packet`` (an RTP packet without extension or CSRC)."""
        with self._lock:
            if not self._queue or self.payload_type is None or len(packet) < 12:
                return packet
            press = self._queue[0]
            timestamp, samples = struct.unpack("!I", packet[4:8])[0], len(packet) - 12
            if press.started_at is None:
                press.started_at = timestamp
            number, press.sent = press.sent, press.sent + 1
            if number >= press.hold_packets + _END_PACKETS - 1 + press.gap_packets - 1:
                self._queue.popleft()
                if press.last:
                    self._finished.append(press.token)
            if number >= press.hold_packets + _END_PACKETS - 1:
                return packet  # the gap between two keys
            event = DtmfEvent(
                press.key,
                end=number >= press.hold_packets - 1,
                duration=min(number + 1, press.hold_packets) * samples,
            )
            marker = 0x80 if number == 0 else 0
            start = struct.pack("!I", press.started_at)
            return (
                packet[:1] + bytes([marker | self.payload_type]) + packet[2:4] + start + packet[8:12] + event.to_bytes()
            )
