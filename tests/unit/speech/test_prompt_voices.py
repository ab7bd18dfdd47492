"""Voices elsewhere for fixed prompts, in front of a real server: rendered once, and nothing is silent without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.config import PromptVoiceConfig
from ivr.errors import SpeechUnavailable
from ivr.ports import Clip
from ivr.speech.endpoints.circuit_breaker import FAILURES, PAUSE_S
from ivr.speech.prompt_cache import PromptCache
from ivr.speech.prompt_voices import PromptVoices
from tests.endpoints import MODEL, OpenAiServer, body, dead, never, status


class Voices:
    """Prompt voices, a level that marks what it did, and a clock for the breaker that the test moves."""

    def __init__(self, folder: Path, *configs: PromptVoiceConfig) -> None:
        self.now = 0.0
        self.folder = folder
        self.broken = False
        self.voices = PromptVoices(configs, PromptCache(folder), self._level, lambda: self.now)

    async def _level(self, wav: bytes) -> bytes:
        if self.broken:
            raise SpeechUnavailable("the speak worker is gone")
        return b"levelled" + wav[44:64]

    async def make(self, text: str, language: str = "en-US", voice: str = "") -> Clip | None:
        async with asyncio.timeout(20):
            return await self.voices.clip(text, language, voice, make=True)

    async def known(self, text: str, language: str = "en-US") -> Clip | None:
        return await self.voices.clip(text, language, make=False)

    async def caught_up(self) -> None:
        """Once what is made beside the calls is made."""
        beside = [task for task in asyncio.all_tasks() if task.get_name() == "prompt_voices"]
        async with asyncio.timeout(20):
            await asyncio.gather(*beside)

    @property
    def healthy(self) -> list[bool]:
        return [status.healthy for status in self.voices.statuses()]


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer.running() as running:
        yield running


def config(url: str, **more: object) -> PromptVoiceConfig:
    return PromptVoiceConfig.model_validate({"url": url, "model": MODEL, "voice": "alloy", **more})


async def test_a_fixed_prompt_is_rendered_once_and_known_from_then_on(server: OpenAiServer, tmp_path: Path) -> None:
    made = Voices(tmp_path, config(server.url))
    assert await made.known("Which title?") is None, "what nobody called fixed is not sent"
    first, second = await asyncio.gather(made.make("Which title?"), made.make("Which title?"))
    assert first is not None and first == second and first.pcm.startswith(b"levelled")
    assert await made.make("Which title?") == first == await made.known("Which title?")
    assert await made.known("Casablanca is number four now.") is None
    assert [order["input"] for order in server.spoken] == ["Which title?"]
    again = Voices(tmp_path, config(server.url))  # another start
    assert await again.make("Which title?") == first and len(server.spoken) == 1
    other = Voices(tmp_path, config(server.url, voice="nova"))
    assert await other.make("Which title?") != first and len(server.spoken) == 2
    for each in (made, again, other):
        await each.voices.aclose()


async def test_each_language_has_its_voice_and_chosen_voices_are_ours(server: OpenAiServer, tmp_path: Path) -> None:
    made = Voices(tmp_path, config(server.url), config(server.url, voice="lucia", languages=["es"]))
    assert await made.make("Which title?") and await made.make("¿Qué título?", "es-US")
    assert [order["voice"] for order in server.spoken] == ["alloy", "lucia"]
    assert await made.make("Welk?", "nl-NL") is None
    assert await made.make("Which title?", voice="en-us+f3") is None
    assert len(server.spoken) == 2
    await made.voices.aclose()


async def test_while_it_is_gone_nothing_comes_of_it_and_it_is_left_alone(server: OpenAiServer, tmp_path: Path) -> None:
    server.will(dead)
    made = Voices(tmp_path, config(server.url))
    assert [await made.make(f"Prompt {n}.") for n in range(20)] == [None] * 20
    assert len(server.spoken) == FAILURES and made.healthy == [False]
    server.will()
    made.now += PAUSE_S + 1
    assert await made.make("Prompt 0.") is not None and made.healthy == [True]
    await made.voices.aclose()


async def test_what_it_owes_is_made_beside_the_calls_once_it_is_back(server: OpenAiServer, tmp_path: Path) -> None:
    server.will(dead)
    made = Voices(tmp_path, config(server.url))
    texts = [f"Prompt {n}." for n in range(20)]
    assert [await made.make(text) for text in texts] == [None] * 20
    assert made.voices.owed == 20
    server.will()
    asked = len(server.spoken)
    assert await made.known("Prompt 7.") is None and len(server.spoken) == asked, "it is left alone"
    made.now += PAUSE_S + 1
    with capture_logs() as logs:
        assert await made.known("Your title is Alien.") is None and await made.known("Prompt 7.") is None
        await made.caught_up()
    assert [order["input"] for order in server.spoken[asked:]] == texts, "each once, and nothing else"
    assert made.voices.owed == 0 and None not in [await made.known(text) for text in texts]
    told = {entry["event"]: entry for entry in logs}
    assert (told["prompt_voice.caught_up"]["made"], told["prompt_voice.caught_up"]["owed"]) == (20, 0)
    again = Voices(tmp_path, config(server.url))  # another start
    assert None not in [await again.make(text) for text in texts] and len(server.spoken) == asked + 20
    for each in (made, again):
        await each.voices.aclose()


async def test_one_that_is_still_gone_is_asked_once_a_minute(server: OpenAiServer, tmp_path: Path) -> None:
    server.will(dead)
    made = Voices(tmp_path, config(server.url))
    for n in range(20):
        await made.make(f"Prompt {n}.")
    asked = len(server.spoken)
    for _ in range(5):
        made.now += PAUSE_S + 1
        await made.known("Prompt 7.")
        await made.caught_up()
    assert len(server.spoken) == asked + 2 and made.voices.owed == 20, "80 s"
    await made.voices.aclose()


async def test_what_it_makes_nothing_of_is_told_and_not_asked_again_for_every_caller(
    server: OpenAiServer, tmp_path: Path
) -> None:
    server.will(body(b"", "audio/wav"))
    made = Voices(tmp_path, config(server.url))
    with capture_logs() as logs:
        assert await made.make("Which title?") is None
    assert [e["event"] for e in logs] == ["prompt_voice.failed"] and "no WAV file" in logs[0]["error"]
    for _ in range(5):
        await made.known("Which title?")
        await made.caught_up()
    assert len(server.spoken) == 2
    await made.voices.aclose()


async def test_it_is_not_waited_for_longer_than_configured(server: OpenAiServer, tmp_path: Path) -> None:
    server.will(never)
    made = Voices(tmp_path, config(server.url, timeout_s=0.5))
    assert await made.make("Which title?") is None
    await made.voices.aclose()


async def test_one_that_wants_a_moment_gets_it(server: OpenAiServer, tmp_path: Path) -> None:
    plain = server.speaks
    server.will(status(429, {"Retry-After": "1"}), body(b"later"))
    made = Voices(tmp_path, config(server.url))
    assert await made.make("Which title?") is None, "garbage after the wait"
    server.will(status(429, {"Retry-After": "60"}))
    assert await made.make("Which title?") is None and made.healthy == [False]
    assert len(server.spoken) == 3 and server.speaks is plain
    await made.voices.aclose()


@pytest.mark.parametrize("content", [b"", b"garbage", b'{"error": "no"}', b"RIFF\0\0\0\0WAVEdata\0\0\0\0"])
async def test_what_is_no_sound_is_no_prompt(server: OpenAiServer, tmp_path: Path, content: bytes) -> None:
    server.will(body(content, "audio/wav"))
    made = Voices(tmp_path, config(server.url))
    assert await made.make("Which title?") is None
    assert not list(tmp_path.rglob("*.wav"))
    await made.voices.aclose()


async def test_what_cannot_be_levelled_is_no_prompt(server: OpenAiServer, tmp_path: Path) -> None:
    made = Voices(tmp_path, config(server.url))
    made.broken = True
    assert await made.make("Which title?") is None and made.healthy == [True]
    made.broken = False
    assert await made.make("Which title?") is not None
    await made.voices.aclose()
