"""Media descriptions: what two ends agree about a call's audio (the part of SDP, RFC 4566, that media cares about)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """SDP direction attributes (RFC 3264), seen from the end that wrote the description."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def answer(self) -> Direction:
        """The direction an answer to this offer carries (RFC 3264 section 6.1)."""
        return {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}.get(self, self)


@dataclass(frozen=True, slots=True)
class Codec:
    """An RTP audio format. ``name`` is "PCMU", "PCMA" or "G722"; the RTP clock of all three is 8 kHz (RFC 3551)."""

    name: str
    payload_type: int


PCMU = Codec("PCMU", 0)
PCMA = Codec("PCMA", 8)
G722 = Codec("G722", 9)


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One end's audio: where it listens (IP literal, UDP port), what it takes in order of preference.

    ``dtmf_payload_type`` is that of telephone-event/8000 (RFC 4733), None where not offered.
    """

    host: str
    port: int
    codecs: tuple[Codec, ...]
    dtmf_payload_type: int | None = 101
    direction: Direction = Direction.SENDRECV
    ptime_ms: int = 20
