"""The second ear in front of a real server: its time, its order, its absence."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
from structlog.testing import capture_logs

from ivr.config import SecondEarConfig
from ivr.events import Accept, Cause, Heard, Hypothesis, Recognition
from ivr.ports import CharacterRun, SpeechGrammar
from ivr.speech.endpoints.circuit_breaker import FAILURES, PAUSE_S
from ivr.speech.endpoints.openai_transcription import OpenAiTranscription
from ivr.speech.second_ear import NAME, SecondEar, SecondedReadings, words_of
from tests.endpoints import (
    KEY,
    MODEL,
    Answer,
    OpenAiServer,
    VoskWebSocketServer,
    body,
    dead,
    huge,
    never,
    redirect,
    status,
)

PCM = b"\x01\x02" * 4000
GRAMMAR = SpeechGrammar(
    "g", "en-US", ("yes", "no thanks"), CharacterRun(3, 8), (("move", "{t}"),), (("t", ("city lights",)),)
)


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer.running() as running:
        yield running


class Calls:
    """One call's readings, and a clock for the breaker that the test moves."""

    def __init__(self, url: str, **more: object) -> None:
        self.now = 0.0
        self.config = SecondEarConfig.model_validate({"kind": "openai", "url": url, "model": MODEL, **more})
        self.ear = SecondEar(self.config, lambda: self.now)
        self.told: asyncio.Queue[Heard] = asyncio.Queue()
        self.readings = SecondedReadings(self.ear, "en-US", self.told.put_nowait)

    async def next(self) -> Heard:
        async with asyncio.timeout(20):
            return await self.told.get()

    async def hear(self, number: int) -> Heard:
        """An unsure utterance, until it is told."""
        self.readings.take(unsure(number), PCM, GRAMMAR)
        return await self.next()

    @property
    def trials_over(self) -> bool:
        return not [task for task in asyncio.all_tasks() if task.get_name() == NAME]

    async def __aenter__(self) -> Calls:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ear.aclose()


def unsure(number: int) -> Heard:
    return Heard(Recognition(Cause.SUCCESS, (Hypothesis("yes", 0.6, 0, Accept.CONFIRM),), "yes"), float(number))


def sure(number: int) -> Heard:
    return Heard(Recognition(Cause.SUCCESS, (Hypothesis("yes", 0.99, 0, Accept.ACCEPT),), "yes"), float(number))


async def test_the_unsure_is_told_with_what_the_second_ear_read(server: OpenAiServer) -> None:
    async def hears(pcm: bytes, _fields: Mapping[str, str]) -> str:
        assert pcm == PCM
        return "No, thanks."

    server.hears = hears
    async with Calls(server.url) as calls:
        heard = await calls.hear(1)
        assert heard.recognition.seconded == ("No, thanks.",) and heard.recognition.nbest == unsure(1).recognition.nbest
        calls.readings.take(sure(2))
        assert calls.told.get_nowait() == sure(2), "the sure does not wait"
        assert server.requests == 1, "nor is it asked about"


async def test_readings_keep_their_order(server: OpenAiServer) -> None:
    released = asyncio.Event()

    async def hears(_pcm: bytes, _fields: Mapping[str, str]) -> str:
        if server.requests == 1:
            await released.wait()
        return "Yes."

    server.hears = hears
    async with Calls(server.url, timeout_s=3.0) as calls:
        for heard in (unsure(1), unsure(2)):
            calls.readings.take(heard, PCM, GRAMMAR)
        calls.readings.take(sure(3))
        await until(lambda: server.requests == 2)
        assert calls.told.empty()
        released.set()
        assert [(await calls.next()).speech_ended_at for _ in range(3)] == [1.0, 2.0, 3.0]


async def test_what_it_does_not_answer_in_time_is_told_as_it_is(server: OpenAiServer) -> None:
    server.will(never)
    async with Calls(server.url, timeout_s=0.2) as calls:
        took = []
        for number in range(2):
            began = time.monotonic()
            assert await calls.hear(number) == unsure(number)
            took.append(time.monotonic() - began)
        assert 0.19 < min(took) < 0.5
        assert calls.ear.status() is not None and "longer than 0.2 s" not in str(calls.ear.status()), "once is no fault"


