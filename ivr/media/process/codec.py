"""Audio codecs (G.711, G.722), and the linear PCM between them: numpy int16 at 8 kHz, frames of 20 ms (160 samples).

A payload byte is an RTP clock tick for all three codecs.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.int16]

RATE = 8000
FRAME = 160
FRAME_S = FRAME / RATE

SILENCE: Samples = np.zeros(FRAME, dtype=np.int16)


def samples(pcm: bytes) -> Samples:
    """16-bit little-endian bytes as samples; an odd last byte is dropped."""
    return np.frombuffer(pcm[: len(pcm) & ~1], dtype="<i2").astype(np.int16, copy=False)


def clipped(signal: NDArray[np.floating] | NDArray[np.integer]) -> Samples:
    """Any numeric signal as int16, saturating."""
    out: Samples = np.clip(signal, -32768, 32767).astype(np.int16)
    return out


def faded(signal: Samples, edge: int = 20) -> Samples:
    """``signal`` with ramps of ``edge`` samples at both ends, so that it starts and stops without a click."""
    edge = min(edge, len(signal) // 2)
    if edge == 0:
        return signal
    ramp = np.linspace(0.0, 1.0, edge, endpoint=False)
    out = signal.copy()
    out[:edge] = (signal[:edge] * ramp).astype(np.int16)
    out[-edge:] = (signal[-edge:] * ramp[::-1]).astype(np.int16)
    return out


def mixed(front: Samples, back: Samples) -> Samples:
    """A prompt over somebody's voice: the voice at half amplitude under it."""
    return clipped(front.astype(np.int32) + (back >> 1))


def power(signal: Samples) -> float:
    """Mean square in units of full scale squared (0 dBFS = 1.0 is a full-scale square wave)."""
    if len(signal) == 0:
        return 0.0
    wide = signal.astype(np.float32)
    return float(np.dot(wide, wide)) / (len(wide) * 32768.0 * 32768.0)


def powers(frames: Samples) -> NDArray[np.float32]:
    """``power`` of each row."""
    wide = frames.astype(np.float32)
    scale = np.float32(1.0 / (wide.shape[1] * 32768.0 * 32768.0))
    result: NDArray[np.float32] = np.einsum("ij,ij->i", wide, wide) * scale
    return result


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
        self.silence = self.encode(SILENCE)

    def encode(self, signal: Samples) -> bytes:
        return self._codes.take(signal.view(np.uint16)).tobytes()

    def decode(self, payload: bytes) -> Samples:
        return self._levels.take(np.frombuffer(payload, np.uint8))


PCMU = G711("PCMU", _ulaw_decoding(), _ulaw_encoding())
PCMA = G711("PCMA", _alaw_decoding(), _alaw_encoding())


class G722:
    """ITU-T G.722 at 64 kbit/s, its lower band only: 8 kHz in and out, which any wideband end understands.

    Adaptive: encoder and decoder remember, so each leg needs its own and every frame must pass through."""

    name = "G722"
    stateless = False
    silence = b""  # depends on what was encoded before

    def __init__(self) -> None:
        from G722 import G722 as Lower  # the wheel's C code; absent on machines without one

        self._encoder = Lower(RATE, 64000)
        self._decoder = Lower(RATE, 64000)

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
