"""Recordings at the console: who hears them, in ranges, and on the page of their call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ivr.ports import AuditSearch, RecordingRow
from ivr.recording.archive import BROKEN_OFF, Archive
from ivr.store import Store
from tests.recordings import KEY, archived, conversation, wav
from tests.web.fakes import FakeCalls, serving
from tests.web.people import Roles, browser, log_in

STAFF: Roles = {"rosa": ("supervisor",), "priya": ("agent",), "tom": ("agent",), "otto": ("ops",)}
CALL = {"call_id": "c1", "caller": "5035550101", "started_at": "2026-03-03T10:00:00+00:00", "live": False}


@dataclass
class Kept:
    base: str
    name: str  # of a conversation that priya was in
    message: str
    archive: Archive
    store: Store


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    store = Store("sqlite+aiosqlite://")
    await store.upgrade()
    async with archived(tmp_path, KEY, store=store) as archive:
        name = await conversation(archive, "c1", ["priya"])
        message = await archive.keep("c1", wav())
        async with serving(people=STAFF, calls=FakeCalls(CALL), recordings=archive) as (base, _):
            yield Kept(base, name, message, archive, store)
    await store.close()


async def got(
    kept: Kept, who: str, name: str, headers: dict[str, str] | None = None
) -> tuple[int, bytes, Mapping[str, str]]:
    async with browser() as session:
        await log_in(session, kept.base, who)
        async with session.get(f"{kept.base}/desk/recordings/{name}", headers=headers) as answer:
            return answer.status, await answer.read(), {str(name): value for name, value in answer.headers.items()}


@pytest.mark.parametrize(
    ("who", "conversation", "message"), [("rosa", 200, 200), ("priya", 200, 403), ("tom", 403, 403), ("otto", 403, 403)]
)
async def test_supervisors_and_the_agent_of_the_call_hear_it_and_each_time_is_audited(
    kept: Kept, who: str, conversation: int, message: int
) -> None:
    status, sound, _ = await got(kept, who, kept.name)
    assert status == conversation and sound.startswith(b"RIFF") is (status == 200)
    assert (await got(kept, who, kept.message))[0] == message
    rows = (await kept.store.audit_log.find(AuditSearch(what="recording.", on="c1"))).rows
    heard = [row.event.actor for row in rows]
    assert heard == [who] * [conversation, message].count(200)


async def test_a_player_seeks_by_ranges(kept: Kept) -> None:
    _, whole, headers = await got(kept, "rosa", kept.name)
    assert headers["Accept-Ranges"] == "bytes" and len(whole) == 44 + 3 * 16000 + 200
    for asked, start, stop in (("0-9", 0, 10), ("16000-", 16000, len(whole)), ("-50", len(whole) - 50, len(whole))):
        status, part, headers = await got(kept, "rosa", kept.name, {"Range": f"bytes={asked}"})
        assert status == 206 and part == whole[start:stop]
        assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    assert (await got(kept, "rosa", kept.name, {"Range": "bytes=999999-"}))[0] == 416


async def test_what_is_deleted_is_not_there_any_more(kept: Kept) -> None:
    row = await kept.archive.find(kept.name)
    assert row is not None
    await kept.archive.delete(row, "shell:me", "asked for")
    assert (await got(kept, "rosa", kept.name))[0] == 404
    assert (await got(kept, "rosa", "..%2F..%2Fetc"))[0] == 404


async def test_the_page_of_a_call_says_what_broke_off_and_what_goes_on(kept: Kept) -> None:
    for name in ("off", "on"):
        row = RecordingRow(name, "conversation", "c1", "10001", ("tom",), kept.store.now())
        await kept.store.recordings.add(row)
    assert await kept.store.recordings.broken_off("off", 3.0, BROKEN_OFF)
    async with browser() as session:
        await log_in(session, kept.base, "rosa")
        async with session.get(f"{kept.base}/calls/c1", headers={"Accept": "text/html"}) as answer:
            page = await answer.text()
    assert page.count("with tom; broken off<") == 1 and page.count("with tom; goes on<") == 1


async def test_the_page_of_a_call_plays_its_recordings_to_supervisors_alone(kept: Kept) -> None:
    for who, shown in (("rosa", True), ("otto", False)):
        async with browser() as session:
            await log_in(session, kept.base, who)
            async with session.get(f"{kept.base}/calls/c1", headers={"Accept": "text/html"}) as answer:
                page = await answer.text()
        assert answer.status == 200
        assert (f"/desk/recordings/{kept.name}" in page) is shown, page
