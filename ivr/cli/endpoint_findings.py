"""Findings about recognisers and voices elsewhere: each endpoint is asked once, with nothing that a caller said."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from ivr.cli.finding import Finding
from ivr.config import Address, PromptVoiceConfig, SecondEarConfig, SpeechConfig
from ivr.errors import SpeechUnavailable
from ivr.speech.endpoints.openai_speech import OpenAiSpeech
from ivr.speech.second_ear import transcriber

_PATIENCE_S = 10.0
_HUM = b"\x00\x04\x00\xfc" * 3200  # 0.8 s at 8 kHz: it holds no words
_TEXT = "Ready."


async def endpoint_findings(speech: SpeechConfig) -> list[Finding]:
    """One of each that is configured, and another where what callers say goes through the network for all to hear."""
    endpoints = list(speech.endpoints)
    found = list(await asyncio.gather(*(_asked(name, config) for name, config in endpoints)))
    for name, config in endpoints:
        parts = urlsplit(config.url)
        if isinstance(config, SecondEarConfig) and parts.scheme in ("http", "ws"):
            host = parts.hostname or ""
            if not Address(host, 0).loopback:
                detail = f"what callers say goes to {host} unencrypted"
                found.append(Finding("note", name, detail, "use https: or wss:, or a tunnel between the two machines"))
    return found


async def _asked(name: str, config: SecondEarConfig | PromptVoiceConfig) -> Finding:
    began = time.monotonic()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            if isinstance(config, SecondEarConfig):
                await _heard(config)
            else:
                await _spoken(config)
    except TimeoutError:
        return Finding("bad", name, f"{config.url}: no answer in {_PATIENCE_S:g} s", "is it running, and reached?")
    except SpeechUnavailable as error:
        return Finding("bad", name, f"{config.url}: {error.args[0]}", error.remedy)
    took_s = time.monotonic() - began
    if took_s > config.timeout_s:
        late = f"{config.url} answers in {took_s:.1f} s: too late, callers wait timeout_s = {config.timeout_s:g} for it"
        if isinstance(config, PromptVoiceConfig):
            late = f"{config.url} answers in {took_s:.1f} s, after timeout_s = {config.timeout_s:g}"
        return Finding("note", name, late, "raise timeout_s, or speed it up; a model's first answer is its slowest")
    return Finding("ok", name, f"{config.url} answers in {took_s:.2f} s")


async def _heard(config: SecondEarConfig) -> None:
    ear = transcriber(config)
    try:
        await ear.transcribe(_HUM, config.languages[0], ())
    finally:
        await ear.aclose()


async def _spoken(config: PromptVoiceConfig) -> None:
    voice = OpenAiSpeech(config)
    try:
        await voice.speak(_TEXT)
    finally:
        await voice.aclose()
