"""The softphone against SIPp, which knows nothing of pyVoIP's habits, and against processes that die."""

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from ivr.errors import DialFailed, TelephonyError, UnavailableError
from ivr.softphone.phone import Softphone

pytestmark = pytest.mark.wire
HERE = Path(__file__).parent


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def sipp(scenario: str, *arguments: str, peer: str = "") -> AsyncIterator[tuple[str, asyncio.Future[int]]]:
    """(its URI, its exit code: 0 when the one call went exactly as the scenario says)."""
    program = shutil.which("sipp")
    if program is None:
        pytest.fail("SIPp is missing: apt-get install sip-tester")
    port = free_port()
    where = ["-sn", scenario] if scenario == "uas" else ["-sf", str(HERE / scenario)]
    process = await asyncio.create_subprocess_exec(
        *(program, *where, *([peer] if peer else []), "-i", "127.0.0.1", "-p", str(port), "-mp", str(free_port())),
        *("-m", "1", "-nostdin", "-timeout", "20s", "-timeout_error", *arguments),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    exited = asyncio.ensure_future(process.wait())
    try:
        yield f"sip:echo@127.0.0.1:{port}", exited
    finally:
        if process.returncode is None:
            process.kill()
        await exited


async def test_an_echo_answers_a_strict_dialog() -> None:
    """SIPp checks the ACK's tag and the BYE's target; sound and keys come back."""
    tone = (8000 * np.sin(2 * np.pi * 500 * np.arange(4000) / 8000)).astype("<i2").tobytes()
    async with sipp("uas_echo.xml", "-rtp_echo") as (uri, exited), Softphone.open() as phone:
        await phone.call(uri, from_number="5035550100")
        await phone.wait_answered(30)
        await phone.say(tone)
        await phone.press("0#")
        await phone.hangup()
        assert await asyncio.wait_for(exited, 10) == 0
        assert [key.key for key in phone.trace.heard.keys] == ["0", "#"]
        said, heard = phone.trace.stereo().T
        assert np.abs(heard).max() == np.abs(said).max() > 7500
        delay = [np.flatnonzero(np.abs(side) > 4000)[0] for side in (said, heard)]
        assert 0 <= delay[1] - delay[0] < 800


async def test_the_echo_is_strict_indeed() -> None:
    """pyVoIP's own ACK carries a To tag of its own invention: a correct peer does not take it."""
    async with sipp("uas_echo.xml", "-timeout", "4s") as (uri, exited), Softphone.open(own_ack=True) as phone:
        await phone.call(uri)
        await phone.wait_answered(30)
        await phone.hangup()
        assert await asyncio.wait_for(exited, 20) != 0


async def test_keys_need_a_far_end_that_takes_them() -> None:
    async with sipp("uas") as (uri, _), Softphone.open() as phone:
        await phone.call(uri)
        assert (await phone.wait_answered(30)).event_type is None
        with pytest.raises(TelephonyError, match="telephone-event"):
            await phone.press("0")


async def test_a_refusal_is_acknowledged_and_its_headers_are_kept() -> None:
    async with sipp("uas_refuse.xml") as (uri, exited), Softphone.open() as phone:
        await phone.call(uri)
        with pytest.raises(DialFailed) as refused:
            await phone.wait_answered(30)
        assert refused.value.status == 503
        assert (await phone.wait_ended(30)).headers["retry-after"] == "30"
        assert await asyncio.wait_for(exited, 10) == 0


async def test_the_agents_phone_is_called_held_and_hung_up_on() -> None:
    async with Softphone.open() as phone:
        await phone.set_incoming("answer")
        async with sipp("uac_hold.xml", peer=f"127.0.0.1:{phone.port}") as (_, exited):
            ringing = await phone.wait_incoming(30)
            assert ringing.headers["user-to-user"] == "00c81234;encoding=hex"
            assert ringing.headers["x-ivr-reason"] == "cancel"
            answered = await phone.wait_answered(30)
            assert (answered.codec, answered.event_type) == ("PCMA", 96)
            assert (await phone.wait_ended(30)).by == "remote"
            assert await asyncio.wait_for(exited, 10) == 0


async def test_a_cancelled_call_stops_ringing() -> None:
    async with Softphone.open() as phone:
        await phone.set_incoming("ring")
        async with sipp("uac_cancel.xml", peer=f"127.0.0.1:{phone.port}") as (_, exited):
            await phone.wait_incoming(30)
            ended = await phone.wait_ended(30)
            assert (ended.by, ended.status) == ("remote", 487)
            assert await asyncio.wait_for(exited, 10) == 0
        answers = [await phone.wait_message("out", f"SIP/2.0 {status}", 5) for status in (180, 487)]
        tags = {re.search(r"\r\nTo: [^\r]*;tag=([^\r]+)", answer.text) for answer in answers}
        assert len({tag and tag[1] for tag in tags}) == 1  # one dialog: RFC 3261 section 8.2.6.2


async def test_nonsense_on_the_sip_port_hurts_nobody() -> None:
    async with Softphone.open() as caller, Softphone.open() as agent:
        await agent.set_incoming("answer")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as enemy:
            for junk in (
                b"",
                b"\0" * 4,
                b"\xff" * 500,
                b"INVITE\r\n\r\n",
                b"SIP/2.0 999 x\r\n\r\n",
                b"BYE sip:x SIP/2.0",
            ):
                enemy.sendto(junk, ("127.0.0.1", agent.port))
        await caller.call(agent.uri)
        await caller.wait_answered(30)
        await agent.wait_answered(30)
        assert len(agent.troubles) == 4  # the empty ones are keep-alives


PARENT = """
import asyncio, sys
from ivr.softphone.phone import Softphone
async def main():
    phone = await Softphone.start()
    await phone.call(sys.argv[1])
    await phone.wait_answered(30)
    print(phone.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_the_phone_dies_with_its_parent_and_hangs_up() -> None:
    async with Softphone.open() as agent:
        await agent.set_incoming("answer")
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PARENT, agent.uri, stdout=asyncio.subprocess.PIPE
        )
        assert parent.stdout is not None
        child = int(await asyncio.wait_for(parent.stdout.readline(), 20))
        gone = os.pidfd_open(child)
        parent.send_signal(signal.SIGKILL)
        await parent.wait()
        assert (await agent.wait_ended(30)).by == "remote"
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(gone, ended.set)
        try:
            await asyncio.wait_for(ended.wait(), 10)
        finally:
            asyncio.get_running_loop().remove_reader(gone)
            os.close(gone)


async def test_a_phone_whose_process_dies_says_so() -> None:
    phone = await Softphone.start()
    waiting = asyncio.create_task(phone.wait_incoming(30))
    os.kill(phone.pid, signal.SIGKILL)
    with pytest.raises(UnavailableError, match="process ended"):
        await waiting
    with pytest.raises(UnavailableError):
        await phone.call("sip:x@127.0.0.1")
    await phone.close()
