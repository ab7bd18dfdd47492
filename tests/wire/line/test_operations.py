"""What operators and machines do to a running line, with a call on it: the log's disk, SIGHUP, pauses, a drain."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.errors import DialFailed
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.voices import CallerVoice
from tests.wire.line.reloading import edited, reloaded
from tests.wire.line.watching import (
    call_of,
    logged,
    mark,
    processes,
    readiness,
    ready_when,
    until,
    until_idle,
    with_human,
)

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

ADA, WALTER, JUNE, HENRY = "5035550101", "5035550102", "5035550103", "5035550105"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk() -> AsyncIterator[Softphone]:
    async with Softphone.open() as phone:
        await phone.set_incoming("answer", after_s=0.2)
        yield phone


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operated(desk: Softphone, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    folder = Path(tmp_path_factory.mktemp("operated"))
    async with RunningLine.running(LineSetup(folder, agents=[AgentPhone(desk.uri)])) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def caller(operated: RunningLine, joe: CallerVoice) -> AsyncIterator[Caller]:
    """June, who has heard the greeting begin."""
    await joe.speak_soon("what's next")
    async with Softphone.open() as phone, Caller.calling(phone, operated.uri, joe, from_number=JUNE) as calling:
        await calling.prompt_begin()
        yield calling
    await until_idle(operated)


async def answered(line: RunningLine, call: str) -> None:
    """The line has heard something and answered it, by its API: there is no log to read."""

    async def heard_and_said() -> bool:
        kinds = [entry["kind"] for entry in (await line.get(f"/api/calls/{call}"))["transcript"]]
        return "heard" in kinds and "prompt" in kinds[kinds.index("heard") :]

    await until(heard_and_said, 20.0)


# -- the log -----------------------------------------------------------------------------------------------------


async def test_a_full_log_disk_is_no_callers_business(operated: RunningLine, desk: Softphone, caller: Caller) -> None:
    line, phone = operated, caller.phone
    call = (await call_of(line, JUNE))["call_id"]
    kept = line.log.with_suffix(".kept")
    line.log.rename(kept)
    line.log.symlink_to("/dev/full")
    status, body = await ready_when(line.http, lambda body: body["log"].startswith("full"))
    assert (status, body["state"]) == (200, "ready")
    await caller.say("what's next")
    await answered(line, call)
    await caller.prompt_begin()
    await caller.press("0")

    async def with_agent() -> bool:
        return bool((await call_of(line, JUNE))["outcome"] == "with agent")

    await until(with_agent, 20.0)
    assert phone.ended is None
    await phone.hangup()
    await desk.wait_ended(10)
    await until_idle(line)
    line.log.unlink()  # there is room again
    await ready_when(line.http, lambda body: body["log"] == "ok")
    ended = await logged(line, "call.end", call_id=call)
    assert ended["outcome"] == "handed over", "what waited was written"


async def test_a_renamed_log_goes_on_in_a_new_file(operated: RunningLine, caller: Caller) -> None:
    line = operated
    call = (await call_of(line, JUNE))["call_id"]
    line.log.rename(line.log.with_suffix(".1"))
    line.process.send_signal(signal.SIGHUP)
    await logged_in_new_file(line, "config.reloaded")
    await caller.press("3")
    await logged(line, "dialogue.key", call_id=call)


async def logged_in_new_file(line: RunningLine, event: str) -> dict[str, Any]:
    async def there() -> bool:
        return line.log.exists()

    await until(there)
    return await logged(line, event)


# -- SIGHUP ------------------------------------------------------------------------------------------------------


async def test_a_reload_says_what_more_calls_lack(operated: RunningLine) -> None:
    since = mark(operated)
    with edited(operated, ("max_calls = 200", "max_calls = 1000000")):
        assert (await reloaded(operated))["changed"] == ["sip.max_calls"]
    short = await logged(operated, "service.descriptors_short", since=since)
    assert "max_calls = 1000000" in short["problem"] and "LimitNOFILE" in short["remedy"]
    await reloaded(operated)


async def test_a_reload_changes_what_may_change_and_names_the_rest(
    operated: RunningLine, desk: Softphone, caller: Caller
) -> None:
    line = operated
    call = (await call_of(line, JUNE))["call_id"]
    async with Softphone.open() as other:
        await other.set_incoming("answer", after_s=0.1)
        since = mark(line)
        with edited(
            line,
            (f'target = "{desk.uri}"', f'target = "{other.uri}"'),
            ("max_calls = 200", "max_calls = 1\nbusy_status = 503\nretry_after_s = 7"),
            ('ports = "20000-29999"', 'ports = "20000-20999"'),
            ("redact = false", "redact = true"),
        ):
            changed = (await reloaded(line))["changed"]
            assert changed == [*(f"sip.{key}" for key in ("max_calls", "busy_status", "retry_after_s")), "logs.redact",
                               "desk.agents"]  # fmt: skip
            assert (await logged(line, "config.restart_needed", since=since))["keys"] == ["media.ports"]
            async with Softphone.open() as late:
                await late.call(line.uri, from_number=HENRY)
                with pytest.raises(DialFailed, match="503"):
                    await late.wait_answered(10)
                refusal = next(m.text for m in late.messages if m.direction == "in" and "SIP/2.0 503" in m.text)
                assert "retry-after: 7" in refusal.lower()
            since = mark(line)
            await caller.press("0")
            await with_human(line, [other], call, since=since)
            assert caller.phone.ended is None
        await reloaded(line)
        assert caller.phone.ended is None and other.ended is None, "they talk on"
        await caller.phone.hangup()
        await other.wait_ended(10)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("max_calls = 200", "max_calls = 200\nmax_cals = 1", "unknown key sip.max_cals"),
        ("max_calls = 200", "max_calls = ", "Invalid value"),
        ('mon = "00:00-24:00"', 'mon = "noon"', "desk.hours.mon"),
        ('level = "info"', 'level = "loud"', "logs.level"),
        ('ivr.log"', 'ivr.sqlite3/ivr.log"', "ivr.sqlite3"),
        ('skills = ["general", "retention", "discs"]', 'skills = ["general"]', "retention"),
        (
            '[[desk.agents]]',
            '[[sip.trunks]]\nname = "new"\nregister = "sip:x"\nusername = "u"\npassword = "env:NOBODY_SET_THIS"\n\n'
            '[[desk.agents]]',
            "NOBODY_SET_THIS",
        ),
    ],
)  # fmt: skip
async def test_a_fault_leaves_everything_as_it_was(operated: RunningLine, old: str, new: str, why: str) -> None:
    line = operated
    with edited(line, ('max_calls = 200', 'max_calls = 200\nretry_after_s = 99'), (old, new)):  # fmt: skip
        rejected = await reloaded(line, "config.rejected")
    assert why in rejected["error"] and rejected["level"] == "error"
    assert (await reloaded(line))["changed"] == [], "nothing had been taken"
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, None, from_number=ADA) as caller:
        await caller.prompt_begin()


async def test_a_closed_terminal_hurts_no_call(operated: RunningLine, desk: Softphone, caller: Caller) -> None:
    """SIGHUP for the whole group, workers too."""
    line = operated
    call = (await call_of(line, JUNE))["call_id"]
    before = sorted(processes(line))
    since = mark(line)
    for pid in [line.process.pid, *before]:
        os.kill(pid, signal.SIGHUP)
    await logged(line, "config.reloaded", since=since)
    await caller.press("0")
    await with_human(line, [desk], call, since=since)
    assert sorted(processes(line)) == before
    await caller.phone.hangup()
    await desk.wait_ended(10)


# -- a line that stood still -----------------------------------------------------------------------------------------


@contextmanager
def standing_still(pids: Sequence[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:  # the line first, which finds its workers silent
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def whole_group(line: RunningLine) -> list[int]:
    return [line.process.pid, *processes(line)]


def line_alone(line: RunningLine) -> list[int]:
    return [line.process.pid]


def media_alone(line: RunningLine) -> list[int]:
    return processes(line, "ivr.media.process")


def recogniser_alone(line: RunningLine) -> list[int]:
    return processes(line, "ivr.speech.worker", "listen")


@pytest.mark.parametrize(
    ("who", "seconds", "same"),
    [
        (whole_group, 12.0, True),
        (line_alone, 12.0, True),
        (media_alone, 2.5, True),
        (media_alone, 8.0, False),
        (recogniser_alone, 8.0, False),
    ],
)
async def test_a_pause_ends_no_call(
    operated: RunningLine,
    desk: Softphone,
    caller: Caller,
    who: Callable[[RunningLine], list[int]],
    seconds: float,
    same: bool,
) -> None:
    """``same``: the workers are those of before. One that is silent for so long on its own is replaced; those whom a
    recogniser didn't hear are with a human by then."""
    line = operated
    call = (await call_of(line, JUNE))["call_id"]
    workers = sorted(processes(line))
    since = mark(line)
    with standing_still(who(line)):
        await asyncio.sleep(seconds)
    if who is not recogniser_alone:
        await caller.press("0")
    await with_human(line, [desk], call, since=since)
    assert caller.phone.ended is None
    assert (sorted(processes(line)) == workers) == same
    await caller.phone.hangup()
    await desk.wait_ended(10)
    await ready_when(line.http, lambda body: body["state"] == "ready", timeout_s=60)


# -- readiness -------------------------------------------------------------------------------------------------------


async def test_a_database_that_is_locked_for_writing_is_told(operated: RunningLine) -> None:
    other = sqlite3.connect(operated.setup.folder / "ivr.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        # Where SQLite has no time to say so within the line's own bound, the database "does not answer" at first.
        await ready_when(operated.http, lambda body: "locked" in str(body["reasons"]))
        asked = await asyncio.gather(*(readiness(operated.http) for _ in range(20)))
        for status, body in asked:
            assert (status, body["state"]) == (503, "store") and body["reasons"][0].startswith("store: ")
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert (await ready_when(operated.http, lambda body: body["store"] == "ok"))[0] == 200


async def test_a_media_process_that_is_gone_is_told(operated: RunningLine) -> None:
    (media,) = media_alone(operated)
    os.kill(media, signal.SIGKILL)
    assert (await ready_when(operated.http, lambda body: "media: restarting" in body["reasons"]))[0] == 503
    assert (await ready_when(operated.http, lambda body: body["state"] == "ready"))[0] == 200
