"""What a telephone network does to a voice: level, noise, G.711, lost packets (pure; 16-bit 8 kHz PCM in and out)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ivr.softphone.g711 import Law, decode, encode

_FRAME = 160
Floats = npt.NDArray[np.float64]


def voiced_rms(pcm: bytes) -> float:
    """RMS of the frames within 30 dB of the loudest: speech without its pauses. 0 for silence."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not len(frames):
        return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
    power = np.mean(frames**2, axis=1)
    return float(np.sqrt(np.mean(power[power >= power.max() / 1000]))) if power.max() else 0.0


def level(pcm: bytes, target_db: float = -20.0) -> bytes:
    """Speech brought to ``target_db`` below full scale, as long as that clips nothing."""
    rms = voiced_rms(pcm)
    if not rms:
        return pcm
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    gain = min(32768 * 10 ** (target_db / 20) / rms, 32000 / float(np.abs(samples).max()))
    return _pcm(samples * gain)


def add_noise(pcm: bytes, snr_db: float, *, kind: Literal["white", "pink"] = "white", seed: int = 0) -> bytes:
    """Noise at ``snr_db`` under the voiced level; the same seed gives the same noise."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    noise: Floats = np.random.default_rng(seed).standard_normal(len(samples))
    if kind == "pink" and len(samples):
        spectrum = np.fft.rfft(noise)
        noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), len(samples))
        noise /= np.sqrt(np.mean(noise**2))
    return _pcm(samples + noise * voiced_rms(pcm) / 10 ** (snr_db / 20))


def g711_round_trip(pcm: bytes, law: Law = "PCMU") -> bytes:
    return decode(encode(pcm, law), law).astype("<i2").tobytes()


def lose_packets(pcm: bytes, share: float, *, seed: int = 0) -> bytes:
    """Silence in place of a ``share`` of the 20 ms packets, as a receiver without concealment hears it."""
    samples = np.frombuffer(pcm, dtype="<i2").copy()
    lost = np.random.default_rng(seed).random(len(samples) // _FRAME + 1) < share
    samples[np.repeat(lost, _FRAME)[: len(samples)]] = 0
    return samples.tobytes()


def _pcm(samples: Floats) -> bytes:
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
