"""Speech recognition by an OpenAI-compatible endpoint: POST {url}/audio/transcriptions, a form with a WAV file.

Self-hosted servers (Speaches, LocalAI, vLLM, …) speak it too. Whisper writes words into silence: with
``response_format = "verbose_json"`` a segment that the model itself takes for none is left out.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import aiohttp

from ivr.config import SecondEarConfig
from ivr.dialogue.spoken.language import primary
from ivr.media.wav import wav_file
from ivr.speech.endpoints.connection import HttpConnection
from ivr.speech.endpoints.failure import EndpointFailed

_RATE = 8000
_LARGEST = 256 * 1024
_SILENCE = 0.6  # no_speech_prob above which a segment is silence,
_UNLIKELY = -1.0  # where its avg_logprob is lower than this (Whisper's own rule)


class OpenAiTranscription:
    """One endpoint and model."""

    def __init__(self, config: SecondEarConfig) -> None:
        self._config = config
        self._connection = HttpConnection(config, _LARGEST)

    async def transcribe(self, pcm: bytes, language: str, vocabulary: Collection[str]) -> tuple[str, ...]:
        """The transcript of 8 kHz PCM; none where nobody spoke. Raises EndpointFailed."""
        config = self._config
        form = aiohttp.FormData()
        form.add_field("file", wav_file(pcm), filename="utterance.wav", content_type="audio/wav")
        form.add_field("model", config.model)
        form.add_field("language", primary(language))
        form.add_field("response_format", config.response_format)
        form.add_field("temperature", "0")
        if config.prompt:
            form.add_field("prompt", config.prompt)
        text = spoken(await self._connection.post("/audio/transcriptions", form))
        return (text,) if text else ()

    async def aclose(self) -> None:
        await self._connection.aclose()


def spoken(answer: bytes) -> str:
    """What an answer, "json" or "verbose_json", holds of speech. Raises EndpointFailed."""
    try:
        found: Any = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise EndpointFailed("its answer is not JSON", remedy="is url the base of the API, ending in /v1?") from error
    text = found.get("text") if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise EndpointFailed("its answer holds no text", remedy="is url the base of the API, ending in /v1?")
    segments = found.get("segments")
    if isinstance(segments, list) and segments and all(isinstance(each, dict) for each in segments):
        texts = [each.get("text") for each in segments if not _silent(each)]
        text = " ".join(each for each in texts if isinstance(each, str))
    return " ".join(text.split())


def _silent(segment: dict[str, Any]) -> bool:
    silence, likely = segment.get("no_speech_prob"), segment.get("avg_logprob")
    if not isinstance(silence, int | float) or not isinstance(likely, int | float):
        return False
    return silence > _SILENCE and likely < _UNLIKELY
