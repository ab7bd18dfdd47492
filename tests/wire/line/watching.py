"""What a running line wrote in its log, which processes it has, and who of its agents has a call."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
from watchfiles import awatch

from ivr.cli.tail import follow
from ivr.demo.line import RunningLine
from ivr.numbering import NumberingPlan
from ivr.softphone.phone import Softphone
from ivr.softphone.timing import joined_at


def mark(line: RunningLine) -> int:
    """Here the log ends now; for ``logged``'s ``since``."""
    return line.log.stat().st_size


async def logged(
    line: RunningLine, event: str, *, since: int = 0, timeout_s: float = 30.0, **fields: object
) -> dict[str, Any]:
    """The first line after ``since`` with that event and these fields. Raises TimeoutError."""
    with line.log.open(encoding="utf-8") as stream:
        stream.seek(since)
        async with asyncio.timeout(timeout_s):
            async for text in follow(line.log, stream):
                entry = json.loads(text)
                if entry.get("event") == event and all(entry.get(k) == v for k, v in fields.items()):
                    return dict(entry)
    raise AssertionError("the log ended")


async def reached_state(line: RunningLine, state: str, call: str, *, since: int = 0, timeout_s: float = 30.0) -> None:
    """The call came to ``state`` after ``since``."""
    await logged(line, "dialogue.state", since=since, timeout_s=timeout_s, to_state=state, call_id=call)


async def call_of(line: RunningLine, number: str) -> dict[str, Any]:
    """The live call from ``number``, in any notation."""
    wanted = NumberingPlan().number(number)
    (call,) = [call for call in await line.calls(live=True) if call["caller"] == wanted]
    return call


async def until_idle(line: RunningLine, timeout_s: float = 30.0) -> None:
    """Returns once no call is up; looks at once, and whenever the log grows. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        if not await line.calls(live=True):
            return
        async for _ in awatch(line.setup.folder, rust_timeout=300, yield_on_timeout=True, debounce=50, step=20):
            if not await line.calls(live=True):
                return


async def with_human(line: RunningLine, phones: Sequence[Softphone], call: str, *, since: int) -> Softphone:
    """The call is joined with an agent: the line says so, and one of the phones was rung for it and answered."""
    await logged(line, "handoff.connected", since=since, call_id=call)
    (phone,) = [p for p in phones if p.incoming is not None and p.incoming.headers["x-ivr-call-id"] == call]
    await phone.wait_answered(30)
    return phone


async def heard_by(listener: Softphone, speaker: Softphone, words: bytes) -> None:
    """The one hears what the other says (16-bit PCM); said again where a busy machine garbled it."""
    for _ in range(5):
        since = speaker.timeline.until
        await speaker.say(words)
        if joined_at(listener.timeline, speaker.timeline, since) is not None:
            return
    raise AssertionError("nothing of it was heard")


def processes(line: RunningLine, *words_wanted: str) -> list[int]:
    """Children of this line whose command line has all these words."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == line.process.pid and set(words_wanted) <= set(words):
            found.append(int(entry.name))
    return found


def stored(line: RunningLine, query: str, *values: object) -> list[Any]:
    """Rows of a line on SQLite."""
    with closing(sqlite3.connect(line.setup.folder / "ivr.sqlite3", timeout=30)) as database:
        return database.execute(query, values).fetchall()


def dialogs_kept(line: RunningLine) -> int:
    """Of how many calls a line on SQLite has on file what is needed to go on with them."""
    return len(stored(line, "SELECT 1 FROM live_dialogs WHERE snapshot LIKE '%\"dialogue\"%'"))


def forget_resume_points(line: RunningLine) -> None:
    """No call of before is taken up again."""
    with closing(sqlite3.connect(line.setup.folder / "ivr.sqlite3", timeout=30)) as database, database:
        database.execute("DELETE FROM resume_points")


async def until(met: Callable[[], Awaitable[bool]], timeout_s: float = 30.0) -> None:
    """Returns once ``met``, which nothing announces. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while True:
            if await met():
                return
            await asyncio.sleep(0.1)


async def readiness(http: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{http}/readyz") as answer:
        return answer.status, await answer.json()


async def ready_when(http: str, met: Callable[[dict[str, Any]], bool], timeout_s: float = 60.0) -> tuple[int, Any]:
    """What /readyz says once ``met``."""
    async with asyncio.timeout(timeout_s):
        while True:
            status, body = await readiness(http)
            if met(body):
                return status, body
            await asyncio.sleep(0.1)  # as a load balancer would, only sooner
