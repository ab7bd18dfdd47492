"""Recordings on both databases: kept, listed, played with a trace, and really deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.errors import RecordingUnreadable
from ivr.recording.archive import Archive
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
    (line,) = await store.audit.of_call("call-1")
    assert (line["action"], line["actor"], line["after"]["recording"]) == ("recording.played", "rosa", name)


async def test_messages_are_in_the_same_place(archive: Archive, tmp_path: Path) -> None:
    name = await archive.keep("call-2", wav(b"\x05\x00" * 12000))
    (row,) = await archive.of_call("call-2")
    assert (row.kind, row.seconds) == ("message", 1.5)
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
    (line,) = await store.audit.of_call("call-1")
    assert (line["action"], line["actor"]) == ("recording.deleted", "retention")


async def test_a_callers_recordings_are_deleted_together(archive: Archive, tmp_path: Path) -> None:
    await conversation(archive, "call-1", ["priya"], caller_id="10004")
    kept = await conversation(archive, "call-2", ["priya"], caller_id="10005")
    for row in await archive.listed("10004"):
        await archive.delete(row, "cli:me", "asked for")
    assert [path.stem for path in files(tmp_path)] == [kept] and await archive.of_call("call-1") == []


async def test_a_name_from_outside_never_leaves_the_folder(archive: Archive) -> None:
    assert await archive.open("../../etc/passwd", "rosa") is None
