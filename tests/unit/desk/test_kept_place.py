"""Whose place is kept: by what the caller has proven, surest first."""

from __future__ import annotations

from ivr.desk.kept_place import kept_place
from ivr.ports import Arrival
from tests.call.fakes import EPOCH
from tests.call.line import FakeLine

ADA = {"caller.id": "10001", "caller.identity": "likely", "call.caller": "(503) 555-0101"}


def number(text: str) -> str:
    return "+1" + "".join(c for c in text if c.isdigit())


async def line_with(person: str, how: str = "away") -> FakeLine:
    line = FakeLine(lambda: EPOCH)
    place = await line.enter(Arrival(person, "c1", "general", 5))
    if how:
        await line.leave(place.id, how)
    return line


async def test_a_member_has_theirs_from_any_number() -> None:
    of = kept_place(await line_with("member:10001"), number)
    assert of({**ADA, "call.caller": ""}, "c2") == {"place.kept": True, "place.position": 1}
    assert of({**ADA, "caller.identity": "unverified"}, "c2") == {}, "who only says who they are does not"


async def test_a_number_has_its_own_in_any_notation() -> None:
    of = kept_place(await line_with("tel:+15035550101"), number)
    assert of({"call.caller": "503-555-0101"}, "c2")["place.kept"] is True
    assert of({"call.caller": "503-555-0102"}, "c2") == {} == of({"call.caller": ""}, "c2")


async def test_a_place_that_somebody_is_at_is_not_kept() -> None:
    assert kept_place(await line_with("member:10001", ""), number)(ADA, "c2") == {}
