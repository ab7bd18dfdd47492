"""An OpenAI-compatible endpoint as a synthesiser, against a real server on this machine."""

from __future__ import annotations

import asyncio
import io
import random
import struct
import wave
from array import array
from collections.abc import AsyncIterator

import pytest

from ivr.config import PromptVoiceConfig
from ivr.speech.endpoints.failure import EndpointFailed
from ivr.speech.endpoints.openai_speech import OpenAiSpeech, pcm_wav, whole_wav
from tests.endpoints import KEY, MODEL, Answer, OpenAiServer, body, dead, huge, redirect, status, wav

PCM = (b"\x00\x20" * 40 + b"\x00\xe0" * 40) * 75


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer.running() as running:
        yield running


def config(url: str, **more: object) -> PromptVoiceConfig:
    return PromptVoiceConfig.model_validate({"url": url, "model": MODEL, "voice": "alloy", **more})


async def spoken(configured: PromptVoiceConfig, text: str = "Which title?") -> bytes:
    asked = OpenAiSpeech(configured)
    try:
        async with asyncio.timeout(20):
            return await asked.speak(text)
    finally:
        await asked.aclose()


def read(file: bytes) -> tuple[bytes, int]:
    with wave.open(io.BytesIO(file)) as opened:
        return opened.readframes(opened.getnframes()), opened.getframerate()


@pytest.mark.parametrize("response_format", ["wav", "pcm"])
async def test_a_text_is_sent_and_comes_back_as_a_wav_file(server: OpenAiServer, response_format: str) -> None:
    pcm, rate = read(await spoken(config(f"{server.url}/", response_format=response_format), "¿Qué título?"))
    assert rate == 24000 and len(pcm) > 4000
    expected = {"model": MODEL, "voice": "alloy", "input": "¿Qué título?", "response_format": response_format}
    assert server.spoken == [expected]


def test_stereo_and_other_widths_are_taken_as_they_are() -> None:
    left = array("h", PCM)
    both = array("h", (sample for pair in zip(left, left, strict=True) for sample in pair)).tobytes()
    for channels, width, pcm in ((2, 2, both), (1, 1, b"\xa0\xa0\x60\x60" * 3000), (1, 3, b"\0\0\x20\0\0\xe0" * 3000)):
        written = io.BytesIO()
        with wave.open(written, "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(width)
            file.setframerate(48000)
            file.writeframes(pcm)
        assert read(whole_wav(written.getvalue())) == (pcm, 48000)


def test_what_sounds_different_has_another_version() -> None:
    first = config("http://a/v1")
    others = [config("http://b/v1"), config("http://a/v1", model="other"), config("http://a/v1", response_format="pcm")]
    assert len({OpenAiSpeech(each).version for each in (first, *others)}) == 4


def header(riff: int, data: int) -> bytes:
    """As a stream's that was written before its sizes were known."""
    file = bytearray(wav(PCM))
    struct.pack_into("<I", file, 4, riff)
    struct.pack_into("<I", file, 40, data)
    return bytes(file)


def shaped(rate: int, channels: int) -> bytes:
    """A WAV file whose header says so."""
    fmt = struct.pack("<HHIIHH", 1, channels, rate, 2 * channels * rate & 0xFFFFFFFF, 2 * channels, 16)
    return wav(PCM)[:20] + fmt + wav(PCM)[36:]


NOISE = random.Random(1).randbytes(8000)
WITH_LIST = wav(PCM)[:36] + b"LIST" + struct.pack("<I", 5) + b"INFOx\0" + wav(PCM)[36:]


@pytest.mark.parametrize(
    "file",
    [wav(PCM), header(0xFFFFFFFF, 0xFFFFFFFF), header(0, 0), header(2000000036, 2000000000), WITH_LIST, wav(PCM)[:-1]],
    ids=["whole", "largest", "zero", "placeholder", "another chunk", "broken off"],
)
def test_a_wav_file_is_taken_by_the_sound_that_is_there(file: bytes) -> None:
    pcm, rate = read(whole_wav(file))
    assert rate == 24000 and PCM.startswith(pcm) and len(PCM) - len(pcm) <= 2


@pytest.mark.parametrize(
    ("file", "match"),
    [
        (b"", "no WAV file"),
        (b'{"error": "model is loading"}', "no WAV file"),
        (b"ID3\x04 and so on", "no WAV file"),
        (wav(PCM)[:30], "holds no audio"),
        (wav(b""), "silence"),
        (wav(bytes(4000)), "silence"),
        (wav(PCM)[:20] + b"\x03\x00" + wav(PCM)[22:], "no WAV file of PCM"),  # floats
        (wav(PCM)[:12] + b"fmt " + struct.pack("<I", 4) + b"\0\0\0\0" + wav(PCM)[36:], "no WAV file of PCM"),
        (shaped(0, 1), "1 channels of 0 samples"),
        (shaped(1, 1), "1 channels of 1 samples"),
        (shaped(0xFFFFFFFF, 1), "samples a second"),
        (shaped(24000, 99), "99 channels"),
        (shaped(24000, 0), "no WAV file of PCM"),
        (wav(NOISE), "noise"),
        (b"RIFF\0\0\0\0WAVE" + b"junk\xff\xff\xff\xff" * 10, "holds no audio"),
    ],
)
def test_what_is_no_sound_is_a_failure_in_words(file: bytes, match: str) -> None:
    with pytest.raises(EndpointFailed, match=match):
        whole_wav(file)


@pytest.mark.parametrize(
    "answer", [b"", b"\0" * 4000, b'{"error": "no"}', b" <h1>", wav(PCM), b"OggS...", b"\xff\xfb\x90\x64" + NOISE]
)
def test_what_is_no_bare_pcm_is_a_failure_in_words(answer: bytes) -> None:
    with pytest.raises(EndpointFailed, match=r"no bare PCM|silence|noise"):
        pcm_wav(answer)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (status(401), "refuses the key"),
        (status(404), "no such path or model"),
        (status(422), "refuses the request"),
        (status(429), "too often"),
        (status(500), "fails"),
        (redirect("/elsewhere"), "redirects"),
        (dead, "broke off"),
        (huge, "too large"),
        (body(b"<h1>hello</h1>", "text/html"), "no WAV file"),
    ],
)
async def test_an_answer_of_no_use_is_a_failure_in_words(server: OpenAiServer, answer: Answer, match: str) -> None:
    server.will(answer)
    with pytest.raises(EndpointFailed, match=match) as failed:
        await spoken(config(server.url))
    assert KEY not in str(failed.value) and server.elsewhere == 0
