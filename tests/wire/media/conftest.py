"""A media process a test, on ports of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

import pytest

from ivr.events import MediaEvent
from ivr.media.description import PCMU, Codec
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg
from tests.wire.media.far_end import FarEnd

E = TypeVar("E", bound=MediaEvent)

# Of this test process alone: a port that is free while a media process dies would be another's at once, whose legs then
# hear our far ends; all of them are at one address. Lines (20000 and up) are elsewhere.
_SHARE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
PORTS = (10000 + 1000 * _SHARE, 10999 + 1000 * _SHARE)


class Log:
    """The events of a leg, read as they come."""

    def __init__(self, leg: ProcessMediaLeg) -> None:
        self.all: list[MediaEvent] = []
        self._fresh = asyncio.Event()
        self.task = asyncio.create_task(self._read(leg))

    async def _read(self, leg: ProcessMediaLeg) -> None:
        async for event in leg.events():
            self.all.append(event)
            self._fresh.set()

    async def first(self, kind: type[E], count: int = 1, *, within: float = 30.0) -> list[E]:
        """The first ``count`` events of ``kind``."""
        async with asyncio.timeout(within):
            while len(self.of(kind)) < count:
                self._fresh.clear()
                await self._fresh.wait()
        return self.of(kind)[:count]

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.all if isinstance(event, kind)]

    async def ended(self, *, within: float = 30.0) -> None:
        async with asyncio.timeout(within):
            await self.task


@pytest.fixture
async def engine() -> AsyncIterator[ProcessMediaEngine]:
    running = ProcessMediaEngine("127.0.0.1", PORTS, timeout_s=0.5)
    await running.start()
    yield running
    await running.stop()


class Line:
    """A leg, its far end, and its events."""

    def __init__(self, leg: ProcessMediaLeg, far: FarEnd) -> None:
        self.leg = leg
        self.far = far
        self.log = Log(leg)


class Connect(Protocol):
    """Opens a leg to a new far end."""

    async def __call__(self, codec: Codec = ..., *, events: int | None = ...) -> Line: ...


@pytest.fixture
async def connect(engine: ProcessMediaEngine) -> AsyncIterator[Connect]:
    lines: list[Line] = []

    async def make(codec: Codec = PCMU, *, events: int | None = 101) -> Line:
        far = await FarEnd.at_loopback(codec)
        leg = await engine.open(f"leg-{len(lines)}", far.description(events=events))
        far.aim(leg.local)
        lines.append(Line(leg, far))
        return lines[-1]

    yield make
    for line in lines:
        await line.leg.close()
        await line.log.ended()
        line.far.close()
