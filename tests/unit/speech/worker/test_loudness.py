"""Recordings of every usual format as samples."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from ivr.errors import SpeechUnavailable
from ivr.speech.worker.loudness import levelled, read_wav

TONE = [0.4 * np.sin(i / 3) for i in range(4000)]


def wav_of(samples: list[float], rate: int = 8000, width: int = 2, channels: int = 1) -> bytes:
    scaled = np.repeat(np.array(samples) * (2 ** (8 * width - 1) - 1), channels).astype("<i4")
    raw = scaled.view(np.uint8).reshape(-1, 4)[:, :width] if width > 1 else (scaled + 128).astype(np.uint8)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw.tobytes())
    return out.getvalue()


@pytest.mark.parametrize(("width", "channels", "rate"), [(1, 1, 8000), (2, 2, 44100), (3, 1, 48000), (4, 2, 16000)])
def test_every_usual_format_is_read(width: int, channels: int, rate: int) -> None:
    samples, got = read_wav(wav_of(TONE, rate, width, channels))
    assert got == rate and len(samples) == len(TONE)
    assert np.abs(samples - np.array(TONE)).max() < 0.02


def test_a_recording_becomes_a_prompt_of_its_length() -> None:
    assert 0.4 < len(levelled(wav_of(TONE))) / 16000 < 0.6


@pytest.mark.parametrize("wav", [b"", b"RIFFnothing", wav_of([])])
def test_an_unreadable_recording_is_refused(wav: bytes) -> None:
    with pytest.raises(SpeechUnavailable, match="not a recording"):
        levelled(wav)
