"""How long a place has waited, as boards and consoles tell it: the time in which it could have been served."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ivr.desk.routing import waits_since
from ivr.ports import Offer, Place

from .conftest import OneLine, arrival

NUMBER = "+15035550101"


async def _waited_s(desk: OneLine, place_id: int) -> float:
    """Of a place that waits now."""
    now = await desk.line.snapshot()
    (place,) = [place for place in now.places if place.id == place_id]
    return (now.at - waits_since(place)).total_seconds()


def _about(seconds: float) -> object:
    return pytest.approx(seconds, abs=5)


async def _due_in(desk: OneLine, seconds: float) -> Place:
    at = (await desk.line.snapshot()).at + timedelta(seconds=seconds)
    return await desk.line.ask_call_back(arrival("member:1"), NUMBER, at)


async def test_who_waits_has_waited_since_they_came(desk: OneLine) -> None:
    await desk.agent()
    place = await desk.enter()
    await desk.age(100)
    assert await _waited_s(desk, place.id) == _about(100)
    await desk.line.move(place.id, priority=8)
    await desk.pair()
    await desk.age(10)
    assert await _waited_s(desk, place.id) == _about(110)


async def test_a_call_back_of_tomorrow_has_not_waited_all_night(desk: OneLine) -> None:
    place = await _due_in(desk, 60_000)
    await desk.age(30_000)
    assert waits_since((await desk.line.snapshot()).places[0]) > (await desk.line.snapshot()).at, "not yet"
    await desk.age(30_040)
    assert await _waited_s(desk, place.id) == _about(40)
    await desk.agent()
    await desk.pair()
    await desk.age(5)
    assert await _waited_s(desk, place.id) == _about(45)
    found = await desk.place(place.id)
    assert found["entered_at"] < found["waits_since"], "the place is as old as it is"


async def test_a_call_back_at_once_counts_the_time_on_the_line(desk: OneLine) -> None:
    place = await desk.enter(number=NUMBER)
    await desk.age(300)
    await desk.line.call_back(place.id, NUMBER)
    await desk.age(60)
    assert await _waited_s(desk, place.id) == _about(360)


async def test_one_for_later_counts_the_time_on_the_line_and_since_it_is_due(desk: OneLine) -> None:
    place = await desk.enter(number=NUMBER)
    await desk.age(300)
    await desk.line.call_back(place.id, NUMBER, (await desk.line.snapshot()).at + timedelta(seconds=1000))
    await desk.age(1030)
    assert await _waited_s(desk, place.id) == _about(330)


async def test_who_phones_in_before_their_call_back_is_due_waits_from_then_on(desk: OneLine) -> None:
    place = await desk.enter(number=NUMBER)
    await desk.age(300)
    await desk.line.call_back(place.id, NUMBER, (await desk.line.snapshot()).at + timedelta(seconds=1000))
    await desk.age(400)
    again = await desk.enter(number=NUMBER)
    assert (again.id, again.entered_at) == (place.id, (await desk.place(place.id))["entered_at"])
    await desk.age(20)
    assert await _waited_s(desk, place.id) == _about(320)


async def test_a_dropped_call_does_not_wait_until_they_are_back(desk: OneLine) -> None:
    place = await desk.enter()
    await desk.age(100)
    await desk.line.leave(place.id, "away")
    await desk.age(500)
    await desk.enter()
    await desk.age(7)
    assert await _waited_s(desk, place.id) == _about(107)


async def test_between_two_attempts_nobody_waits(desk: OneLine) -> None:
    desk.configure(attempts_min=(2.0, 10.0, 30.0))
    await desk.agent()
    place = await _due_in(desk, 0)
    await desk.age(10)
    offer: Offer = await desk.pair()
    assert await desk.line.dialling(offer)
    assert await desk.line.undialled(offer) == "callback"
    await desk.age(125)
    assert await _waited_s(desk, place.id) == _about(15)


async def test_a_conversation_is_no_waiting(desk: OneLine) -> None:
    await desk.agent()
    place = await desk.enter()
    await desk.age(50)
    offer = await desk.serve()
    await desk.age(400)
    await desk.line.broken(place.id, offer.agent)
    await desk.age(3)
    assert await _waited_s(desk, place.id) == _about(53)
