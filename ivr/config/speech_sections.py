"""Sections of [speech] for recognisers and synthesisers that run elsewhere and are asked over the network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from ivr.config.fields import EndpointUrl, Secret, SecretField
from ivr.config.section import Section
from ivr.dialogue.spoken.language import served

_SCHEMES = {"openai": ("http", "https"), "vosk_server": ("ws", "wss")}
_ONLY_OPENAI = ("model", "prompt", "response_format")


_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # as far as BCP 47 matters here
_PATHS = ("/audio/transcriptions", "/audio/speech")  # that the line adds by itself


def _languages(value: object) -> object:
    named = isinstance(value, list | tuple) and value
    if not named or not all(isinstance(tag, str) and _TAG.fullmatch(tag) for tag in value):  # type: ignore[attr-defined]
        raise ValueError('name the languages it serves, e.g. ["en"] or ["en-US", "es"]')
    return value


def _base(url: str) -> str:
    if urlsplit(url).path.rstrip("/").endswith(_PATHS):
        raise ValueError(f"{url}: leave the end out, the API's base is wanted, e.g. http://HOST:PORT/v1")
    return url


class SecondEarConfig(Section):
    """A recogniser elsewhere that is asked about what our own is unsure of.

    ``kind``: "openai", an endpoint that speaks the OpenAI API (``url`` is its base, ending in /v1), or "vosk_server".
    ``timeout_s``: how long a caller may wait for it. ``at_once``: utterances it is asked about at the same time.
    ``prompt``: what an OpenAI model is told of the subject; ``response_format``: "verbose_json" where it can, to know
    silence from speech. ``vocabulary``: a Vosk server hears only the words that are wanted just then."""

    kind: Literal["openai", "vosk_server"]
    url: EndpointUrl
    model: str = ""
    languages: tuple[str, ...] = ("en",)
    api_key: SecretField = Secret("")
    timeout_s: float = Field(0.7, ge=0.05, le=3.0)
    at_once: int = Field(4, ge=1, le=64)
    prompt: str = Field("", max_length=800)
    response_format: Literal["json", "verbose_json"] = "json"
    vocabulary: bool = False

    _named = field_validator("languages", mode="before")(_languages)

    _of_the_api = field_validator("url")(_base)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> SecondEarConfig:
        schemes = _SCHEMES[self.kind]
        if urlsplit(self.url).scheme not in schemes:
            raise ValueError(f'url: kind = "{self.kind}" is asked by {" or ".join(schemes)}, not {self.url}')
        if self.kind == "openai" and not self.model:
            raise ValueError("model: name the one that the endpoint serves, e.g. whisper-1")
        if self.kind == "openai" and self.vocabulary:
            raise ValueError('vocabulary is for kind = "vosk_server"; prompt tells an OpenAI model what is spoken of')
        if self.kind == "vosk_server" and (given := [key for key in _ONLY_OPENAI if key in self.model_fields_set]):
            raise ValueError(f"{', '.join(given)}: a Vosk server has its model, and takes no such key: remove it")
        return self


class PromptVoiceConfig(Section):
    """An endpoint that speaks the OpenAI API and renders the fixed prompts of ``languages``, each once.

    ``url``: its base, ending in /v1. ``response_format``: "pcm" is taken as 24 kHz, as the API says."""

    url: EndpointUrl
    model: str = Field(min_length=1)
    voice: str = Field(min_length=1)
    languages: tuple[str, ...] = ("en",)
    api_key: SecretField = Secret("")
    timeout_s: float = Field(15.0, ge=0.5, le=120.0)
    response_format: Literal["wav", "pcm"] = "wav"

    _named = field_validator("languages", mode="before")(_languages)

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"{url} is not http(s)://HOST:PORT/v1")
        return _base(url)


def one_voice_a_language(voices: Sequence[PromptVoiceConfig]) -> None:
    """Raises ValueError where one would never be asked."""
    for number, voice in enumerate(voices):
        taken = [tag for before in voices[:number] for tag in before.languages]
        if twice := [tag for tag in voice.languages if served(tag, taken)]:
            raise ValueError(f"{', '.join(twice)}: two voices for one language, name it with one of them only")
