"""A Vosk server as a recogniser, against one on this machine that keeps to its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from ivr.config import SecondEarConfig
from ivr.speech.endpoints.failure import EndpointFailed
from ivr.speech.endpoints.vosk_server import VoskServer
from tests.endpoints import KEY, Answer, VoskWebSocketServer, body, dead, redirect, status

PCM = bytes(range(250)) * 40  # 0.625 s: four chunks, the last a short one


@pytest.fixture
async def server() -> AsyncIterator[VoskWebSocketServer]:
    async with VoskWebSocketServer.running() as running:
        yield running


def config(url: str, **more: object) -> SecondEarConfig:
    return SecondEarConfig.model_validate({"kind": "vosk_server", "url": url, **more})


async def transcribed(configured: SecondEarConfig, vocabulary: Sequence[str] = ()) -> tuple[str, ...]:
    asked = VoskServer(configured)
    try:
        async with asyncio.timeout(20):
            return await asked.transcribe(PCM, "en-US", vocabulary)
    finally:
        await asked.aclose()


async def test_an_utterance_is_streamed_and_read(server: VoskWebSocketServer) -> None:
    server.final = {"result": [{"word": "yes", "conf": 1.0}], "text": "yes please"}
    assert await transcribed(config(server.url), ["yes", "no"]) == ("yes please",)
    assert server.heard == [PCM] and server.chunks == [4]
    assert server.configs == [{"sample_rate": 8000, "words": 0, "max_alternatives": 3}]


async def test_alternatives_come_best_first_and_each_once(server: VoskWebSocketServer) -> None:
    server.final = {"alternatives": [{"text": "remove alien", "confidence": 210.1}, {"text": "remove aliens"}]}
    assert await transcribed(config(server.url)) == ("remove alien", "remove aliens")
    server.final = {"alternatives": [{"text": "yes"}, {"text": "yes"}, {"text": ""}, "odd", {"text": 7}]}
    assert await transcribed(config(server.url)) == ("yes",)


async def test_segments_that_vosk_closed_on_its_way_are_joined(server: VoskWebSocketServer) -> None:
    server.results = {1: {"text": "move vertigo"}, 2: {"alternatives": [{"text": ""}]}}
    server.final = {"alternatives": [{"text": "to the top"}, {"text": "to the stop"}]}
    assert await transcribed(config(server.url)) == ("move vertigo to the top", "move vertigo to the stop")
    server.final = {"text": ""}
    assert await transcribed(config(server.url)) == ("move vertigo",)


async def test_silence_is_nothing(server: VoskWebSocketServer) -> None:
    assert await transcribed(config(server.url)) == ()


async def test_it_hears_only_the_words_that_are_wanted_where_that_is_configured(server: VoskWebSocketServer) -> None:
    server.final = {"text": "move [unk] first"}
    assert await transcribed(config(server.url, vocabulary=True), ["move", "first"]) == ("move first",)
    assert server.configs[0]["phrase_list"] == ["first", "move", "[unk]"]
    assert await transcribed(config(server.url, vocabulary=True)) == ("move first",)
    assert "phrase_list" not in server.configs[1], "an empty list would crash it"


async def test_the_key_is_shown(server: VoskWebSocketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAR_KEY", KEY)
    await transcribed(config(server.url, api_key="env:EAR_KEY"))
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    ("answer", "match", "refused"),
    [
        (status(401), "refuses the key", True),
        (status(404), "no such path", True),
        (status(429, {"Retry-After": "9"}), "too often", False),
        (status(502), "fails", False),
        (status(200), "no WebSocket", True),
        (body(b"hello", "text/plain"), "no WebSocket", True),
        (redirect("/elsewhere"), "redirects", True),
        (dead, "broke off", False),
    ],
)
async def test_a_handshake_of_no_use_is_a_failure_in_words(
    server: VoskWebSocketServer, answer: Answer, match: str, refused: bool
) -> None:
    server.instead = answer
    with pytest.raises(EndpointFailed, match=match) as failed:
        await transcribed(config(server.url))
    assert failed.value.refused is refused and not server.heard


@pytest.mark.parametrize("final", ["garbage", "[]", '{"error": "no"}', "[" * 50000, '{"text": "%s"}' % ("x" * 100000)])
async def test_garbage_is_a_failure_in_words(server: VoskWebSocketServer, final: str) -> None:
    server.final = final
    with pytest.raises(EndpointFailed, match=r"its answer|broke off"):
        await transcribed(config(server.url))


async def test_a_connection_that_breaks_in_the_middle_is_a_failure(server: VoskWebSocketServer) -> None:
    server.breaks_after = 2
    with pytest.raises(EndpointFailed, match="broke off"):
        await transcribed(config(server.url))


async def test_one_that_says_more_than_it_is_asked_is_heard_to_its_last_word(server: VoskWebSocketServer) -> None:
    server.greets, server.final = 2, {"text": "yes please"}
    assert await transcribed(config(server.url)) == ("yes please",)


async def test_one_that_never_comes_to_a_result_is_not_taken_for_silence(server: VoskWebSocketServer) -> None:
    server.final, server.stays = {"partial": "yes"}, True
    asked = VoskServer(config(server.url))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await asked.transcribe(PCM, "en-US", ())
    await asked.aclose()
    server.stays = False
    with pytest.raises(EndpointFailed, match="broke off"):
        await transcribed(config(server.url))


async def test_nobody_waits_for_one_that_does_not_hang_up(server: VoskWebSocketServer) -> None:
    server.final, server.stays = {"text": "yes"}, True
    asked = VoskServer(config(server.url))
    async with asyncio.timeout(0.8):
        assert await asked.transcribe(PCM, "en-US", ()) == ("yes",)
    await asked.aclose()


async def test_nobody_there_is_a_failure_in_words(unused_tcp_port: int) -> None:
    with pytest.raises(EndpointFailed, match="is it running"):
        await transcribed(config(f"ws://127.0.0.1:{unused_tcp_port}"))
