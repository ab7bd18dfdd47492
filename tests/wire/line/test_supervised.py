"""A line under a service manager: what systemd and a container are told, from the start to the end."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ivr.config import parse_address
from ivr.demo.line import LineSetup, RunningLine
from tests.wire.line.watching import logged, mark, readiness
from tests.wire.sip.bare import bare_peer

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


@dataclass(slots=True)
class Manager:
    """systemd's side of the protocol."""

    socket: socket.socket
    heard: list[list[str]] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def listening(cls, path: Path) -> AsyncIterator[Manager]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
            bound.setblocking(False)
            bound.bind(str(path))
            yield cls(bound)

    async def until(self, assignment: str, timeout_s: float = 60.0) -> list[str]:
        """The next message with it."""
        async with asyncio.timeout(timeout_s):
            while True:
                told = (await asyncio.get_running_loop().sock_recv(self.socket, 4096)).decode().split("\n")
                self.heard.append(told)
                if assignment in told:
                    return told


async def command(line: RunningLine, *words: str) -> tuple[int, str]:
    """Exit code and output of `ivr` for that line."""
    more = ("--config", str(line.setup.folder / "config.toml"), "--http", line.http.removeprefix("http://"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", *words, *more), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_systemd_is_told_of_the_whole_life(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    async with Manager.listening(path) as manager:
        setup = LineSetup(tmp_path, drain_s=5.0, environment={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "4000000"})
        async with RunningLine.running(setup) as line:
            await manager.until("READY=1")
            starting = [each for told in manager.heard for each in told]
            assert "STATUS=starting: opening HTTP" in starting and "EXTEND_TIMEOUT_USEC=30000000" in starting
            assert await manager.until("STATUS=ready, 0 calls")
            for _ in range(3):
                assert await manager.until("WATCHDOG=1", 4.0) == ["WATCHDOG=1"], "one each two seconds"

            _, said = await command(line, "doctor")
            assert "taken, and the line that is configured here runs" in said and "already in use" not in said

            line.process.send_signal(signal.SIGHUP)
            assert (await manager.until("STATUS=reloading"))[:1] == ["RELOADING=1"]
            assert await manager.until("READY=1") == ["READY=1", "STATUS=reloaded"]
            config = tmp_path / "config.toml"
            whole = config.read_text()
            config.write_text("no = [")
            line.process.send_signal(signal.SIGHUP)
            await manager.until("STATUS=reloading")
            assert "rejected" in (await manager.until("READY=1"))[1]
            config.write_text(whole)

            line.process.send_signal(signal.SIGTERM)
            assert (await manager.until("STOPPING=1"))[1:] == ["STATUS=draining", "EXTEND_TIMEOUT_USEC=30000000"]
            assert await asyncio.wait_for(line.process.wait(), 15) == 0


async def test_a_standing_loop_pings_no_watchdog(tmp_path: Path) -> None:
    """What hangs is noticed: a line that is stopped sends nothing, and goes on where it may go on."""
    path = tmp_path / "notify"
    async with Manager.listening(path) as manager:
        setup = LineSetup(tmp_path, environment={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"})
        async with RunningLine.running(setup) as line:
            await manager.until("READY=1")
            await manager.until("WATCHDOG=1")
            line.process.send_signal(signal.SIGSTOP)
            while True:  # what was under way
                try:
                    await manager.until("WATCHDOG=1", 1.5)
                except TimeoutError:
                    break
            line.process.send_signal(signal.SIGCONT)
            await manager.until("WATCHDOG=1", 10.0)


async def test_what_the_watchdog_ends_says_where_it_stood(tmp_path: Path) -> None:
    async with RunningLine.running(LineSetup(tmp_path)) as line:
        line.process.send_signal(signal.SIGABRT)
        assert await asyncio.wait_for(line.process.wait(), 15) == -signal.SIGABRT
        said = (await line._drain).decode()
        assert "Fatal Python error: Aborted" in said and "asyncio" in said


async def test_a_line_is_drained_by_command_and_takes_calls_again(tmp_path: Path) -> None:
    async with RunningLine.running(LineSetup(tmp_path)) as line:
        assert await command(line, "health") == (0, "alive, ready; 0 calls\n")
        since = mark(line)
        assert await command(line, "drain", "--wait", "5") == (0, "draining, 0 calls in progress\n")
        assert (await logged(line, "service.draining", since=since))["by"] == "local"
        status, body = await readiness(line.http)
        assert (status, body["state"]) == (503, "draining")
        async with bare_peer(parse_address(line.sip)) as proxy:
            assert await proxy.asked("OPTIONS") == (503, "30")
            assert await proxy.asked("INVITE") == (503, "30")
        code, said = await command(line, "health")
        assert code == 0 and said.startswith("alive, draining; 0 calls; draining: no new calls")
        assert (await command(line, "health", "--ready"))[0] == 1
        assert await command(line, "drain", "--undo") == (0, "serving, 0 calls in progress\n")
        async with bare_peer(parse_address(line.sip)) as proxy:
            assert await proxy.asked("OPTIONS") == (200, "")
        assert (await readiness(line.http))[0] == 200
    code, said = await command(line, "health")
    assert code == 1 and "no line answers at" in said
    assert "Traceback" not in said
