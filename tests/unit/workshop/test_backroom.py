"""The scratch database is the real store: held against one on a disk, and against itself without its memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import ActionError, StoreUnavailable
from ivr.events import ActionResult
from ivr.ports import ActionCall
from ivr.workshop.simulate.room import Effects, ScratchRoom, store_room
from tests.unit.workshop.conftest import MORNING

CALLER = {"call.caller": "5035550101"}
ADA = {"member.number": "10001"}
HISTORY = [
    ActionCall("member.identify_by_caller", {}, "c/1", "c", CALLER),
    ActionCall("queue.next", {}, "c/2", "c", ADA),
    ActionCall("queue.move_to_position", {"title": "253", "position": 1}, "c/3", "c", ADA),
    ActionCall("queue.move_to_position", {"title": "253", "position": 1}, "c/3", "c", ADA),  # the same key again
    ActionCall("queue.move_to_position", {"title": "253", "position": 1}, "c/4", "c", ADA),
    ActionCall("queue.remove", {"title": "253"}, "c/5", "c", ADA),
    ActionCall("queue.undo", {}, "c/6", "c", ADA),
    ActionCall("notes.add", {"text": "prefers mornings", "kind": "preference"}, "c/7", "c", ADA),
    ActionCall("callback.request", {"number": "5035550177", "skill": "discs"}, "c/8", "c", ADA),
    ActionCall("hold.deliveries", {"until": "2026-07-04"}, "c/9", "c", ADA),
    ActionCall("queue.read", {"first": 1}, "c/10", "c", ADA),
]


async def history(room: ScratchRoom) -> tuple[list[ActionResult], Effects | None]:
    await room.reset(MORNING)
    results = [await room.perform(call) for call in HISTORY]
    return results, await room.effects("10001")


async def test_scratch_and_disk_agree_on_everything(tmp_path: Path) -> None:
    scratch = ScratchRoom()
    disk = await store_room(f"sqlite+aiosqlite:///{tmp_path / 'real.sqlite3'}")
    disk.moment = MORNING
    try:
        on_scratch, effects = await history(scratch)
        on_disk = [await disk.perform(call) for call in HISTORY]
        assert on_scratch == on_disk
        assert [r.outcome for r in on_scratch].count("ok") >= 7
        assert effects == await disk.effects("10001")
        assert [(c.number, c.skill) for c in await scratch.callbacks()] == [("5035550177", "discs")]
        assert [(c.number, c.skill) for c in await disk.callbacks()] == [("5035550177", "discs")]
        assert await scratch.catalogue() == await disk.catalogue()
    finally:
        await scratch.close()
        await disk.close()


async def test_what_is_remembered_is_what_happened() -> None:
    room = ScratchRoom()
    try:
        first = await history(room)
        asked = room.asked
        assert asked > len(HISTORY) - 2
        assert await history(room) == first
        assert room.asked == asked, "the second time the database is not asked at all"
        # off the beaten track the database must be the one that this history leaves
        await room.reset(MORNING)
        for call in HISTORY[:3]:
            await room.perform(call)
        moved = await room.perform(ActionCall("queue.next", {}, "c/11", "c", ADA))
        assert moved.values["title"] == first[0][2].values["title"]
        assert room.asked == asked + 1
    finally:
        await room.close()


async def test_another_time_is_another_matter(room: ScratchRoom) -> None:
    room.moment = MORNING.replace(hour=11)
    before = room.asked
    await room.perform(HISTORY[0])
    room.moment = MORNING.replace(hour=12)
    await room.perform(HISTORY[0])
    assert room.asked == before + 2


async def test_every_call_begins_on_the_same_data(room: ScratchRoom) -> None:
    await room.perform(ActionCall("queue.remove", {"title": "253"}, "x/1", "x", ADA))
    after = await room.effects("10001")
    await room.reset(MORNING)
    before = await room.effects("10001")
    assert before is not None and after is not None
    assert len(before.queue) == len(after.queue) + 1


async def test_a_database_that_is_down_fails_for_real(room: ScratchRoom) -> None:
    room.down = True
    with pytest.raises(ActionError, match="store is not available"):
        await room.perform(HISTORY[0])
    with pytest.raises(StoreUnavailable):
        await room.effects("10001")
    room.down = False
    assert (await room.perform(HISTORY[0])).outcome == "found"


async def test_company_services_are_never_called_from_a_simulation(room: ScratchRoom) -> None:
    called = ActionCall("http.call", {"service": "deliveries", "path": "/members/1"}, "y/1", "y", ADA)
    assert await room.perform(called) == ActionResult("ok")


async def test_the_desk_keeps_its_hours(room: ScratchRoom) -> None:
    assert room.open_now("general")
    room.moment = MORNING.replace(hour=3)
    assert not room.open_now("general")
    assert [d.name for d in room.destinations("general")] == ["front-desk"], "on call at night"
