"""A supervisor's phone is their open board, whatever other phone they have."""

from __future__ import annotations

from datetime import UTC, datetime

from ivr.desk.board_phone import BoardPhones
from ivr.ports import Arrival, Console, Offer, Place, Ring
from tests.unit.desk.handed import CONTEXT


class Handset:
    def __init__(self) -> None:
        self.offers: list[str] = []

    async def connect(self, offer: str) -> str:
        self.offers.append(offer)
        return "answer"


class Floor:
    """``ConsoleFloor`` in memory."""

    def __init__(self) -> None:
        self.handsets: dict[str, Handset] = {}
        self.consoles: dict[str, Console] = {}

    def register(self, agent: str, console: Console) -> Handset:
        self.consoles[agent] = console
        return self.handsets.setdefault(agent, Handset())

    async def unregister(self, agent: str) -> None:
        self.handsets.pop(agent, None)


async def test_each_open_board_is_a_phone_of_its_own() -> None:
    floor = Floor()
    phones = BoardPhones(floor)
    one, other = phones("sue"), phones("sue")
    assert one.name != other.name and one.name != "sue"
    assert await one.connect("offer") == "answer"
    assert await one.connect("again") == "answer"
    assert floor.handsets[one.name].offers == ["offer", "again"], "a page that connects again is the same phone"
    await other.connect("offer")
    await one.close()
    assert list(floor.handsets) == [other.name]


async def test_no_caller_is_offered_to_a_board() -> None:
    floor = Floor()
    phone = BoardPhones(floor)("sue")
    await phone.connect("offer")
    place = Place(1, Arrival("member:1", "c1", "general", 3), datetime.now(UTC), "offered")
    offer = Offer(place, phone.name, datetime.now(UTC))
    assert await floor.consoles[phone.name].offer(Ring(offer, CONTEXT, "", {}, 20.0)) is False
