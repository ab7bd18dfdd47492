"""`ivr call` and `ivr answer` as people use them: two terminals and a line between them."""

from __future__ import annotations

import asyncio
import signal
import sys
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from ivr.demo.line import AgentPhone, RunningLine
from ivr.softphone.phone import Softphone
from tests.wire.line.reloading import with_agents
from tests.wire.line.watching import logged, mark, until_idle

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

ADA = "5035550101"


class Terminal:
    """A command that runs, and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.printed: list[str] = []
        self._reader = asyncio.create_task(self._read())
        self._more = asyncio.Condition()

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._more:
                self.printed.append(line.decode().rstrip())
                self._more.notify_all()

    async def until(self, holds: Callable[[str], bool], timeout_s: float = 30.0) -> str:
        """The first line that ``holds``. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._more:
            while (found := next((line for line in self.printed if holds(line)), None)) is None:
                await self._more.wait()
        return found

    async def ended(self, timeout_s: float = 30.0) -> int:
        async with asyncio.timeout(timeout_s):
            code = await self.process.wait()
            await self._reader
        return code


@asynccontextmanager
async def terminal(*words: str) -> AsyncIterator[Terminal]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background ignores it
    )
    try:
        yield Terminal(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def free_port() -> int:
    async with Softphone.open() as phone:
        return phone.port


def seconds(path: Path) -> float:
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 2
        frames: int = file.getnframes()
        rate: int = file.getframerate()
    return frames / rate


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def port() -> int:
    return await free_port()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(line: RunningLine, port: int) -> AsyncIterator[RunningLine]:
    async with with_agents(line, [AgentPhone(f"sip:phone@127.0.0.1:{port}", name="terminal")]):
        yield line


async def test_an_agent_answers_and_sees_why(desk: RunningLine, port: int, tmp_path: Path) -> None:
    recording = tmp_path / "agent.wav"
    take = ("answer", f"127.0.0.1:{port}", "--deaf", "--once", "--after", "0.2", "--record", str(recording))
    dial = ("call", desk.uri, "--deaf", "--from", ADA, "--interrupt", "--press", "0", "--stay")
    since = mark(desk)
    async with terminal(*take) as agent:
        await agent.until(lambda line: "waiting for calls" in line)
        async with terminal(*dial) as caller:
            await agent.until(lambda line: "reason: asked" in line)
            await agent.until(lambda line: "everything so far: http://" in line)
            await logged(desk, "handoff.connected", since=since)
            caller.process.send_signal(signal.SIGINT)
            assert await caller.ended() == 130
        assert await agent.ended() == 0
    assert seconds(recording) > 0.5


async def test_ctrl_c_keeps_the_recording(desk: RunningLine, tmp_path: Path) -> None:
    recording = tmp_path / "call.wav"
    async with terminal("call", desk.uri, "--deaf", "--from", ADA, "--stay", "--record", str(recording)) as caller:
        await caller.until(lambda line: "talks for" in line)
        caller.process.send_signal(signal.SIGINT)
        assert await caller.ended() == 130
        assert any("recorded in" in line for line in caller.printed)
        assert not any("Traceback" in line for line in caller.printed)
    assert seconds(recording) > 1.0
    await until_idle(desk)


@pytest.mark.parametrize("uri", ["http://127.0.0.1", "tel:+15035550199", "127.0.0.1:5060", "sip:"])
async def test_what_is_no_sip_uri_is_told(uri: str) -> None:
    async with terminal("call", uri, "--deaf") as caller:
        assert await caller.ended() != 0
        assert f"not a SIP URI: {uri}" in caller.printed[-1] and "sip:NAME@HOST:PORT" in caller.printed[-1]


async def test_a_taken_port_is_told(desk: RunningLine) -> None:
    async with terminal("answer", desk.sip, "--deaf") as agent:
        assert await agent.ended() != 0
        assert "choose a free port" in agent.printed[-1]
