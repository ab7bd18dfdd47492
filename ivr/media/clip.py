"""Clips (prompts as PCM) and a leg's media statistics. Re-exported by ``ivr.ports``."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to play: 16-bit little-endian mono PCM at 8 kHz.

    Clips with the same ``key`` are the same audio: they are shipped to the media process and encoded once."""

    key: str
    pcm: bytes

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.pcm) / 16000


@dataclass(frozen=True, slots=True)
class LegStats:
    """What a leg's media saw, for the canonical log line. Jitter and times in milliseconds."""

    codec: str = ""
    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    jitter_ms: float = 0.0
    concealed_ms: int = 0
    round_trip_ms: float | None = None
    send_gap_p99_ms: float = 0.0
    audio_dropped_frames: int = 0
    packets_failed: int = 0  # whose handling raised: a fault of ours
    tap_dropped_frames: int = 0  # that a recording lacks
    packets_refused: int = 0  # not authentic, or heard already: of strangers, or of a far end with another key
    srtp: str = ""  # what protected the packets; "" for nothing, "in part" where it began or ended within the call

    @property
    def _any(self) -> bool:
        return bool(self.packets_sent or self.packets_received)

    def plus(self, later: LegStats) -> LegStats:
        """Of the leg before and after it was moved to another process."""
        if not self._any:
            return later
        return replace(
            later,
            codec=later.codec or self.codec,
            jitter_ms=max(self.jitter_ms, later.jitter_ms),
            round_trip_ms=self.round_trip_ms if later.round_trip_ms is None else later.round_trip_ms,
            send_gap_p99_ms=max(self.send_gap_p99_ms, later.send_gap_p99_ms),
            srtp=self.srtp if self.srtp == later.srtp or not later._any else "in part",
            **{name: getattr(self, name) + getattr(later, name) for name in _COUNTED},
        )

    @property
    def encryption(self) -> str:
        """``srtp`` for people: "none" where packets went in the clear, "" where there were no media at all."""
        return self.srtp or ("none" if self.codec else "")


_COUNTED = (
    "packets_sent",
    "packets_received",
    "packets_lost",
    "packets_late",
    "concealed_ms",
    "audio_dropped_frames",
    "packets_failed",
    "tap_dropped_frames",
    "packets_refused",
)
