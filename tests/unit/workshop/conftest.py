from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ivr.workshop.simulate.driving import Setting
from ivr.workshop.simulate.room import TIME_ZONE, ScratchRoom
from ivr.workshop.simulate.simulation import Simulation
from tests.flows.reference import library

MORNING = datetime(2026, 3, 3, 10, tzinfo=ZoneInfo(TIME_ZONE))


@pytest.fixture(scope="session")
def scratch() -> Iterator[ScratchRoom]:
    room = ScratchRoom()
    yield room
    asyncio.run(room.close())


@pytest.fixture
async def room(scratch: ScratchRoom) -> AsyncIterator[ScratchRoom]:
    """Fresh demonstration data on a Tuesday morning."""
    await scratch.reset(MORNING)
    yield scratch


@pytest.fixture
async def simulation(room: ScratchRoom) -> Simulation:
    """Ada calls; the line has greeted her and asks what it can do."""
    call = Simulation(library(), room, Setting(MORNING))
    await call.begin()
    return call
