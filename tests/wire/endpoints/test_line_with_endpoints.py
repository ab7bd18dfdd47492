"""A whole line whose second ear and fixed prompts are an endpoint on this machine, and a spoken call on it."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from ivr.demo.line import LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.voices import CallerVoice
from tests.endpoints import KEY, MODEL, OpenAiServer, status
from tests.wire.line.watching import call_of, forget_resume_points, logged, mark, ready_when, until, until_idle

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="module")]

ADA, NUMBER = "5035550101", "10001"
OUTSIDE = "The weather is lovely in Lisbon today."  # nothing that the flows have a word for
EAR = f"""
[speech.second_ear]
kind = "openai"
url = "URL"
model = "{MODEL}"
api_key = "env:EAR_KEY"
timeout_s = 3.0
"""
VOICE = f"""
[[speech.prompt_voices]]
url = "URL"
model = "{MODEL}"
voice = "alloy"
api_key = "env:EAR_KEY"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer.running(KEY) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(server: OpenAiServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    folder = Path(tmp_path_factory.mktemp("endpoints"))
    extra = (EAR + VOICE).replace("URL", server.url)
    setup = LineSetup(folder, cache=folder / "cache", extra=extra, environment={"EAR_KEY": KEY})
    async with RunningLine.running(setup) as running:
        yield running


@pytest.fixture(scope="module")
def joe() -> CallerVoice:
    return CallerVoice("joe")


@pytest_asyncio.fixture(loop_scope="module")
async def caller(line: RunningLine, joe: CallerVoice) -> AsyncIterator[Caller]:
    """Ada, who has heard the greeting and the question."""
    for text in (OUTSIDE, "yes"):
        await joe.speak_soon(text)
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, joe, from_number=ADA) as calling:
        await calling.prompt_end()
        yield calling
    await until_idle(line)
    forget_resume_points(line)


async def test_the_second_ear_decides_what_the_first_is_unsure_of(
    line: RunningLine, server: OpenAiServer, caller: Caller, joe: CallerVoice
) -> None:
    before = await line.queue(NUMBER)
    title = next(t for t in ("Casablanca", "Metropolis", "Vertigo") if t != before[0])

    async def hears(pcm: bytes, _fields: Mapping[str, str]) -> str:
        """By the length of the audio, which is all that tells them apart here."""
        return f"Move {title} to the top." if len(pcm) > len(joe.speak(OUTSIDE)) * 2 // 3 else "Yes."

    server.hears = hears
    call, log = await call_of(line, ADA), mark(line)

    async def detail() -> dict[str, Any]:
        return dict(await line.get(f"/api/calls/{call['call_id']}"))

    async def asked() -> bool:
        return bool((await detail())["listening_for"] == "confirm")

    async def done() -> bool:
        return (await line.queue(NUMBER))[0] == title

    await caller.say(OUTSIDE)
    await until(asked, 20.0)
    assert await line.queue(NUMBER) == before, "what only the second ear heard is asked about first"
    sent = server.heard[0]
    assert 0.8 < len(sent) / len(joe.speak(OUTSIDE)) < 1.6, "the utterance and a little around it"
    read = await logged(line, "recognition.done", since=log)
    assert read["seconded"] == 1 and read["verdict"] != "accept"
    answered = await logged(line, "second_ear.answered", since=log)
    assert answered["transcripts"] == 1 and answered["took_s"] < 3
    (heard,) = [entry for entry in (await detail())["transcript"] if entry["kind"] == "heard"]
    assert heard["text"] == f"Move {title} to the top.", "the words that were understood are the words that are kept"
    await caller.prompt_end()
    await caller.say("yes")
    await until(done, 20.0)
    assert KEY not in line.log.read_text("utf-8")


async def test_fixed_prompts_are_the_endpoints_and_sentences_with_titles_are_ours(
    line: RunningLine, server: OpenAiServer, caller: Caller
) -> None:
    assert len(server.spoken) > 50 and len({order["input"] for order in server.spoken}) == len(server.spoken)
    assert not [order for order in server.spoken if "Casablanca is" in order["input"]]
    piece, _ = caller.heard[0]
    samples = np.frombuffer(piece.pcm, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    loudest = float(np.fft.rfftfreq(len(samples), 1 / 8000)[int(spectrum[1:].argmax()) + 1])
    assert abs(loudest - 300) < 10, "the endpoint's tone is what the caller hears"
    _, ready = await ready_when(line.http, lambda body: bool(body["endpoints"]))
    assert [(e["name"], e["healthy"]) for e in ready["endpoints"]] == [
        ("second_ear openai", True),
        ("prompt_voice openai", True),
    ]


async def test_a_call_misses_nothing_when_the_endpoint_refuses_and_a_reload_takes_it_away(
    line: RunningLine, server: OpenAiServer, caller: Caller
) -> None:
    server.will(status(401))
    asked, log = server.requests, mark(line)
    await caller.say(OUTSIDE)
    left = await logged(line, "endpoint.left_alone", since=log)
    assert "refuses the key" in left["error"] and KEY not in str(left)
    read = await logged(line, "recognition.done", since=log)
    assert read["seconded"] == 0
    await caller.prompt_begin()  # it is asked again, as without a second ear
    await caller.prompt_end()
    assert server.requests == asked + 1
    code, ready = await ready_when(line.http, lambda body: not body["endpoints"][0]["healthy"])
    assert (code, ready["state"]) == (200, "ready") and "check api_key" in ready["endpoints"][0]["detail"]
    path = line.setup.folder / "config.toml"
    path.write_text(path.read_text("utf-8").replace(EAR.replace("URL", server.url), ""), "utf-8")
    since = mark(line)
    line.process.send_signal(signal.SIGHUP)
    changed = await logged(line, "config.reloaded", since=since)
    assert changed["changed"] == ["speech.second_ear"]
    _, ready = await ready_when(line.http, lambda body: len(body["endpoints"]) == 1)
    await caller.say(OUTSIDE)
    await logged(line, "recognition.done", since=since)
    assert server.requests == asked + 1
