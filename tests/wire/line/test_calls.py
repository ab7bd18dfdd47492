"""Calls over real SIP and RTP, spoken and keyed by pyVoIP, answered by the whole service."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ivr.cli.tail import follow
from ivr.demo.line import RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.timing import joined_at, key_silences
from ivr.softphone.voices import CallerVoice

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

ADA, ADA_NUMBER = "5035550101", "10001"
HELLO = "This is Sam at the desk. How can I help?"


@asynccontextmanager
async def calling(line: RunningLine, voice: CallerVoice, number: str = ADA) -> AsyncIterator[tuple[Softphone, Caller]]:
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, voice, from_number=number) as caller:
        yield phone, caller


async def logged(line: RunningLine, event: str, timeout_s: float = 20.0) -> dict[str, Any]:
    """The next log line with that event name."""
    with line.log.open(encoding="utf-8") as stream:
        stream.seek(0, 2)
        async with asyncio.timeout(timeout_s):
            async for text in follow(line.log, stream):
                entry = json.loads(text)
                if entry.get("event") == event:
                    return dict(entry)
    raise AssertionError("the log ended")


async def only_call(line: RunningLine) -> dict[str, Any]:
    (call,) = await line.calls(live=True)
    return call


async def with_agent(line: RunningLine, agent: Softphone, phone: Softphone, since: float, voice: CallerVoice) -> None:
    """The agent answers, hears the whisper out and speaks, and the caller hears it."""
    joined = asyncio.create_task(logged(line, "handoff.connected"))
    await agent.wait_answered(20)
    await joined
    await agent.say(await voice.speak_soon(HELLO))
    assert joined_at(phone.timeline, agent.timeline, since) is not None, "the caller never heard the agent"


async def test_a_title_goes_to_the_top_by_voice(line: RunningLine, joe: CallerVoice) -> None:
    before = await line.queue(ADA_NUMBER)
    title = next(t for t in ("Casablanca", "Metropolis", "Vertigo") if t != before[0])
    sentence = f"move {title} to the top"
    for text in (sentence, "yes"):
        await joe.speak_soon(text)
    ended = asyncio.create_task(logged(line, "call.end", 60))
    async with calling(line, joe) as (_, caller):
        await caller.prompt_end()
        call = await only_call(line)
        await caller.say(sentence)
        await caller.prompt_end()
        detail = await line.get(f"/api/calls/{call['call_id']}")
        if detail["listening_for"] == "confirm":  # a question is right whenever there was doubt
            await caller.say("yes")
            await caller.prompt_end()
    assert await line.queue(ADA_NUMBER) == [title, *(t for t in before if t != title)]
    assert any(entry.get("kind") == "heard" for entry in detail["transcript"])
    canonical = await ended
    assert canonical["call_id"] == call["call_id"]
    assert canonical["outcome"] == "resolved"
    assert canonical["packets_sent"] > 100
    kept = await line.get(f"/api/calls/{call['call_id']}")
    assert kept["outcome"] == "resolved"


async def test_zero_during_the_greeting_reaches_the_agent(
    line: RunningLine, agent: Softphone, joe: CallerVoice
) -> None:
    async with calling(line, joe) as (phone, caller):
        await caller.prompt_begin()
        pressed = await caller.press("0")
        await with_agent(line, agent, phone, pressed, joe)
        incoming = agent.incoming
        assert incoming is not None
        assert incoming.headers["x-ivr-reason"]
        context = await line.get(incoming.headers["x-ivr-context"])
        assert context["reason"] == "asked"
        assert "user-to-user" in incoming.headers
        said = await caller.say("good morning, it is about my disc")
        assert joined_at(agent.timeline, phone.timeline, said - 3) is not None, "the agent never heard the caller"
    assert (await agent.wait_ended(10)).by == "remote"


async def test_a_key_silences_the_prompt_and_is_understood(line: RunningLine, joe: CallerVoice) -> None:
    async with calling(line, joe) as (phone, caller):
        await caller.prompt_begin()
        await caller.press("*1")
        await caller.prompt_end()
        call = await only_call(line)
        detail = await line.get(f"/api/calls/{call['call_id']}")
        assert "Say it your way" in str(detail["transcript"]), "star one is help"
        assert phone.ended is None
        silenced = key_silences(phone.timeline)
        assert silenced and silenced[0].seconds is not None, "the key stopped the prompt"


async def test_a_busy_agent_leaves_the_caller_with_us(line: RunningLine, agent: Softphone, joe: CallerVoice) -> None:
    await agent.set_incoming("busy")
    async with calling(line, joe) as (phone, caller):
        await caller.prompt_begin()
        unanswered = asyncio.create_task(logged(line, "handoff.unanswered"))
        told = asyncio.create_task(logged(line, "line.told"))
        await caller.press("0")
        await unanswered
        await told
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
        said = await caller.say(sentence)
        await with_agent(line, agent, phone, said, joe)
        assert agent.incoming is not None
        context = await line.get(agent.incoming.headers["x-ivr-context"])
        assert context["skill"] == "retention"
        assert "cancel" in str(context["transcript"]).lower()
        assert context["facts"]["member.number"] == ADA_NUMBER
    await agent.wait_ended(10)


def processes(line: RunningLine, *words_wanted: str) -> list[int]:
    """Children of this line whose command line has all these words."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == line.process.pid and set(words_wanted) <= set(words):
            found.append(int(entry.name))
    return found


async def test_a_killed_recogniser_brings_the_agent(line: RunningLine, agent: Softphone, joe: CallerVoice) -> None:
    async with calling(line, joe) as (phone, caller):
        await caller.prompt_end()
        since = asyncio.get_running_loop().time()
        restarted = asyncio.create_task(logged(line, "worker.ready", 60))
        pids = processes(line, "ivr.speech.worker", "listen")
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await with_agent(line, agent, phone, since, joe)
    await agent.wait_ended(10)
    await restarted
