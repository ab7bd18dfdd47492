"""G.711 companding (ITU-T) by table, for a line that decodes no audio otherwise: between the laws, to PCM, and sums."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache

SILENCE = 0xFF  # PCMU


def _ulaw(code: int) -> int:
    code = ~code & 0xFF
    magnitude = ((((code & 15) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def _alaw(code: int) -> int:
    code ^= 0x55
    exponent, low = (code >> 4) & 7, ((code & 15) << 4) + 8
    magnitude = (low + 0x100) << (exponent - 1) if exponent else low
    return magnitude if code & 0x80 else -magnitude


def _code(sample: int) -> int:
    """The PCMU code of a sample (G.711 section 3)."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 0x84
    exponent = max(magnitude.bit_length() - 8, 0)
    return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 15)) & 0xFF


_VALUES = tuple(map(_ulaw, range(256)))
_FROM_ALAW = bytes(_code(_alaw(code)) for code in range(256))


@cache
def _pairs() -> tuple[bytes, ...]:
    """For each code, its sample as two bytes."""
    return tuple(struct.pack("<h", value) for value in _VALUES)


def to_pcmu(codec: str, payload: bytes) -> bytes:
    """PCMA or PCMU as PCMU."""
    return payload.translate(_FROM_ALAW) if codec.upper() == "PCMA" else payload


def to_pcm(pcmu: bytes) -> bytes:
    """16-bit little-endian PCM."""
    return b"".join(map(_pairs().__getitem__, pcmu))


def mixed(payloads: Sequence[bytes]) -> bytes:
    """The sum of PCMU payloads; shorter ones end in silence."""
    if len(payloads) == 1:
        return payloads[0]
    length = max(map(len, payloads), default=0)
    sides = [[_VALUES[code] for code in payload.ljust(length, bytes([SILENCE]))] for payload in payloads]
    return bytes(_code(max(-32768, min(32767, sum(samples)))) for samples in zip(*sides, strict=True))
