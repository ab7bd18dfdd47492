"""A line begun by `ivr new`: it answers a real call, with its services answered by `ivr flow mock`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ivr.__main__ import main
from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.voices import CallerVoice
from tests.wire.ports import free_port

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]

ADA = "5035550101"  # of practice.mock.yaml
CANCEL = "cancel my appointment"


@asynccontextmanager
async def mocked(folder: Path) -> AsyncIterator[asyncio.StreamReader]:
    """`ivr flow mock` in ``folder``, once it listens; what it prints from then on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", "flow", "mock"), cwd=folder, stdout=asyncio.subprocess.PIPE, env=os.environ
    )
    assert process.stdout is not None
    try:
        said = await asyncio.wait_for(process.stdout.readline(), 60)
        assert said.startswith(b"answering as practice at http://127.0.0.1:"), said
        yield process.stdout
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def requested(printed: asyncio.StreamReader, what: str) -> str:
    """The next line about ``what``."""
    async with asyncio.timeout(30):
        while True:
            line = (await printed.readline()).decode()
            assert line, f"no {what} was asked"
            if what in line:
                return line.strip()


@pytest.mark.slow
async def test_a_patient_cancels_an_appointment_by_voice(tmp_path: Path) -> None:
    made, port = tmp_path / "dental", free_port()
    assert main(["new", str(made), "--template", "dentist", "--company", "Riverside Dental"]) == 0
    config = made / "config.toml"
    assert "http://127.0.0.1:8090" in config.read_text()
    config.write_text(config.read_text().replace("127.0.0.1:8090", f"127.0.0.1:{port}"))
    joe = CallerVoice("joe")
    for sentence in (CANCEL, "yes"):
        await joe.speak_soon(sentence)
    async with mocked(made) as printed, Softphone.open() as agent, Softphone.open() as phone:
        service = f'[[flows.services]]\nname = "practice"\nurl = "http://127.0.0.1:{port}"'
        setup = LineSetup(
            tmp_path / "line",
            [AgentPhone(agent.uri, skills=("general",))],
            flows=made / "flows",
            extra=f'[company]\npackage = ""\n\n{service}',
        )
        async with (
            RunningLine.running(setup) as line,
            Caller.calling(phone, line.uri, joe, from_number=ADA) as caller,
        ):
            await caller.prompt_end()
            assert await requested(printed, "/patients?") == (
                f"practice: GET /patients?phone=%2B1{ADA}&language=en-US -> 200"
            )
            await caller.say(CANCEL)
            await caller.prompt_end()
            await caller.say("yes")
            assert await requested(printed, "DELETE") == "practice: DELETE /patients/p1/appointments/next -> 200"
            await caller.prompt_end()
            (call,) = await line.calls(live=True)
            told = str((await line.get(f"/api/calls/{call['call_id']}"))["transcript"])
            assert "Hi, Ada." in told
            assert "It's cancelled." in told


async def test_what_nothing_is_said_of_is_told(tmp_path: Path) -> None:
    """A request that no answer fits gets 501, one that is no JSON 400, and the server says what to do."""
    made, port = tmp_path / "dental", free_port()
    assert main(["new", str(made), "--template", "dentist", "--company", "Riverside Dental"]) == 0
    config = made / "config.toml"
    config.write_text(config.read_text().replace("127.0.0.1:8090", f"127.0.0.1:{port}"))
    async with mocked(made) as printed:
        for request, body, status, told in (
            ("GET /bills", "{}", "501", "nothing is said of it: say it in practice.mock.yaml"),
            ("POST /patients/p1/appointments", "{[", "400", "its body is no JSON"),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"{request} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{body}".encode()
            )
            assert (await reader.readline()).decode().split()[1] == status
            writer.close()
            assert told in await requested(printed, request)
