"""Linear PCM and G.711 (ITU-T G.711), by table. Samples are numpy int16 at 8 kHz; a frame is 20 ms = 160 samples."""

from __future__ import annotations

from typing import TypeAlias

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


_ULAW_OUT, _ALAW_OUT = _ulaw_decoding(), _alaw_decoding()
_ULAW_IN, _ALAW_IN = _ulaw_encoding(), _alaw_encoding()


def ulaw_decode(payload: bytes) -> Samples:
    """PCMU payload to samples."""
    return _ULAW_OUT[np.frombuffer(payload, dtype=np.uint8)]


def alaw_decode(payload: bytes) -> Samples:
    """PCMA payload to samples."""
    return _ALAW_OUT[np.frombuffer(payload, dtype=np.uint8)]


def ulaw_encode(signal: Samples) -> bytes:
    """Samples to PCMU payload, a byte each."""
    return _ULAW_IN[signal.view(np.uint16)].tobytes()


def alaw_encode(signal: Samples) -> bytes:
    """Samples to PCMA payload, a byte each."""
    return _ALAW_IN[signal.view(np.uint16)].tobytes()
