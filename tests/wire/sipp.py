"""SIPp as the far end of a wire test: runs a scenario, returns what it counted and complained about."""

from __future__ import annotations

import asyncio
import csv
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ivr.config import Address
from tests.wire.ports import free_port

REMEDY = "wire tests need SIPp: sudo apt-get install sip-tester (Debian, Ubuntu), or put sipp on the PATH"


@dataclass(frozen=True, slots=True)
class SippResult:
    """One finished run. ``errors``: SIPp's own log; ``logged``: what <log> actions wrote; ``messages``: the trace."""

    status: int
    successful: int
    failed: int
    errors: str
    logged: str
    messages: str

    def check(self, calls: int = 1) -> SippResult:
        """Raises AssertionError with SIPp's own words unless ``calls`` calls succeeded and none failed."""
        if self.status != 0 or self.failed or self.successful != calls:
            raise AssertionError(
                f"SIPp: exit {self.status}, {self.successful} of {calls} calls, {self.failed} failed\n"
                f"{self.errors[-3000:]}\n{self.messages[-6000:]}"
            )
        return self


@dataclass(slots=True)
class SippRun:
    """A SIPp process under way, listening at ``host``:``port``."""

    process: asyncio.subprocess.Process
    folder: Path
    host: str
    port: int
    deadline_s: float

    @property
    def uri(self) -> str:
        return f"sip:sipp@{Address(self.host, self.port)}"

    async def result(self) -> SippResult:
        """Wait for the end of the run. Its own -timeout ends it; a hung process is killed a little later."""
        try:
            async with asyncio.timeout(self.deadline_s + 5):
                output, _ = await self.process.communicate()
        except TimeoutError:
            self.process.kill()
            output, _ = await self.process.communicate()
        text = output.decode(errors="replace")
        successful, failed = _counts(self.folder / "stat.csv")
        return SippResult(
            status=self.process.returncode if self.process.returncode is not None else -1,
            successful=successful,
            failed=failed,
            errors=_text(self.folder / "errors.log") or text[-2000:],
            logged=_text(self.folder / "logs.log"),
            messages=_text(self.folder / "messages.log"),
        )

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()


async def start_sipp(
    scenario: Path | str,
    folder: Path,
    *,
    target: str = "",
    host: str = "127.0.0.1",
    port: int = 0,
    calls: int = 1,
    service: str = "ivr",
    transport: str = "u1",
    rate: float = 50.0,
    deadline_s: float = 60.0,
    keys: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    traces: Sequence[str] = ("stat", "err", "logs", "msg"),
) -> SippRun:
    """Start ``scenario`` (a file, or the name of one built in: "uac", "uas") in ``folder``, which collects its logs.

    ``target``: HOST:PORT to call, "" to wait for calls. ``keys`` fill [name] keywords in the scenario; without the
    trace "stat" nothing is counted.
    """
    program = shutil.which("sipp")
    if program is None:
        pytest.fail(REMEDY)
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port(host)
    arguments = ["-sf", str(scenario)] if isinstance(scenario, Path) else ["-sn", scenario]
    arguments += ["-i", host, "-mi", host, "-p", str(port), "-m", str(calls), "-l", str(max(calls, 1)), "-s", service]
    arguments += ["-r", str(rate), "-t", transport, "-nostdin", "-timeout", f"{deadline_s:.0f}s", "-timeout_error"]
    for name in traces:
        arguments += [f"-trace_{name}"]
    arguments += ["-stf", "stat.csv", "-fd", "1", "-error_file", "errors.log", "-log_file", "logs.log"]
    arguments += ["-message_file", "messages.log"]
    for name, value in (keys or {}).items():
        arguments += ["-key", name, value]
    arguments += [*options, *([target] if target else [])]
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    if not target:
        await _listening(process, port)
    return SippRun(process, folder, host, port, deadline_s)


async def run_sipp(scenario: Path | str, folder: Path, *, target: str, **options: object) -> SippResult:
    """``start_sipp`` and its result, for a scenario that calls us."""
    run = await start_sipp(scenario, folder, target=target, **options)  # type: ignore[arg-type]
    try:
        return await run.result()
    finally:
        await run.stop()


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    """Wait until the process has its port (read from /proc: a probe of our own could take it away)."""
    tables = [
        table
        for table in map(Path, ("/proc/net/udp", "/proc/net/tcp", "/proc/net/udp6", "/proc/net/tcp6"))
        if table.exists()
    ]
    async with asyncio.timeout(30):
        while tables and process.returncode is None:
            if any(re.search(rf":{port:04X} 0+:0000 ", table.read_text()) for table in tables):
                return
            await asyncio.sleep(0.02)


def _counts(file: Path) -> tuple[int, int]:
    rows = list(csv.reader(_text(file).splitlines(), delimiter=";"))
    if len(rows) < 2:
        return 0, 0
    last = dict(zip(rows[0], rows[-1], strict=False))
    return int(last.get("SuccessfulCall(C)", "0")), int(last.get("FailedCall(C)", "0"))


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""