@pytest.mark.parametrize(
    "answer",
    [dead, huge, never, status(500), status(401), status(429), body(b"<h1>hello</h1>"), redirect("/elsewhere")],
)
async def test_nothing_is_lost_whatever_it_answers(server: OpenAiServer, answer: Answer) -> None:
    server.will(answer)
    async with Calls(server.url, timeout_s=0.3) as calls:
        for number in range(FAILURES + 3):
            assert await calls.hear(number) == unsure(number)
        assert server.requests <= FAILURES and server.elsewhere == 0
        state = calls.ear.status()
        assert state is not None and not state.healthy and state.detail and KEY not in state.detail


async def test_when_it_is_gone_it_is_left_alone_and_nobody_waits_to_find_out_that_it_is_back(
    server: OpenAiServer,
) -> None:
    async def hears(_pcm: bytes, _fields: Mapping[str, str]) -> str:
        return "Yes."

    server.hears = hears
    server.will(*[dead] * FAILURES, status(503))
    async with Calls(server.url) as calls:
        whole = calls.ear.status()
        with capture_logs() as logs:
            for number in range(FAILURES + 5):
                assert await calls.hear(number) == unsure(number)
            assert server.requests == FAILURES
            gone = calls.ear.status()
            calls.now += PAUSE_S + 1
            calls.readings.take(unsure(20), PCM, GRAMMAR)
            assert calls.told.get_nowait() == unsure(20), "nobody waits for a trial"
            await until(lambda: server.requests == FAILURES + 1)
            server.will()
            await until(lambda: calls.ear.status() != gone)
            calls.now += 2 * PAUSE_S + 1
            calls.readings.take(unsure(22), PCM, GRAMMAR)
            assert calls.told.get_nowait() == unsure(22)
            await until(lambda: calls.ear.status() == whole)
            assert (await calls.hear(21)).recognition.seconded == ("Yes.",)
        told = [entry["event"] for entry in logs if entry["event"].startswith("endpoint.")]
        assert told == ["endpoint.left_alone", "endpoint.back"]
        assert not [entry for entry in logs if "Yes." in str(entry)], "what was said is in no log"


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.01)


async def test_it_is_asked_about_so_many_at_once_and_no_more(server: OpenAiServer) -> None:
    server.will(never)
    async with Calls(server.url, at_once=2, timeout_s=1.0) as calls:
        for number in (1, 2, 3):
            calls.readings.take(unsure(number), PCM, GRAMMAR)
        other = SecondedReadings(calls.ear, "en-US", calls.told.put_nowait)
        other.take(unsure(4), PCM, GRAMMAR)
        assert calls.told.get_nowait() == unsure(4), "another call does not wait in line for it"
        assert [(await calls.next()).speech_ended_at for _ in range(3)] == [1.0, 2.0, 3.0]
        assert server.requests == 2


async def test_when_the_worker_dies_what_waits_is_told_as_it_is(server: OpenAiServer) -> None:
    server.will(never)
    async with Calls(server.url, timeout_s=3.0) as calls:
        calls.readings.take(unsure(1), PCM, GRAMMAR)
        calls.readings.take(sure(2))
        calls.readings.give_up()
        assert [calls.told.get_nowait() for _ in range(2)] == [unsure(1), sure(2)]
        calls.readings.take(unsure(3), PCM, GRAMMAR)
        calls.readings.close()
        await asyncio.sleep(0)
        assert calls.told.empty()


async def test_other_languages_are_none_of_its_business(server: OpenAiServer) -> None:
    async with Calls(server.url, languages=["es"]) as calls:
        assert calls.ear.serves("es-US") and not calls.ear.serves("en-US")
        assert await calls.hear(1) == unsure(1) and not server.requests


async def test_it_is_changed_taken_away_and_given_while_calls_go_on(server: OpenAiServer) -> None:
    async def hears(_pcm: bytes, _fields: Mapping[str, str]) -> str:
        return "Yes."

    server.hears = hears
    async with VoskWebSocketServer.running() as vosk, Calls(server.url) as calls:
        vosk.final = {"text": "no thanks"}
        calls.ear.apply(SecondEarConfig(kind="vosk_server", url=vosk.url, vocabulary=True))
        assert (await calls.hear(1)).recognition.seconded == ("no thanks",)
        assert vosk.configs[0]["phrase_list"] == ["city", "lights", "move", "no", "thanks", "yes", "[unk]"]
        calls.ear.apply(None)
        assert await calls.hear(2) == unsure(2) and calls.ear.status() is None
        calls.ear.apply(calls.config)
        assert (await calls.hear(3)).recognition.seconded == ("Yes.",)


