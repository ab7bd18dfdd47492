"""A line that drains begins no call: promised call backs are left to the others, or to its next start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from .conftest import OneLine, opened, phone

DUE = datetime(2026, 3, 2, tzinfo=UTC)


class Draining:
    def __init__(self) -> None:
        self.now = False

    def __call__(self) -> bool:
        return self.now


@pytest.fixture
def drains() -> Draining:
    return Draining()


@pytest.fixture
async def leaving(url: str, drains: Draining) -> AsyncIterator[OneLine]:
    made = await opened(url, "leaving", drains=drains)
    yield made
    await made.store.close()


async def drain(leaving: OneLine, drains: Draining) -> None:
    """And the others hear of it, with the next beat."""
    drains.now = True
    await leaving.store.begin()


async def promised(desk: OneLine, person: str = "member:1") -> int:
    place = await desk.enter(person)
    return (await desk.line.call_back(place.id, "+15035550101", DUE)).id


async def test_alone_it_waits_for_the_next_start_and_callers_are_served_all_the_same(
    leaving: OneLine, drains: Draining
) -> None:
    await leaving.phones(phone())
    place = await promised(leaving)
    waits = await leaving.enter("member:2")
    await drain(leaving, drains)
    offer = await leaving.serve()
    assert offer.place.id == waits.id, "the call back was before them"
    await leaving.line.finished(waits.id, offer.agent)
    await leaving.nobody()
    assert (await leaving.place(place))["state"] == "callback"
    drains.now = False
    assert (await leaving.pair()).place.id == place


async def test_another_line_makes_it(leaving: OneLine, other: OneLine, drains: Draining) -> None:
    await leaving.phones(phone())
    place = await promised(leaving)
    await drain(leaving, drains)
    await leaving.nobody()
    offer = await other.pair()
    assert (offer.place.id, offer.place.line) == (place, "there")


async def test_who_is_at_a_console_of_the_draining_line_calls_nobody_back(
    leaving: OneLine, other: OneLine, drains: Draining
) -> None:
    await leaving.agent("ann")
    place = await promised(leaving)
    waits = await leaving.enter("member:2")
    await drain(leaving, drains)
    offer = await other.serve()
    assert (offer.agent, offer.place.id) == ("ann", waits.id), "but serves who waits"
    await other.line.finished(waits.id, "ann")
    await leaving.line.set_state("ann", "idle")
    await other.nobody()
    await other.agent("bob")
    offer = await other.pair()
    assert (offer.agent, offer.place.id, offer.place.line) == ("bob", place, "there")
