"""Recordings on both databases: kept, listed, played with a trace, and really deleted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.errors import RecordingUnreadable, StoreUnavailable
from ivr.ports import AuditEvent, AuditSearch, RecordingAbout, RecordingRow
from ivr.recording.archive import SUFFIX, Archive
from ivr.store import Store
from tests.recordings import KEY, archived, conversation, wav

from .conftest import Time


@pytest.fixture
async def archive(store: Store, tmp_path: Path) -> AsyncIterator[Archive]:
    async with archived(tmp_path / "recordings", KEY, store=store) as opened:
        yield opened


def files(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "recordings").glob("*"))


async def played(archive: Archive, name: str, by: str = "rosa") -> bytes:
    player = await archive.open(name, by)
    assert player is not None
    found = b"".join([piece async for piece in player.read(0, player.size)])
    await player.close()
    return found


async def test_a_conversation_is_listed_and_played_and_who_did_is_in_the_trail(archive: Archive, store: Store) -> None:
    name = await conversation(archive, "call-1", ["priya", "tom"])
    (row,) = await archive.of_call("call-1")
    assert (row.name, row.agents, row.caller_id, row.ended) == (name, ("priya", "tom"), "10001", "over")
    assert row.seconds == pytest.approx(3.0125) and row.key
    assert (await played(archive, name))[44:].startswith(b"\x11\x22" * 100)
    (line,) = (await store.audit_log.find(AuditSearch(on="call-1"))).rows
    assert line.event == AuditEvent(
        "rosa", "recording.played", "call-1", None, {"recording": name, "kind": "conversation"}
    )


async def test_messages_are_in_the_same_place(archive: Archive, tmp_path: Path) -> None:
    name = await archive.keep("call-2", wav(b"\x05\x00" * 12000), "10001")
    (row,) = await archive.of_call("call-2")
    assert (row.kind, row.seconds, row.caller_id) == ("message", 1.5, "10001")
    assert [each.name for each in await archive.listed("10001")] == [name], "deleted with what else is theirs"
    assert (await played(archive, name))[44:] == b"\x05\x00" * 12000
    with pytest.raises(RecordingUnreadable):
        await archive.keep("call-3", b"no sound")


async def test_what_is_old_is_deleted_file_and_row_with_a_line_in_the_log(
    archive: Archive, store: Store, now: Time, tmp_path: Path
) -> None:
    old = await conversation(archive, "call-1", ["priya"])
    now.pass_(days=60)
    young = await archive.keep("call-2", wav())
    with capture_logs() as logs:
        assert await archive.purge(now() - timedelta(days=30)) == 1
    assert [path.stem for path in files(tmp_path)] == [young]
    assert await archive.find(old) is None and await archive.open(old, "rosa") is None
    assert [(line["recording"], line["why"]) for line in logs if line["event"] == "recording.deleted"] == [(old, "old")]
    (row,) = (await store.audit_log.find(AuditSearch(on="call-1"))).rows
    assert (row.event.action, row.event.actor) == ("recording.deleted", "retention")


async def test_one_that_cannot_be_deleted_keeps_no_other(archive: Archive, now: Time, tmp_path: Path) -> None:
    """A file that a restored backup left to another user, say: the rest of what is old is deleted all the same."""
    olds = [await conversation(archive, f"call-{number}", ["priya"]) for number in range(3)]
    stray = tmp_path / "recordings" / f"{'a' * 32}{SUFFIX}"
    stray.mkdir()
    stuck = next(path for path in files(tmp_path) if path.stem == olds[1])
    stuck.unlink()
    stuck.mkdir()
    now.pass_(days=60)
    long_ago = (now() - timedelta(days=59)).timestamp()
    os.utime(stray, (long_ago, long_ago))
    with capture_logs() as logs, pytest.raises(IsADirectoryError):
        await archive.purge(now() - timedelta(days=30))
    assert [row.name for row in await archive.listed()] == [olds[1]]
    assert {line["recording"] for line in logs if line["event"] == "recording.undeleted"} == {olds[1], stray.stem}
    stuck.rmdir()
    stray.rmdir()
    assert await archive.purge(now() - timedelta(days=30)) == 1 and await archive.listed() == []


async def test_a_callers_recordings_are_deleted_together(archive: Archive, tmp_path: Path) -> None:
    await conversation(archive, "call-1", ["priya"], caller_id="10004")
    kept = await conversation(archive, "call-2", ["priya"], caller_id="10005")
    for row in await archive.listed("10004"):
        await archive.delete(row, "shell:me", "asked for")
    assert [path.stem for path in files(tmp_path)] == [kept] and await archive.of_call("call-1") == []


DIES = """
import asyncio, sys
from pathlib import Path
import structlog
from ivr.ports import RecordingAbout
from ivr.recording.archive import Archive
from ivr.sealing import Keys
from ivr.store import Store

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def main() -> None:
    url, folder, *keys = sys.argv[1:]
    store = Store(url)
    archive = Archive(store.recordings, Path(folder), Keys.of(tuple(keys)), store.now)
    kept = await archive.begin(RecordingAbout("call-1", "10001", "priya"))
    await kept.write([bytes([0x11, 0x22]) * 8000] * 3)
    print(kept.name, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def recording_process(
    url: str, folder: Path, *keys: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A process that has recorded three seconds and goes on; the recording's name."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DIES, url, str(folder), *keys, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("keys", [(KEY,), ()], ids=["sealed", "clear"])
async def test_what_a_killed_process_recorded_ends_where_its_file_ends(
    url: str, store: Store, now: Time, tmp_path: Path, keys: tuple[str, ...]
) -> None:
    folder = tmp_path / "recordings"
    async with (
        recording_process(url, folder, *keys) as (process, name),
        archived(folder, *keys, store=store) as archive,
        archived(tmp_path / "other folder", *keys, store=store) as elsewhere,
    ):
        assert await archive.end_broken_off() == 0, "it goes on"
        process.send_signal(signal.SIGKILL)
        await process.wait()
        (file,) = files(tmp_path)
        with file.open("ab") as half:  # what it was about to write when it died
            half.write((16_000).to_bytes(4, "big") + b"half a block")
        assert await elsewhere.end_broken_off() == 0, "who has the file ends it"
        with capture_logs() as logs:
            assert await archive.end_broken_off() == 1
        assert await archive.end_broken_off() == 0
        (row,) = await archive.of_call("call-1")
        assert (row.name, row.seconds, row.ended, row.agents) == (name, 3.0, "broken off", ("priya",))
        (line,) = logs
        assert (line["event"], line["recording"], line["seconds"]) == ("recording.broken_off", name, 3.0)
        assert (await played(archive, name))[44:] == b"\x11\x22" * 8000 * 3
        assert await archive.purge(row.started_at + timedelta(days=1)) == 1
        assert files(tmp_path) == [] and await archive.find(name) is None


async def test_one_that_can_not_be_read_ends_too_and_says_why(archive: Archive, store: Store, tmp_path: Path) -> None:
    about = RecordingAbout("call-1", "10001", "priya")
    await store.recordings.add(RecordingRow("abc", "conversation", "call-1", "10001", (), store.now()))
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "abc.ivrrec").touch()
    kept = await archive.begin(about)
    assert kept is not None
    assert await archive.end_broken_off() == 1
    assert {row.name: row.ended for row in await archive.of_call("call-1")} == {
        "abc": "broken off: this is no recording",
        kept.name: "",
    }
    await kept.close("over", ["priya"])


async def test_a_whole_one_whose_end_the_database_did_not_take_is_over(
    archive: Archive, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(store.recordings, "finish", away)
        await conversation(archive, "call-1", ["priya"])
    assert await archive.end_broken_off() == 1
    (row,) = await archive.of_call("call-1")
    assert row.ended == "over" and row.seconds == pytest.approx(3.0125)


async def test_a_name_from_outside_never_leaves_the_folder(archive: Archive) -> None:
    assert await archive.open("../../etc/passwd", "rosa") is None
