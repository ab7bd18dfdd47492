"""Audio codecs (G.711, G.722): samples to payload bytes and back. A payload byte is an RTP clock tick for all three."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.media.process import pcm
from ivr.media.process.pcm import Samples


class Coder(Protocol):
    """Encodes and decodes one direction each of one stream. ``stateless`` ones may share payloads between legs."""

    name: str
    stateless: bool
    silence: bytes

    def encode(self, signal: Samples) -> bytes: ...
    def decode(self, payload: bytes) -> Samples: ...


def _ulaw_decoding() -> Samples:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_decoding() -> Samples:
    code = np.arange(256) ^ 0x55
    exponent = (code & 0x70) >> 4
    mantissa = (code & 0x0F) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _exponents(magnitude: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.clip(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int64) - 7, 0, 7)


def _ulaw_encoding() -> NDArray[np.uint8]:
    """Code of every sample, indexed by its uint16 view."""
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)
    magnitude = np.minimum(np.abs(linear), 32635) + 0x84
    exponent = _exponents(magnitude)
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(linear < 0, 0x80, 0)
    codes: NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes


def _alaw_encoding() -> NDArray[np.uint8]:
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)
    magnitude = np.where(linear < 0, -linear - 1, linear)
    exponent = _exponents(magnitude)
    mantissa = np.where(magnitude < 256, magnitude >> 4, (magnitude >> (exponent + 3)) & 0x0F)
    return (((exponent << 4) | mantissa) ^ np.where(linear < 0, 0x55, 0xD5)).astype(np.uint8)


class G711:
    """PCMU or PCMA by table (``levels``: of each code, ``codes``: of each sample): no memory between frames."""

    stateless = True

    def __init__(self, name: str, levels: Samples, codes: NDArray[np.uint8]) -> None:
        self.name = name
        self._levels, self._codes = levels, codes
        self.silence = self.encode(pcm.SILENCE)

    def encode(self, signal: Samples) -> bytes:
        return self._codes[signal.view(np.uint16)].tobytes()

    def decode(self, payload: bytes) -> Samples:
        return self._levels[np.frombuffer(payload, np.uint8)]


PCMU = G711("PCMU", _ulaw_decoding(), _ulaw_encoding())
PCMA = G711("PCMA", _alaw_decoding(), _alaw_encoding())


class G722:
    """ITU-T G.722 at 64 kbit/s, its lower band only: 8 kHz in and out, which any wideband end understands.

    Adaptive: encoder and decoder remember, so each leg needs its own and every frame must pass through.
    """

    name = "G722"
    stateless = False
    silence = b""  # depends on what was encoded before

    def __init__(self) -> None:
        from G722 import G722 as Lower  # the wheel's C code; absent on machines without one

        self._encoder = Lower(pcm.RATE, 64000)
        self._decoder = Lower(pcm.RATE, 64000)

    def encode(self, signal: Samples) -> bytes:
        return bytes(self._encoder.encode(signal))

    def decode(self, payload: bytes) -> Samples:
        return np.array(self._decoder.decode(payload), dtype=np.int16)


def coder(name: str) -> Coder:
    """The codec called ``name``; KeyError for one we don't have."""
    if name == "G722":
        return G722()
    return {"PCMU": PCMU, "PCMA": PCMA}[name]


def available(name: str) -> bool:
    """Whether this machine can run ``name`` (G.722 needs a compiled extension)."""
    return name in ("PCMU", "PCMA") or (name == "G722" and find_spec("G722") is not None)
