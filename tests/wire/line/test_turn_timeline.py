"""What the line logs of an answer's time is what the caller's telephone measures."""

from __future__ import annotations

import pytest

from ivr.__main__ import main
from ivr.demo.line import RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.timing import responses
from ivr.softphone.voices import CallerVoice
from tests.wire.line.watching import call_of, logged, mark

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

APART_S = 0.25  # 20 ms of a frame each way, jitter buffers, and a loaded machine


async def test_the_telephone_waited_as_long_as_the_log_says(
    line: RunningLine, joe: CallerVoice, capsys: pytest.CaptureFixture[str]
) -> None:
    await joe.speak_soon("what's next")
    number, since = "5035550102", mark(line)
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, joe, from_number=number) as caller:
        await caller.prompt_end()
        call = (await call_of(line, number))["call_id"]
        await caller.say("what's next")
        await caller.prompt_end()
        turn = await logged(line, "turn.answered", since=since, call_id=call)
        waited = [each.seconds for each in responses(phone.timeline) if each.seconds is not None]
    first_sound_s = min(turn["answer_s"], turn.get("filler_s", turn["answer_s"]))
    assert any(abs(seconds - first_sound_s) < APART_S for seconds in waited), (waited, turn)
    assert main(["speech", "timeline", str(line.log), "--call", call]) == 0
    assert "1 turn of 1 call" in capsys.readouterr().out
