"""Agents reached by REFER, with SIPp as the caller; and a line that is full."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ivr.demo.line import AgentPhone, RunningLine
from ivr.errors import DialFailed
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from tests.wire.line.reloading import with_agents
from tests.wire.line.watching import logged, mark, until_idle
from tests.wire.sipp import run_sipp

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

SCENARIOS = Path(__file__).parent / "scenarios"
WALTER, JUNE = "5035550102", "5035550103"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small(line: RunningLine) -> AsyncIterator[RunningLine]:
    """Room for one call; its agents sit behind somebody else's switch."""
    async with with_agents(line, [AgentPhone("sip:agents@192.0.2.20", name="switch", mode="refer")], max_calls=1):
        yield line


async def test_a_transfer_that_succeeds_ends_our_part(small: RunningLine, tmp_path: Path) -> None:
    since = mark(small)
    done = await run_sipp(SCENARIOS / "refer_done.xml", tmp_path, target=small.sip, service="line", deadline_s=60)
    done.check()
    ended = await logged(small, "call.end", since=since)
    assert (ended["outcome"], ended["end_reason"]) == ("handed over", "transferred")
    await until_idle(small)


async def test_a_transfer_that_fails_leaves_the_caller_with_us(small: RunningLine, tmp_path: Path) -> None:
    """Refused, they wait in line; the phone is tried again when it has rested; keys work all the while."""
    since = mark(small)
    done = await run_sipp(SCENARIOS / "refer_failed.xml", tmp_path, target=small.sip, service="line", deadline_s=60)
    done.check()
    ended = await logged(small, "call.end", since=since)
    assert ended["handoff_reason"] == "asked"
    assert ended["state"] == "main.ask", "three went on with the machine"
    entries = [json.loads(line) for line in small.log.read_bytes()[since:].splitlines()]
    assert [each["status"] for each in entries if each["event"] == "handoff.unanswered"] == [503, 503]
    await until_idle(small)


async def test_a_full_line_says_when_to_call_again(small: RunningLine) -> None:
    async with Softphone.open() as first, Softphone.open() as second:
        async with Caller.calling(first, small.uri, None, from_number=WALTER) as caller:
            await caller.prompt_begin()
            await second.call(small.uri, from_number=JUNE)
            with pytest.raises(DialFailed) as refused:
                await second.wait_answered(30)
            assert refused.value.status == 486
            answer = next(m.text for m in second.messages if m.direction == "in" and m.text.startswith("SIP/2.0 486"))
            assert "retry-after: 30" in answer.lower()
            assert first.ended is None
        await until_idle(small)
        async with Caller.calling(second, small.uri, None, from_number=JUNE) as caller:
            await caller.prompt_begin()
