"""Linear PCM: samples are numpy int16 at 8 kHz; a frame is 20 ms = 160 samples."""

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
