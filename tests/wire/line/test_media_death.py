"""The media process is killed, again and again, or stands still: the SIP legs live, and the calls go on."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ivr.demo.line import RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.timing import PacketLevel
from ivr.softphone.voices import CallerVoice
from tests.bench.media_death import TALK_S, answered, killed, summary, unheard
from tests.wire.baresip import baresip
from tests.wire.line.watching import call_of, heard_by, logged, mark, processes, reached_state, with_human

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

WALTER, JUNE = "5035550102", "5035550103"
HELLO = "This is Sam at the desk. How can I help?"
GAP_S = 6.0  # with a loaded machine in mind; a new process is up in half a second


@asynccontextmanager
async def calling(
    line: RunningLine, voice: CallerVoice | None, number: str
) -> AsyncIterator[tuple[Softphone, Caller, str]]:
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, voice, from_number=number) as caller:
        await caller.prompt_begin()
        yield phone, caller, (await call_of(line, number))["call_id"]


async def struck(line: RunningLine, how: signal.Signals = signal.SIGKILL, legs: int = 1) -> list[dict[str, Any]]:
    """The media process gets a signal, and so many legs have media again."""
    since = mark(line)
    (pid,) = processes(line, "ivr.media.process")
    os.kill(pid, how)
    found: list[dict[str, Any]] = []
    while len(found) < legs:
        position = mark(line) if found else since
        entry = await logged(line, "media.restored", since=since if not found else position)
        if entry not in found:
            found.append(entry)
        if legs == 2 and len(found) == 1:
            text = line.log.read_bytes()[since:].decode()
            if text.count("media.restored") >= 2:
                break
    return found


def longest_gap_s(heard: Sequence[PacketLevel]) -> float:
    """Between packets, of whatever level."""
    return max(later.at - sooner.at for sooner, later in itertools.pairwise(heard))


async def test_a_caller_in_a_dialogue_goes_on_by_voice(line: RunningLine, joe: CallerVoice) -> None:
    await joe.speak_soon("what's in my queue")
    async with calling(line, joe, WALTER) as (phone, caller, call):
        await caller.prompt_end()
        await struck(line)
        await caller.prompt_end()
        assert longest_gap_s(phone.timeline.heard) < GAP_S
        detail = await line.get(f"/api/calls/{call}")
        assert "lost you for a moment" in str(detail["transcript"])
        since = mark(line)
        await caller.say("what's in my queue")
        await logged(line, "recognition.done", since=since, call_id=call, cause="success")
        await caller.prompt_end()
        assert phone.ended is None


async def test_a_prompt_is_heard_out_and_keys_work(line: RunningLine) -> None:
    async with calling(line, None, JUNE) as (phone, caller, call):
        await struck(line)
        await caller.prompt_end()
        assert longest_gap_s(phone.timeline.heard) < GAP_S
        since = mark(line)
        await caller.press("3")
        await reached_state(line, "queue.menu", call, since=since)
        assert phone.ended is None


async def test_a_bridged_pair_goes_on_talking(line: RunningLine, agent: Softphone, joe: CallerVoice) -> None:
    hello, morning = await joe.speak_soon(HELLO), await joe.speak_soon("good morning, it is about my disc")
    async with calling(line, joe, WALTER) as (phone, caller, call):
        since = mark(line)
        await caller.press("0")
        await with_human(line, [agent], call, since=since)
        for _ in range(2):
            await struck(line, legs=2)
            await heard_by(phone, agent, hello)
            await heard_by(agent, phone, morning)
        assert phone.ended is None and agent.ended is None
        assert longest_gap_s(phone.timeline.heard) < GAP_S
        assert longest_gap_s(agent.timeline.heard) < GAP_S
        for leg in (phone, agent):
            invites = [m for m in leg.messages if m.direction == "in" and m.text.startswith("INVITE ")]
            assert invites and "m=audio" in invites[-1].text, "told by a re-INVITE where we are"
    assert (await agent.wait_ended(10)).by == "remote"


async def test_a_hand_over_that_rings_goes_on(line: RunningLine, agent: Softphone, joe: CallerVoice) -> None:
    await agent.set_incoming("answer", after_s=3.0)
    hello = await joe.speak_soon(HELLO)
    async with calling(line, joe, JUNE) as (phone, caller, call):
        since = mark(line)
        await caller.press("0")
        await agent.wait_incoming(10)
        await struck(line)
        await with_human(line, [agent], call, since=since)
        await heard_by(phone, agent, hello)
        assert phone.ended is None


async def test_thirty_calls_all_go_on(line: RunningLine) -> None:
    """How soon is tests/bench/media_death.py's to say."""
    phones = await answered(line, 30, 0)
    gaps = await killed(line, phones)
    since = mark(line)
    print(summary(gaps))
    assert None not in gaps
    await asyncio.sleep(TALK_S)
    assert await unheard(line, phones, since) == 0


async def test_a_process_that_stands_still_is_replaced(line: RunningLine) -> None:
    async with calling(line, None, WALTER) as (phone, caller, call):
        await caller.prompt_end()
        await struck(line, signal.SIGSTOP)
        await caller.prompt_end()
        since = mark(line)
        await caller.press("3")
        await reached_state(line, "queue.menu", call, since=since)
        assert longest_gap_s(phone.timeline.heard) < 12.0
        assert phone.ended is None


async def test_another_make_of_telephone_goes_on_too(line: RunningLine, tmp_path: Path) -> None:
    since = mark(line)
    async with baresip(tmp_path, pcm=bytes(16000 * 60)) as phone:  # it hangs up where its recording ends
        await phone.command("dial", line.uri)
        await phone.wait("CALL_ESTABLISHED")
        await logged(line, "dialogue.state", since=since)
        call = (await call_of(line, "peer"))["call_id"]
        await struck(line)
        await logged(line, "sip.reinvited", since=since, status=200)
        since = mark(line)
        await phone.press("0")
        await reached_state(line, "human.connect", call, since=since)
        await logged(line, "handoff.trying", since=since, call_id=call)
        await phone.command("hangup")
    ended = await logged(line, "call.end", since=since, call_id=call)
    assert ended["packets_received"] > 0, "of those since then: the key, and what lay before it"
