"""An OpenAI-compatible endpoint as a recogniser, against a real server on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

import pytest

from ivr.config import SecondEarConfig, Secret
from ivr.speech.endpoints.failure import EndpointFailed
from ivr.speech.endpoints.openai_transcription import OpenAiTranscription, spoken
from tests.endpoints import KEY, MODEL, Answer, OpenAiServer, body, dead, huge, redirect, status

PCM = b"\x01\x02" * 4000


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer.running() as running:
        yield running


def config(url: str, **more: object) -> SecondEarConfig:
    return SecondEarConfig.model_validate({"kind": "openai", "url": url, "model": MODEL, **more})


async def transcribed(configured: SecondEarConfig, language: str = "en-US") -> tuple[str, ...]:
    asked = OpenAiTranscription(configured)
    try:
        async with asyncio.timeout(20):
            return await asked.transcribe(PCM, language, ())
    finally:
        await asked.aclose()


async def says(text: str, server: OpenAiServer) -> None:
    async def hears(_pcm: bytes, _fields: Mapping[str, str]) -> str:
        return text

    server.hears = hears


@pytest.mark.parametrize("response_format", ["json", "verbose_json"])
async def test_an_utterance_is_sent_as_a_form_and_read(server: OpenAiServer, response_format: str) -> None:
    await says("  Move Vertigo\nto the top. ", server)
    more = {"response_format": response_format, "prompt": "Films: Vertigo, Alien."}
    assert await transcribed(config(f"{server.url}/", **more), "es-ES") == ("Move Vertigo to the top.",)
    assert server.heard == [PCM]
    (form,) = server.forms
    assert form == {
        "model": MODEL,
        "language": "es",
        "response_format": response_format,
        "temperature": "0",
        "prompt": "Films: Vertigo, Alien.",
    }


async def test_without_a_prompt_none_is_sent_and_silence_is_nothing(server: OpenAiServer) -> None:
    assert await transcribed(config(server.url)) == ()
    assert "prompt" not in server.forms[0]


async def test_the_key_is_shown_and_never_told(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    async with OpenAiServer.running(KEY) as server:
        await says("Yes.", server)
        monkeypatch.setenv("EAR_KEY", KEY)
        assert await transcribed(config(server.url, api_key="env:EAR_KEY")) == ("Yes.",)
        monkeypatch.setenv("EAR_KEY", "sk-other")
        with pytest.raises(EndpointFailed, match="refuses the key") as failed:
            await transcribed(config(server.url, api_key="env:EAR_KEY"))
        assert failed.value.refused and "sk-" not in str(failed.value)
        monkeypatch.delenv("EAR_KEY")
        with pytest.raises(EndpointFailed, match="EAR_KEY is not set"):
            await transcribed(config(server.url, api_key=Secret("env:EAR_KEY")))


@pytest.mark.parametrize(
    ("answer", "match", "refused"),
    [
        (status(400), "refuses the request", True),
        (status(401), "refuses the key", True),
        (status(403), "refuses the key", True),
        (status(404), "no such path or model", True),
        (status(408), "fails", False),
        (status(429), "too often", False),
        (status(500), "fails", False),
        (status(503), "fails", False),
        (redirect("/elsewhere"), "redirects", True),
        (dead, "broke off", False),
        (huge, "too large", False),
        (body(b""), "not JSON", False),
        (body(b"<h1>hello</h1>", "text/html"), "not JSON", False),
        (body(b"\xff\xfe\x00garbage"), "not JSON", False),
        (body(b"[" * 100000), "not JSON", False),
        (body(b'["text"]'), "holds no text", False),
        (body(b'{"text": 7}'), "holds no text", False),
        (body(b'{"error": "model is loading"}'), "holds no text", False),
    ],
)
async def test_an_answer_of_no_use_is_a_failure_in_words(
    server: OpenAiServer, answer: Answer, match: str, refused: bool
) -> None:
    server.will(answer)
    with pytest.raises(EndpointFailed, match=match) as failed:
        await transcribed(config(server.url))
    assert failed.value.refused is refused
    assert KEY not in str(failed.value), "what it says of the key is not repeated"
    assert server.elsewhere == 0, "audio went where nobody configured it to go"


@pytest.mark.parametrize(("asked", "wait_s"), [("7", 7.0), ("", 30.0), ("soon", 30.0), ("999999999", 3600.0)])
async def test_it_says_how_long_it_wants_to_be_left_alone(server: OpenAiServer, asked: str, wait_s: float) -> None:
    server.will(status(429, {"Retry-After": asked}))
    with pytest.raises(EndpointFailed) as failed:
        await transcribed(config(server.url))
    assert failed.value.wait_s == wait_s


async def test_nobody_there_is_a_failure_in_words(server: OpenAiServer, unused_tcp_port: int) -> None:
    with pytest.raises(EndpointFailed, match="is it running"):
        await transcribed(config(f"http://127.0.0.1:{unused_tcp_port}/v1"))


def _verbose(*segments: Mapping[str, object]) -> bytes:
    return json.dumps({"text": "all of it", "segments": segments}).encode()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (_verbose({"text": " Yes.", "no_speech_prob": 0.01, "avg_logprob": -0.2}), "Yes."),
        (_verbose({"text": " Thank you.", "no_speech_prob": 0.9, "avg_logprob": -1.4}), ""),
        (_verbose({"text": " Yes.", "no_speech_prob": 0.9, "avg_logprob": -0.2}), "Yes."),
        (
            _verbose(
                {"text": " Move Vertigo", "no_speech_prob": 0.1, "avg_logprob": -0.3},
                {"text": " Thanks for watching!", "no_speech_prob": 0.8, "avg_logprob": -2},
            ),
            "Move Vertigo",
        ),
        (_verbose({"text": " Yes."}), "Yes."),  # a server that doesn't tell how sure it is
        (_verbose(), "all of it"),
        (b'{"text": "Yes.", "segments": ["odd"]}', "Yes."),
        (b'{"text": "Yes.", "segments": null}', "Yes."),
        (b'{"text": "Yes.", "segments": [{"text": null}, {"text": ["no"]}, {}]}', ""),
    ],
)
def test_what_the_model_takes_for_silence_is_left_out(answer: bytes, text: str) -> None:
    assert spoken(answer) == text
