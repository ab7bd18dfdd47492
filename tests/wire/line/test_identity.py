"""Anybody is not any member: a stranger's telephone that keys somebody's number, over real SIP and RTP."""

from __future__ import annotations

import json

import pytest

from ivr.demo.line import RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from tests.wire.line.watching import call_of, logged, mark, reached_state, until_idle

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

ELEANOR, NUMBER, PIN = "5035550108", "10008", "2408"  # there are notes about her


async def claim(line: RunningLine, caller: Caller, call: str, pin: str, then: str) -> None:
    """Key her number and a PIN, and come to ``then``."""
    since = mark(line)
    await caller.press(NUMBER)
    await reached_state(line, "verify.which_pin", call, since=since)
    await caller.press(pin)
    await reached_state(line, then, call, since=since)


async def test_a_stranger_who_keys_a_members_number_hears_nothing_and_tries_are_limited_across_calls(
    line: RunningLine, agent: Softphone
) -> None:
    everything = mark(line)
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, None, from_number="2125550171") as caller:
        await caller.prompt_begin()
        call = (await call_of(line, "2125550171"))["call_id"]
        await claim(line, caller, call, "1111", "main.which_number")
        await claim(line, caller, call, "1111", "main.give_up")
        await logged(line, "handoff.connected", since=everything, call_id=call)
        told = (await line.get(f"/api/calls/{call}"))["handoff"]
        assert told["identity"] == "unverified: keyed number"
        assert "member.first_name" not in told["facts"]
        assert "Eleanor" not in str(told)
    await agent.wait_ended(10)
    await until_idle(line)
    agent.forget()

    async with Softphone.open() as phone, Caller.calling(phone, line.uri, None, from_number="2125550172") as caller:
        await caller.prompt_begin()
        call = (await call_of(line, "2125550172"))["call_id"]
        await claim(line, caller, call, "1111", "main.which_number")
        since = mark(line)
        await claim(line, caller, call, PIN, "verify.locked")
        await logged(line, "handoff.connected", since=since, call_id=call)
    await agent.wait_ended(10)
    await until_idle(line)
    agent.forget()

    async with Softphone.open() as phone, Caller.calling(phone, line.uri, None, from_number=ELEANOR) as caller:
        await caller.prompt_begin()
        call = (await call_of(line, ELEANOR))["call_id"]
        since = mark(line)
        await reached_state(line, "main.ask", call, since=everything)
        await caller.press("8")
        await reached_state(line, "verify.which_pin", call, since=since)
        await caller.press(PIN)
        await reached_state(line, "verify.locked", call, since=since)
        await logged(line, "handoff.connected", since=since, call_id=call)
        told = (await line.get(f"/api/calls/{call}"))["handoff"]
        assert told["identity"] == "likely: number known", "and a person takes it from there"
    with line.log.open(encoding="utf-8") as stream:
        stream.seek(everything)
        log = stream.read()
    entries = [json.loads(entry) for entry in log.splitlines()]
    done = {entry["action"] for entry in entries if entry["event"] == "dialogue.action"}
    assert done == {"member.identify_by_caller", "member.identify_by_number", "member.verify"}
    assert [e["action"] for e in entries if e.get("identity") == "refused"] == ["notes.read"]
    assert not [entry for entry in entries if PIN in map(str, entry.values())]
