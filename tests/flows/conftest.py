from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

from ivr.workshop.simulate.room import ScratchRoom
from tests.flows.line import Line, called

Begin = Callable[..., Awaitable[Line]]


@pytest.fixture(scope="session")
def room() -> Iterator[ScratchRoom]:
    """The demonstration data, for all tests: each call begins on it anew."""
    opened = ScratchRoom()
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
def begin(room: ScratchRoom) -> Begin:
    """Begins a call of the script given, on a scratch copy of the demonstration database."""

    async def call(script: Mapping[str, Any], at: datetime, answers: Mapping[str, str] | None = None) -> Line:
        return await called(room, script, at, answers)

    return call
