"""The films company's member panel, as an agent gets it."""

from __future__ import annotations

from datetime import UTC, datetime

from ivr.company import OpenCompany, Times
from ivr.reference import COMPANY
from ivr.store.memory import MemoryLedger
from tests.films import ZONE


def films() -> OpenCompany:
    return COMPANY.in_memory(Times(lambda: datetime.now(UTC), ZONE), MemoryLedger())


async def test_a_member_has_facts_a_queue_in_order_and_what_is_at_home() -> None:
    panel = await films().panel("10001")
    assert panel is not None and panel.name == "Ada Moreno" and panel.about == "Member 10001"
    assert ("Plan", "three discs at a time") in panel.facts
    queue, home = panel.lists
    assert queue.ordered and [item.text for item in queue.items][:2] == ["Metropolis", "Vertigo"]
    assert {item.text for item in home.items} == {"Sherlock Jr.", "The Lady Vanishes"}


async def test_notes_say_who_wrote_them_and_when_the_newest_first() -> None:
    panel = await films().panel("10008")
    assert panel is not None and panel.notes
    assert all(note.text and note.by and note.at.tzinfo for note in panel.notes)
    assert list(panel.notes) == sorted(panel.notes, key=lambda note: note.at, reverse=True)


async def test_a_stranger_has_no_panel() -> None:
    assert await films().panel("99999") is None
    assert await OpenCompany().panel("10001") is None
