"""Recorded prompts: a WAV file as samples. Pure."""

from __future__ import annotations

import io
import wave

import numpy as np

from ivr.speech.worker.engines import Samples


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
