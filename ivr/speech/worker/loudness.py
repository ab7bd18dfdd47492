"""Loudness of telephone prompts: raw synthesis and recordings are trimmed, levelled, 8 kHz, 16 bit. Pure."""

from __future__ import annotations

import numpy as np
import soxr

from ivr.speech.worker.engines import TELEPHONE_RATE, Samples

TARGET_DB = -20.0  # active speech, dB full scale: about -17 dBm0 on the wire, as people talk
_PEAK = 0.89  # -1 dB full scale: never clipped
_FRAME_S = 0.01
_QUIET_DB = -45.0  # below the loudest frame: silence to trim
_LEAD_S, _TAIL_S, _FADE_S = 0.02, 0.06, 0.005


def prompt_pcm(samples: Samples, rate: int) -> bytes:
    """16-bit little-endian mono PCM at 8 kHz; silence of both ends trimmed, faded so that splices do not click."""
    if rate != TELEPHONE_RATE:
        samples = soxr.resample(samples, rate, TELEPHONE_RATE, quality="HQ").astype(np.float32)
    samples = _levelled(_trimmed(samples - np.float32(samples.mean()) if len(samples) else samples))
    return (np.clip(samples, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes()


def _frames(samples: Samples) -> Samples:
    size = int(_FRAME_S * TELEPHONE_RATE)
    count = len(samples) // size
    levels: Samples = np.sqrt((samples[: count * size].reshape(count, size) ** 2).mean(1)).astype(np.float32)
    return levels


def _trimmed(samples: Samples) -> Samples:
    levels = _frames(samples)
    if not len(levels) or levels.max() <= 0:
        return samples
    loud = np.flatnonzero(levels > levels.max() * 10 ** (_QUIET_DB / 20))
    size = int(_FRAME_S * TELEPHONE_RATE)
    first = max(0, int(loud[0]) * size - int(_LEAD_S * TELEPHONE_RATE))
    last = min(len(samples), (int(loud[-1]) + 1) * size + int(_TAIL_S * TELEPHONE_RATE))
    out = samples[first:last].copy()
    fade = min(int(_FADE_S * TELEPHONE_RATE), len(out) // 2)
    if fade:
        ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
        out[:fade] *= ramp
        out[-fade:] *= ramp[::-1]
    return out


def active_level_db(samples: Samples) -> float:
    """RMS of the frames that carry speech, dB full scale; -inf for silence."""
    levels = _frames(samples)
    if not len(levels) or levels.max() <= 0:
        return float("-inf")
    active = levels[levels > levels.max() * 0.1]
    return 20.0 * float(np.log10(np.sqrt((active.astype(np.float64) ** 2).mean())))


def _levelled(samples: Samples) -> Samples:
    level = active_level_db(samples)
    if not np.isfinite(level):
        return samples
    gain = 10 ** ((TARGET_DB - level) / 20)
    peak = float(np.abs(samples).max())
    return (samples * np.float32(min(gain, _PEAK / peak))).astype(np.float32)
