"""Fixed prompts spoken by an endpoint, as the line sees it: a real synthesis worker and a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from ivr.config import PromptVoiceConfig, SpeechConfig
from ivr.speech.service import WorkerSpeechService
from tests.endpoints import MODEL, OpenAiServer, dead

PROMPTS = [("Which title?", "en-US", ""), ("Goodbye.", "en-US", "")]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer.running() as running:
        yield running


@pytest_asyncio.fixture
async def service(server: OpenAiServer, tmp_path: Path) -> AsyncIterator[WorkerSpeechService]:
    voice = PromptVoiceConfig(url=server.url, model=MODEL, voice="alloy")
    made = WorkerSpeechService(
        SpeechConfig(recordings=tmp_path / "audio", cache=tmp_path / "cache", prompt_voices=(voice,))
    )
    await made.speaker.start()
    yield made
    await made.stop()


async def test_fixed_prompts_are_spoken_elsewhere_and_what_changes_is_spoken_here(
    service: WorkerSpeechService, server: OpenAiServer
) -> None:
    async def sine(_order: Mapping[str, Any]) -> bytes:
        return (np.sin(np.arange(24000) * 2 * np.pi * 440 / 24000) * 3000).astype("<i2").tobytes()

    server.speaks = sine
    fixed = await service.render_all(PROMPTS)
    assert [order["input"] for order in server.spoken] == ["Which title?", "Goodbye."]
    for clip in fixed:  # a telephone prompt: 8 kHz, as loud as all the others
        samples = np.frombuffer(clip.pcm, "<i2").astype(float)
        assert 0.9 < clip.seconds < 1.1
        assert abs(20 * np.log10(np.sqrt((samples**2).mean()) / 32768) + 20) < 1.5
        crossings = np.count_nonzero(np.diff(np.signbit(samples)))
        assert abs(crossings / clip.seconds / 2 - 440) < 10
    assert await service.render(*PROMPTS[0]) == fixed[0]
    assert await service.render("Which title?", "en-US", recording="nothing-recorded") == fixed[0]
    dynamic = await service.render("Casablanca is number four now.", "en-US")
    assert dynamic.seconds > 1 and len(server.spoken) == 2
    assert [(s.name, s.healthy) for s in service.endpoints()] == [("prompt_voice openai", True)]


async def test_while_the_endpoint_is_gone_the_voice_here_speaks(
    service: WorkerSpeechService, server: OpenAiServer
) -> None:
    server.will(dead)
    prompts = [(f"This is prompt number {n}.", "en-US", "") for n in range(6)]
    clips = await service.render_all(prompts)
    assert all(clip.seconds > 0.8 and any(clip.pcm) for clip in clips)
    (state,) = service.endpoints()
    assert not state.healthy and "broke off" in state.detail
    assert [s.healthy for s in service.synthesisers()] == [True, True]
    assert await service.render(*prompts[0]) == clips[0]


async def test_a_recording_wins(service: WorkerSpeechService, server: OpenAiServer, tmp_path: Path) -> None:
    folder = tmp_path / "audio" / "en-US"
    folder.mkdir(parents=True)
    spoken = await service.render("Something else.", "en-US")
    cached = next((tmp_path / "cache").rglob("*.wav"))
    (folder / "which-title.wav").write_bytes(cached.read_bytes())
    clip, _ = await service.render_all(PROMPTS)
    assert clip.key.startswith("rec-") and abs(clip.seconds - spoken.seconds) < 0.2
    assert [order["input"] for order in server.spoken] == ["Goodbye."]


@pytest.mark.parametrize("keep", [True, False])
async def test_what_is_secret_or_was_never_fixed_leaves_for_nowhere(
    service: WorkerSpeechService, server: OpenAiServer, keep: bool
) -> None:
    await service.render("Your number is four seven one one.", "en-US", keep=keep)
    assert not server.spoken
