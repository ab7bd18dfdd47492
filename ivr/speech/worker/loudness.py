"""Loudness of telephone prompts: raw synthesis and recordings (WAV) are trimmed, levelled, 8 kHz, 16 bit. Pure."""

from __future__ import annotations

import io
import wave
from itertools import pairwise

import numpy as np
import soxr

from ivr.errors import SpeechUnavailable
from ivr.speech.worker.engines import TELEPHONE_RATE, Samples

TARGET_DB = -20.0  # active speech, dB full scale: about -17 dBm0 on the wire, as people talk
_PEAK = 0.89  # -1 dB full scale: never clipped
_FRAME = TELEPHONE_RATE // 100  # samples
_QUIET_DB = -45.0  # below the loudest frame: silence to trim
_HEAD_DB = -38.0  # and before the first sound, which is what a caller waits for
_LEAD_S, _TAIL_S, _FADE_S = 0.005, 0.06, 0.005
_PAUSE_S = 0.4  # between sentences: synthesisers take twice that


def prompt_pcm(samples: Samples, rate: int, *, brisk: bool = False) -> bytes:
    """16-bit little-endian mono PCM at 8 kHz; silence of both ends trimmed, faded so that splices do not click.

    ``brisk``: pauses within are shortened, too."""
    if rate != TELEPHONE_RATE:
        samples = soxr.resample(samples, rate, TELEPHONE_RATE, quality="HQ").astype(np.float32)
    samples = _trimmed(samples - np.float32(samples.mean()) if len(samples) else samples)
    samples = _levelled(_brisk(samples) if brisk else samples)
    return (np.clip(samples, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes()


def _frames(samples: Samples) -> Samples:
    count = len(samples) // _FRAME
    levels: Samples = np.sqrt((samples[: count * _FRAME].reshape(count, _FRAME) ** 2).mean(1)).astype(np.float32)
    return levels


def _trimmed(samples: Samples) -> Samples:
    levels = _frames(samples)
    if not len(levels) or levels.max() <= 0:
        return samples
    loud = np.flatnonzero(levels > levels.max() * 10 ** (_QUIET_DB / 20))
    head = int((levels > levels.max() * 10 ** (_HEAD_DB / 20)).argmax())
    first = max(0, head * _FRAME - int(_LEAD_S * TELEPHONE_RATE))
    last = min(len(samples), (int(loud[-1]) + 1) * _FRAME + int(_TAIL_S * TELEPHONE_RATE))
    out = samples[first:last].copy()
    fade = min(int(_FADE_S * TELEPHONE_RATE), len(out) // 2)
    if fade:
        ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
        out[:fade] *= ramp
        out[-fade:] *= ramp[::-1]
    return out


def _brisk(samples: Samples) -> Samples:
    """Without the middle of each long silence."""
    levels = _frames(samples)
    if not len(levels) or levels.max() <= 0:
        return samples
    loud = np.flatnonzero(levels > levels.max() * 10 ** (_QUIET_DB / 20))
    longest = int(_PAUSE_S * TELEPHONE_RATE) // _FRAME
    kept, begin = [], 0
    for before, after in pairwise(loud):
        if after - before - 1 > longest:
            kept.append(samples[begin : (int(before) + 1 + longest // 2) * _FRAME])
            begin = (int(after) - (longest - longest // 2)) * _FRAME
    return np.concatenate([*kept, samples[begin:]])


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


def read_wav(wav: bytes) -> tuple[Samples, int]:
    """Mono samples and their rate, from PCM of 8, 16, 24 or 32 bits with any number of channels.

    Raises wave.Error, EOFError or ValueError for anything else."""
    with wave.open(io.BytesIO(wav)) as file:
        channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
        raw = file.readframes(file.getnframes())
    if not raw:
        raise ValueError("it holds no audio")
    if width == 1:
        samples = np.frombuffer(raw, np.uint8).astype(np.float32) / 128.0 - 1.0
    elif width == 3:
        padded = np.zeros((len(raw) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        samples = padded.view("<i4")[:, 0].astype(np.float32) / 2147483648.0
    else:
        samples = np.frombuffer(raw, f"<i{width}").astype(np.float32) / float(1 << (8 * width - 1))
    return samples.reshape(-1, channels).mean(1).astype(np.float32), rate


def levelled(wav: bytes) -> bytes:
    """A recording as a telephone prompt. Raises SpeechUnavailable when it cannot be read."""
    try:
        return prompt_pcm(*read_wav(wav))
    except (ValueError, wave.Error, EOFError) as error:
        raise SpeechUnavailable(f"not a recording: {error}", remedy="write it as a WAV file of PCM") from error
