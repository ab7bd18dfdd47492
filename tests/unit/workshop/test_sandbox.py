"""The sandbox in memory is the real one: held against a database on a disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ivr.company import Held
from ivr.errors import ActionError, StoreUnavailable
from ivr.events import CALLER_ID, ActionResult
from ivr.identity import CALLER_IDENTITY
from ivr.ports import ActionCall
from ivr.workshop.simulate.sandbox import Sandbox, StoreSandbox
from tests.unit.workshop.conftest import MORNING

CALLER = {"call.caller": "5035550101"}
ADA = {CALLER_ID: "10001", CALLER_IDENTITY: "verified"}
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
    ActionCall("member.refresh", {}, "c/9", "c", ADA),
    ActionCall("queue.read", {"first": 1}, "c/10", "c", ADA),
]


async def history(sandbox: Sandbox) -> tuple[list[ActionResult], Mapping[str, Held] | None]:
    await sandbox.reset(MORNING)
    results = [await sandbox.perform(call) for call in HISTORY]
    return results, await sandbox.records("10001")


async def test_a_message_has_words_where_there_is_no_voice() -> None:
    taken = await Sandbox().perform(ActionCall("message.take", {}, "c/1", "c", CALLER))
    assert taken.outcome == "ok" and taken.values["words"] == "This is a message." and taken.values["sureness"] == 90


async def test_scratch_and_disk_agree_on_everything(tmp_path: Path) -> None:
    scratch = Sandbox()
    disk = StoreSandbox(f"sqlite+aiosqlite:///{tmp_path / 'real.sqlite3'}")
    try:
        await disk.reset(MORNING)
        on_scratch, held = await history(scratch)
        on_disk = [await disk.perform(call) for call in HISTORY]
        assert on_scratch == on_disk
        assert [r.outcome for r in on_scratch].count("ok") >= 7
        assert held == await disk.records("10001")
        assert [(c.number, c.skill) for c in await scratch.callbacks()] == [("5035550177", "discs")]
        assert [(c.number, c.skill) for c in await disk.callbacks()] == [("5035550177", "discs")]
        assert await scratch.vocabularies() == await disk.vocabularies()
    finally:
        await disk.close()


async def test_every_call_begins_on_the_same_data(sandbox: Sandbox) -> None:
    await sandbox.perform(ActionCall("queue.remove", {"title": "253"}, "x/1", "x", ADA))
    after = await sandbox.records("10001")
    await sandbox.reset(MORNING)
    before = await sandbox.records("10001")
    assert before is not None and after is not None
    assert len(before["queue"]) == len(after["queue"]) + 1


async def test_a_store_that_is_down_fails_for_real(sandbox: Sandbox) -> None:
    sandbox.down = True
    with pytest.raises(ActionError, match="store is not available"):
        await sandbox.perform(HISTORY[0])
    with pytest.raises(StoreUnavailable):
        await sandbox.records("10001")
    sandbox.down = False
    assert (await sandbox.perform(HISTORY[0])).outcome == "found"


async def test_company_services_are_never_called_from_a_simulation(sandbox: Sandbox) -> None:
    called = ActionCall("http.call", {"service": "deliveries", "path": "/members/1"}, "y/1", "y", ADA)
    assert await sandbox.perform(called) == ActionResult("ok")


async def test_the_desk_keeps_its_hours(sandbox: Sandbox) -> None:
    assert sandbox.fact("hours.open") and sandbox.fact("hours.next_opening") is None
    sandbox.moment = MORNING.replace(hour=3)
    assert not sandbox.fact("hours.open")
    assert sandbox.fact("hours.next_opening") == MORNING.date()
    assert [d.name for d in sandbox.destinations("general")] == ["front-desk"], "on call at night"
