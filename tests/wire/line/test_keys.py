"""A whole request by keys alone, and a voice that interrupts."""

from __future__ import annotations

import pytest

from ivr.demo.line import RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.timing import speech_silences
from ivr.softphone.voices import CallerVoice
from tests.wire.line.watching import call_of, logged, mark, reached_state

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

JUNE, JUNE_NUMBER = "5035550103", "10003"
HENRY, HENRY_NUMBER = "5035550105", "10005"


async def test_a_title_goes_to_the_top_by_keys_alone(line: RunningLine) -> None:
    before = await line.queue(HENRY_NUMBER)
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, None, from_number=HENRY) as caller:
        await caller.prompt_begin()
        call = (await call_of(line, HENRY))["call_id"]
        since = mark(line)
        await caller.press("3")
        await reached_state(line, "queue.menu", call, since=since)
        await caller.press("1")
        await reached_state(line, "queue.which_title", call, since=since)
        await caller.press(f"{len(before)}#")
        await reached_state(line, "queue.at_top", call, since=since)
        await caller.prompt_end()
        detail = await line.get(f"/api/calls/{call}")
        assert not [entry for entry in detail["transcript"] if entry["kind"] == "heard"], "not a word was said"
        assert phone.ended is None
    assert await line.queue(HENRY_NUMBER) == [before[-1], *before[:-1]]
    assert (await logged(line, "call.end", since=since, call_id=call))["outcome"] == "resolved"


async def test_deliveries_are_held_by_the_company_s_own_service(line: RunningLine) -> None:
    before = (await line.get(f"/api/members/{HENRY_NUMBER}/hold"))["until"]
    assert before is None
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, None, from_number=HENRY) as caller:
        await caller.prompt_begin()
        call = (await call_of(line, HENRY))["call_id"]
        since = mark(line)
        await caller.press("7")
        await reached_state(line, "hold.until", call, since=since)
        await caller.press("704#")
        await reached_state(line, "hold.hold", call, since=since)
        await caller.press("1")
        await reached_state(line, "hold.held", call, since=since)
    until = (await line.get(f"/api/members/{HENRY_NUMBER}/hold"))["until"]
    assert until is not None and until.endswith("-07-04")


async def test_a_voice_silences_the_prompt_and_is_understood(line: RunningLine, joe: CallerVoice) -> None:
    await joe.speak_soon("what's next")
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, joe, from_number=JUNE) as caller:
        await caller.prompt_begin()
        call = (await call_of(line, JUNE))["call_id"]
        since = mark(line)
        await caller.say("what's next")
        await reached_state(line, "queue.say_next", call, since=since)
        await caller.prompt_end()
    silenced = speech_silences(phone.timeline)
    assert silenced and silenced[0].seconds is not None, "the prompt stopped for the voice"
    assert (await logged(line, "call.end", since=since, call_id=call))["barge_ins"] >= 1
