"""Text-to-speech by an OpenAI-compatible endpoint: POST {url}/audio/speech, answered with a WAV file or bare PCM.

Endpoints stream their WAV files with a header written before its sizes are known: 0, or as large as can be.
"""

from __future__ import annotations

import io
import struct
import sys
import wave
from array import array
from itertools import pairwise

from ivr.config import PromptVoiceConfig
from ivr.media.wav import wav_file
from ivr.speech.endpoints.connection import HttpConnection
from ivr.speech.endpoints.failure import EndpointFailed

_LARGEST = 16 * 1024 * 1024
_PCM_RATE = 24000  # of bare PCM, 16 bits, as the API says
_CHUNK = struct.Struct("<4sI")
_RIFF = 12  # bytes before the first chunk
_RATES = range(8000, 192001)
_ALIKE = 0.3  # neighbouring samples of speech correlate by 0.6 and more, what is compressed not at all
_LOOKED_AT = 200_000  # samples


class OpenAiSpeech:
    """One endpoint, model and voice. ``version``: whatever sounds different has another one."""

    def __init__(self, config: PromptVoiceConfig) -> None:
        self._config = config
        self._connection = HttpConnection(config, _LARGEST)
        self.version = " ".join((config.url.rstrip("/"), config.model, config.response_format))

    async def speak(self, text: str) -> bytes:
        """A WAV file. Raises EndpointFailed."""
        config = self._config
        order = {
            "model": config.model,
            "voice": config.voice,
            "input": text,
            "response_format": config.response_format,
        }
        answer = await self._connection.post("/audio/speech", order)
        return whole_wav(answer) if config.response_format == "wav" else pcm_wav(answer)

    async def aclose(self) -> None:
        await self._connection.aclose()


def pcm_wav(pcm: bytes) -> bytes:
    """16-bit mono PCM as the API defines it. Raises EndpointFailed for what can't be that."""
    pcm = pcm[: len(pcm) & ~1]
    if pcm[:4] in (b"RIFF", b"ID3\x03", b"ID3\x04", b"OggS", b"fLaC") or pcm.lstrip()[:1] in (b"{", b"<"):
        raise EndpointFailed("its answer is no bare PCM", remedy='try response_format = "wav"')
    return _checked(wav_file(pcm, _PCM_RATE))


def whole_wav(answer: bytes) -> bytes:
    """The WAV file with the sizes that it really has. Raises EndpointFailed."""
    at, size = _RIFF, 0
    if answer[:4] != b"RIFF" or answer[8:12] != b"WAVE":
        raise EndpointFailed("its answer is no WAV file", remedy='try response_format = "pcm"')
    while at + _CHUNK.size <= len(answer):
        name, size = _CHUNK.unpack_from(answer, at)
        if name == b"data":
            break
        at += _CHUNK.size + size + (size & 1)
    else:
        raise EndpointFailed("its WAV file holds no audio", remedy="see its log")
    there = len(answer) - at - _CHUNK.size
    if size == 0 or size > there:
        answer = answer[:at] + _CHUNK.pack(b"data", there) + answer[at + _CHUNK.size :]
    return _checked(answer[:4] + struct.pack("<I", len(answer) - 8) + answer[8:])


def _checked(file: bytes) -> bytes:
    """``file``, if there is sound in it. Raises EndpointFailed."""
    try:
        with wave.open(io.BytesIO(file)) as opened:
            frame = opened.getnchannels() * opened.getsampwidth()
            pcm = opened.readframes(opened.getnframes())
            shape = opened.getnchannels(), opened.getsampwidth(), opened.getframerate()
    except (wave.Error, EOFError) as error:
        why = f"its answer is no WAV file of PCM ({error})"
        raise EndpointFailed(why, remedy='see its log, or try response_format = "pcm"') from error
    channels, width, rate = shape
    if channels > 2 or rate not in _RATES:
        raise EndpointFailed(f"its WAV file has {channels} channels of {rate} samples a second", remedy="see its log")
    pcm = pcm[: len(pcm) // frame * frame]  # a stream may break off within a frame
    if not pcm.strip(b"\0" if width > 1 else b"\x80"):
        raise EndpointFailed("it made nothing but silence", remedy="check model and voice")
    if width == 2 and not _sounds(array("h", pcm[: 2 * _LOOKED_AT]), channels):
        raise EndpointFailed("its answer is noise, as what is compressed sounds: MP3, say", remedy="see its log")
    return wav_file(pcm, rate, channels, width)


def _sounds(samples: array[int], channels: int) -> bool:
    """Whether neighbouring samples are alike, as they are in everything that a voice says."""
    if sys.byteorder == "big":
        samples.byteswap()
    one = samples[::channels]
    mean = sum(one) / len(one)
    energy = sum((sample - mean) ** 2 for sample in one)
    alike = sum((left - mean) * (right - mean) for left, right in pairwise(one))
    return energy > 0 and alike >= _ALIKE * energy
