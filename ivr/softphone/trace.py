"""RTP trace of one call: packets out and in with their times, the timeline, the stereo recording."""

from __future__ import annotations

import struct
import time
import wave
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ivr.softphone.dtmf_sender import DtmfEvent
from ivr.softphone.g711 import Law, Samples, decode
from ivr.softphone.timing import KeyPress, PacketLevel, Timeline

_RATE = 8000
_STEP = 800  # samples that arrival and RTP clock may differ by before the recording follows arrival again
_LAWS: dict[int, Law] = {0: "PCMU", 8: "PCMA"}


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """An RTP packet (RFC 3550 section 5.1). ``at``: CLOCK_MONOTONIC seconds when it was sent or arrived."""

    at: float
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @classmethod
    def from_bytes(cls, data: bytes, at: float) -> RtpPacket:
        """Read a packet. Raises ValueError for what is not RTP version 2."""
        if len(data) < 12 or data[0] >> 6 != 2:
            raise ValueError("not RTP")
        flags, kind, sequence, timestamp, ssrc = struct.unpack("!BBHII", data[:12])
        start = 12 + 4 * (flags & 15)
        if flags & 0x10 and len(data) >= start + 4:
            start += 4 + 4 * int(struct.unpack("!H", data[start + 2 : start + 4])[0])
        end = len(data) - (data[-1] if flags & 0x20 else 0)
        return cls(at, kind & 0x7F, bool(kind & 0x80), sequence, timestamp, ssrc, data[start:end])

    @property
    def samples(self) -> Samples | None:
        """The audio, None for anything but G.711."""
        law = _LAWS.get(self.payload_type)
        return decode(self.payload, law) if law and self.payload else None


@dataclass(frozen=True, slots=True)
class HeardSound:
    """Sound of 20 ms that the phone heard. ``pcm``: 16-bit 8 kHz; ``level_db`` below full scale."""

    at: float
    pcm: bytes
    level_db: float


def level_db(samples: Samples) -> float:
    """Return the RMS in dB below full scale; -100 for digital silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(-100.0, 10 * float(np.log10(power / 32768.0**2))) if power else -100.0


class Track:
    """One direction: its packets, their levels, the keys in them, and the recording, in which packets lie where they
    sounded on the wall clock.

    Within a stream the RTP clock decides (no clicks from network jitter); when it disagrees with arrival by
    100 ms or another source starts, arrival does."""

    def __init__(self, origin: float) -> None:
        self.packets: list[RtpPacket] = []
        self.levels: list[PacketLevel] = []
        self.keys: list[KeyPress] = []
        self._origin = origin
        self._events: set[tuple[int, int]] = set()
        self._pieces: list[tuple[int, Samples]] = []
        self._anchor: tuple[int, int, int] | None = None  # SSRC, RTP timestamp, position

    def add_key(self, packet: RtpPacket) -> None:
        """Note the key of a telephone-event once, however often its packets come."""
        identity = packet.ssrc, packet.timestamp
        with suppress(ValueError):
            event = DtmfEvent.from_bytes(packet.payload)
            if identity not in self._events:
                self._events.add(identity)
                self.keys.append(KeyPress(packet.at, event.key))

    def add_sound(self, packet: RtpPacket, samples: Samples) -> None:
        arrived = round((packet.at - self._origin) * _RATE)
        position = arrived
        if self._anchor and self._anchor[0] == packet.ssrc:
            moved = (packet.timestamp - self._anchor[1] + 0x80000000) % 0x100000000 - 0x80000000
            if abs(self._anchor[2] + moved - arrived) < _STEP:
                position = self._anchor[2] + moved
        if position == arrived:
            self._anchor = packet.ssrc, packet.timestamp, arrived
        self._pieces.append((position, samples))

    def render(self, length: int) -> Samples:
        track: Samples = np.zeros(length, dtype=np.int16)
        for position, samples in self._pieces:
            start, end = max(0, position), min(length, position + len(samples))
            if end > start:
                track[start:end] = samples[start - position : end - position]
        return track

    @property
    def length(self) -> int:
        return max((position + len(samples) for position, samples in self._pieces), default=0)


class Trace:
    """The packets of one call. ``started_at`` is the first moment of the recording."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.ended_at: float | None = None
        self.event_type: int | None = None  # payload type of telephone-event
        self.sent, self.heard = Track(started_at), Track(started_at)

    def add(self, packet: RtpPacket, *, sent: bool) -> HeardSound | None:
        """Keep a packet; return what it sounded like, None when it carried no audio."""
        track = self.sent if sent else self.heard
        track.packets.append(packet)
        if packet.payload_type == self.event_type:
            track.add_key(packet)
            return None
        samples = packet.samples
        if samples is None:
            return None
        level = level_db(samples)
        track.levels.append(PacketLevel(packet.at, level))
        track.add_sound(packet, samples)
        return HeardSound(packet.at, samples.astype("<i2").tobytes(), level)

    @property
    def timeline(self) -> Timeline:
        """A snapshot, ready for ``ivr.softphone.timing``."""
        return Timeline(
            sent=tuple(self.sent.levels),
            heard=tuple(self.heard.levels),
            keys=tuple(self.sent.keys),
            until=self.ended_at or time.monotonic(),
        )

    def stereo(self) -> Samples:
        """Return [n, 2] samples at 8 kHz: left what this phone said, right what it heard."""
        length = max(self.sent.length, self.heard.length)
        return np.stack([self.sent.render(length), self.heard.render(length)], axis=1)

    def save(self, path: Path) -> None:
        """Write a stereo WAV. Sample 0 is the moment ``started_at``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(_RATE)
            file.writeframes(self.stereo().astype("<i2").tobytes())
