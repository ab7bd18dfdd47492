"""Calls over real SIP and RTP, spoken and keyed by pyVoIP, answered by the whole service."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from ivr.demo.line import RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.timing import key_silences
from ivr.softphone.voices import CallerVoice
from tests.wire.line.watching import forget_resume_points, heard_by, logged, mark, processes, until, until_idle

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

ADA, ADA_NUMBER = "5035550101", "10001"
HELLO = "This is Sam at the desk. How can I help?"


@asynccontextmanager
async def calling(line: RunningLine, voice: CallerVoice, number: str = ADA) -> AsyncIterator[tuple[Softphone, Caller]]:
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, voice, from_number=number) as caller:
        yield phone, caller


async def only_call(line: RunningLine) -> dict[str, Any]:
    (call,) = await line.calls(live=True)
    return call


async def with_agent(line: RunningLine, agent: Softphone, phone: Softphone, voice: CallerVoice, *, since: int) -> None:
    """The agent answers, hears the whisper out and speaks, and the caller hears it. ``since``: where the log was."""
    await agent.wait_answered(30)
    await logged(line, "handoff.connected", since=since)
    await heard_by(phone, agent, await voice.speak_soon(HELLO))


async def said(caller: Caller, text: str, met: Callable[[], Awaitable[bool]]) -> None:
    """Said, and ``met`` for it; said again where a busy machine came to it too late."""
    for _ in range(2):
        await caller.say(text)
        with suppress(TimeoutError):
            await until(met, 20.0)
            return
    await caller.say(text)
    await until(met)


async def test_a_title_goes_to_the_top_by_voice(line: RunningLine, joe: CallerVoice) -> None:
    before = await line.queue(ADA_NUMBER)
    title = next(t for t in ("Casablanca", "Metropolis", "Vertigo") if t != before[0])
    sentence = f"move {title} to the top"
    for text in (sentence, "yes"):
        await joe.speak_soon(text)
    log = mark(line)
    async with calling(line, joe) as (_, caller):
        await caller.prompt_end()
        call = await only_call(line)

        async def detail() -> dict[str, Any]:
            return dict(await line.get(f"/api/calls/{call['call_id']}"))

        async def done() -> bool:
            return (await line.queue(ADA_NUMBER))[0] == title

        async def done_or_asked() -> bool:
            return await done() or (await detail())["listening_for"] == "confirm"

        await said(caller, sentence, done_or_asked)
        if not await done():  # a question is right whenever there was doubt
            await said(caller, "yes", done)
        await caller.prompt_end()
        told = await detail()
    assert await line.queue(ADA_NUMBER) == [title, *(t for t in before if t != title)]
    assert any(entry.get("kind") == "heard" for entry in told["transcript"])
    canonical = await logged(line, "call.end", since=log, call_id=call["call_id"])
    assert canonical["outcome"] == "resolved"
    assert canonical["packets_sent"] > 100
    kept = await line.get(f"/api/calls/{call['call_id']}")
    assert kept["outcome"] == "resolved"


async def test_zero_during_the_greeting_reaches_the_agent(
    line: RunningLine, agent: Softphone, joe: CallerVoice
) -> None:
    async with calling(line, joe) as (phone, caller):
        await caller.prompt_begin()
        log = mark(line)
        await caller.press("0")
        await with_agent(line, agent, phone, joe, since=log)
        incoming = agent.incoming
        assert incoming is not None
        assert incoming.headers["x-ivr-reason"]
        context = await line.get(incoming.headers["x-ivr-context"])
        assert context["reason"] == "asked"
        assert "user-to-user" in incoming.headers
        await heard_by(agent, phone, await joe.speak_soon("good morning, it is about my disc"))
    assert (await agent.wait_ended(30)).by == "remote"


async def test_a_key_silences_the_prompt_and_is_understood(line: RunningLine, joe: CallerVoice) -> None:
    """Star one is help; where a busy machine draws the two keys apart they are others, and the call is made again."""
    for _ in range(3):
        async with calling(line, joe) as (phone, caller):
            await caller.prompt_begin()
            await caller.press("*1")
            await caller.prompt_end()
            call = await only_call(line)
            detail = await line.get(f"/api/calls/{call['call_id']}")
            assert phone.ended is None
            silenced = key_silences(phone.timeline)
            assert silenced and silenced[0].seconds is not None, "the key stopped the prompt"
        if "Say it your way" in str(detail["transcript"]):
            return
        await until_idle(line)
        forget_resume_points(line)
    raise AssertionError(f"star one is help: {detail['transcript']}")


async def test_a_busy_agent_leaves_the_caller_with_us(line: RunningLine, agent: Softphone, joe: CallerVoice) -> None:
    await agent.set_incoming("busy")
    async with calling(line, joe) as (phone, caller):
        await caller.prompt_begin()
        log = mark(line)
        await caller.press("0")
        await logged(line, "handoff.unanswered", since=log)
        await logged(line, "line.told", since=log)
        call = await only_call(line)
        detail = await line.get(f"/api/calls/{call['call_id']}")
        assert phone.ended is None
        assert call["state"] == "human.connect", "they wait at their place"
        assert "You're number one" in str(detail["transcript"])


async def test_cancellation_words_bring_the_agent_with_the_transcript(
    line: RunningLine, agent: Softphone, joe: CallerVoice
) -> None:
    sentence = "I'm thinking of cancelling my membership"
    await joe.speak_soon(sentence)
    async with calling(line, joe) as (phone, caller):
        await caller.prompt_end()
        log = mark(line)
        await caller.say(sentence)
        await with_agent(line, agent, phone, joe, since=log)
        assert agent.incoming is not None
        context = await line.get(agent.incoming.headers["x-ivr-context"])
        assert context["skill"] == "retention"
        assert "cancel" in str(context["transcript"]).lower()
        assert context["facts"]["member.number"] == ADA_NUMBER
    await agent.wait_ended(30)


async def test_a_killed_recogniser_brings_the_agent(line: RunningLine, agent: Softphone, joe: CallerVoice) -> None:
    async with calling(line, joe) as (phone, caller):
        await caller.prompt_end()
        log = mark(line)
        pids = processes(line, "ivr.speech.worker", "listen")
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await with_agent(line, agent, phone, joe, since=log)
    await agent.wait_ended(30)
    await logged(line, "worker.ready", since=log, timeout_s=60)
