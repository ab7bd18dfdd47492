from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ivr.workshop.simulate.sandbox import TIME_ZONE, Sandbox
from ivr.workshop.simulate.simulation import Simulation
from tests.flows.reference import library

MORNING = datetime(2026, 3, 3, 10, tzinfo=ZoneInfo(TIME_ZONE))


@pytest.fixture(scope="session")
def scratch() -> Sandbox:
    return Sandbox()


@pytest.fixture
async def sandbox(scratch: Sandbox) -> Sandbox:
    """Fresh demonstration data on a Tuesday morning."""
    await scratch.reset(MORNING)
    return scratch


@pytest.fixture
async def simulation(sandbox: Sandbox) -> Simulation:
    """Ada calls; the line has greeted her and asks what it can do."""
    call = Simulation(library(), sandbox, MORNING)
    await call.begin()
    return call
