"""Recordings of every usual format as samples."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from ivr.errors import SpeechUnavailable
from ivr.speech.worker.loudness import levelled, prompt_pcm, read_wav

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


def spoken(*parts: tuple[float, float]) -> np.ndarray:
    """(seconds, level) of tones and silences one after the other."""
    return np.concatenate([level * np.sin(np.arange(int(s * 8000)) / 3) for s, level in parts]).astype(np.float32)


def test_a_prompt_begins_with_sound() -> None:
    pcm = np.frombuffer(prompt_pcm(spoken((0.3, 0.0), (0.1, 0.002), (0.5, 0.4)), 8000), "<i2")
    assert int(np.flatnonzero(np.abs(pcm) > 300)[0]) <= 0.016 * 8000


def test_pauses_between_sentences_are_shortened_in_what_is_synthesised_and_left_in_recordings() -> None:
    said = spoken((0.5, 0.4), (0.9, 0.0), (0.5, 0.4), (0.3, 0.0), (0.5, 0.4))
    assert len(prompt_pcm(said, 8000, brisk=True)) / 16000 == pytest.approx(2.2, abs=0.03)
    assert len(prompt_pcm(said, 8000)) / 16000 == pytest.approx(2.7, abs=0.03)
    assert len(levelled(wav_of([float(x) for x in said]))) / 16000 == pytest.approx(2.7, abs=0.03)
