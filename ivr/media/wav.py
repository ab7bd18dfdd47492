"""A WAV file in memory, of PCM as telephones have it: 16-bit, mono, 8 kHz, where nothing else is said."""

from __future__ import annotations

import io
import wave


def wav_file(pcm: bytes, rate: int = 8000, channels: int = 1, width: int = 2) -> bytes:
    """``rate`` in Hz, ``width`` in bytes a sample."""
    written = io.BytesIO()
    with wave.open(written, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(pcm)
    return written.getvalue()
