"""The second ear as the line sees it: a real recognition worker, real speech, and an endpoint that hears for itself."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from ivr.config import SecondEarConfig, SpeechConfig
from ivr.events import Accept, Heard, RecogniserFailed
from ivr.ports import Clip, ListenRequest, SpeechGrammar
from ivr.speech.service import WorkerSpeechService
from tests.contract.speech.conftest import Subject
from tests.contract.speech.test_service import noise, reopened, speak, until
from tests.endpoints import MODEL, OpenAiServer, never

pytestmark = pytest.mark.asyncio(loop_scope="module")

NARROW = SpeechGrammar("narrow", "en-US", ("yes", "no", "agent"))  # of the state that the caller is in
SAID = "Remove North by Northwest."  # outside of it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer.running() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(server: OpenAiServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerSpeechService]:
    folder: Path = tmp_path_factory.mktemp("speech")
    ear = SecondEarConfig(kind="openai", url=server.url, model=MODEL, timeout_s=3.0)
    made = WorkerSpeechService(
        SpeechConfig(vosk_models=folder / "models", recordings=folder / "audio", cache=folder / "cache", second_ear=ear)
    )
    await made.start()
    yield made
    await made.stop()


async def heard(service: WorkerSpeechService, clip: Clip, *, background: bool = False, private: bool = False) -> Heard:
    ears = await service.open("a call", "en-US", background=background)
    await ears.listen(ListenRequest(NARROW, private=private))
    feeding = asyncio.create_task(speak(ears, clip))
    found = (await until(ears, Heard))[-1]
    await feeding
    await ears.close()
    assert isinstance(found, Heard)
    return found


async def test_the_unsure_is_heard_by_the_endpoint_and_nothing_else(
    service: WorkerSpeechService, server: OpenAiServer, english: Subject
) -> None:
    async def hears(pcm: bytes, _fields: Mapping[str, str]) -> str:
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        return (await asyncio.to_thread(english.recogniser.recognise, samples, english.grammar)).nbest[0].text

    server.hears = hears
    unsure = await heard(service, await service.render(SAID, "en-US"))
    assert unsure.recognition.unsure and unsure.recognition.seconded == ("remove north by northwest",)
    sure = await heard(service, await service.render("Agent.", "en-US"))
    assert sure.recognition.nbest[0].verdict is Accept.ACCEPT and not sure.recognition.seconded
    assert server.requests == 1
    assert not (await heard(service, await service.render(SAID, "en-US"), background=True)).recognition.seconded
    assert server.requests == 1, "what is written down beside a conversation stays here"
    secret = await heard(service, await service.render(SAID, "en-US"), private=True)
    assert secret.recognition.unsure and not secret.recognition.seconded
    assert server.requests == 1, "so does what may be a secret"


async def test_when_the_worker_dies_while_the_endpoint_is_asked_what_it_heard_is_told(
    service: WorkerSpeechService, server: OpenAiServer
) -> None:
    server.will(never)
    ears = await service.open("a call", "en-US")
    await ears.listen(ListenRequest(NARROW))
    asked = server.requests
    clip = await service.render(SAID, "en-US")
    feeding = asyncio.create_task(speak(ears, clip))
    async with asyncio.timeout(60):
        while server.requests == asked:  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.02)
    pid = service.listener.worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    events = await until(ears, RecogniserFailed)
    (told,) = [event for event in events if isinstance(event, Heard)]
    assert told.recognition.unsure and not told.recognition.seconded and isinstance(events[-1], RecogniserFailed)
    await feeding
    again = await reopened(service)
    await again.listen(ListenRequest(NARROW))
    server.will()
    await asyncio.gather(speak(again, Clip("", noise(0.2) + clip.pcm)), until(again, Heard))
    await again.close()