async def test_a_reload_tries_again_at_once_what_was_left_alone(server: OpenAiServer) -> None:
    server.will(status(401), status(401), status(200))
    async with Calls(server.url) as calls:
        assert await calls.hear(1) == unsure(1)
        refused = calls.ear.status()
        assert refused is not None and not refused.healthy and "check api_key" in refused.detail
        calls.ear.apply(calls.config)  # its key was put right
        whole = calls.ear.status()
        assert whole is not None and whole.healthy
        await calls.hear(2)
        assert server.requests == 2


async def test_one_that_is_always_too_slow_is_not_back_because_it_answers_at_last(server: OpenAiServer) -> None:
    async def hears(_pcm: bytes, _fields: Mapping[str, str]) -> str:
        await asyncio.sleep(0.3)
        return "Yes."

    server.hears = hears
    async with Calls(server.url, timeout_s=0.1) as calls:
        for number in range(FAILURES):
            assert await calls.hear(number) == unsure(number)
        gone = calls.ear.status()
        assert gone is not None and not gone.healthy and "longer than 0.1 s" in gone.detail
        calls.now += PAUSE_S + 1
        calls.readings.take(unsure(7), PCM, GRAMMAR)
        assert await calls.next() == unsure(7)
        await until(lambda: calls.trials_over)
        assert calls.ear.status() == gone, "else callers wait for nothing again, every quarter of a minute"
        calls.now += PAUSE_S + 1
        calls.readings.take(unsure(8), PCM, GRAMMAR)
        assert server.requests == FAILURES + 1, "and it is left alone for twice as long"


async def test_many_failures_at_once_leave_it_alone_no_longer_than_one(server: OpenAiServer) -> None:
    server.will(status(500))
    async with Calls(server.url, at_once=12, timeout_s=3.0) as calls:
        for number in range(12):
            calls.readings.take(unsure(number), PCM, GRAMMAR)
        assert [await calls.next() for _ in range(12)] == [unsure(number) for number in range(12)]
        calls.now += PAUSE_S + 1
        calls.readings.take(unsure(20), PCM, GRAMMAR)
        await until(lambda: server.requests == 13)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Yes\ud800, \x00pl\x1b[31mease\u202e.\n", ("Yes\ufffd, pl[31mease.",)),
        ("thank you " * 20_000, ()),  # more than anybody says in half a second
        ("\x00 \u200b", ()),
    ],
)
async def test_what_it_writes_is_plain_text_of_a_length_that_can_be_said(
    server: OpenAiServer, text: str, read: tuple[str, ...]
) -> None:
    server.will(body(json.dumps({"text": text}).encode()))
    async with Calls(server.url) as calls:
        assert (await calls.hear(1)).recognition.seconded == read


async def test_whatever_an_answer_sets_off_no_reading_is_lost(
    server: OpenAiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def raises(*_: object) -> tuple[str, ...]:
        raise RuntimeError("Move Vertigo to the top")

    monkeypatch.setattr(OpenAiTranscription, "transcribe", raises)
    async with Calls(server.url) as calls:
        with capture_logs() as logs:
            calls.readings.take(unsure(1), PCM, GRAMMAR)
            calls.readings.take(sure(2))
            assert [await calls.next(), await calls.next()] == [unsure(1), sure(2)]
        assert [entry["error"] for entry in logs if entry["event"] == "second_ear.raised"] == ["RuntimeError"]


async def test_a_reload_costs_nobody_the_answer_that_they_wait_for(server: OpenAiServer) -> None:
    released = asyncio.Event()

    async def hears(_pcm: bytes, _fields: Mapping[str, str]) -> str:
        await released.wait()
        return "Yes."

    server.hears = hears
    async with Calls(server.url, timeout_s=3.0) as calls:
        calls.readings.take(unsure(1), PCM, GRAMMAR)
        await until(lambda: server.requests == 1)
        calls.readings.take(unsure(2), PCM, GRAMMAR)
        calls.ear.apply(None)  # before the second one's question has left
        released.set()
        assert [(await calls.next()).recognition.seconded for _ in range(2)] == [("Yes.",), ("Yes.",)]


def test_the_words_of_a_grammar() -> None:
    assert words_of(GRAMMAR) == {"yes", "no", "thanks", "move", "city", "lights"}
