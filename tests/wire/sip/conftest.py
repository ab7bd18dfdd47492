"""A user agent on a free port, with a small call engine behind it that answers like the service does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ivr.config import SipConfig
from ivr.errors import CallEnded
from ivr.events import LegEnded, TransferProgress
from ivr.media.description import PCMU, MediaDescription
from ivr.ports import Leg, LegEvent
from ivr.sip import agent
from ivr.sip.agent import SipUserAgent

SCENARIOS = Path(__file__).parent / "scenarios"
LOCAL = MediaDescription("127.0.0.1", 17_000, (PCMU,), 101)


@dataclass(slots=True)
class Line:
    """The agent under test and every call it took; ``engine`` says what to do with a call."""

    agent: SipUserAgent
    engine: Callable[[Leg], Awaitable[None]]
    legs: list[Leg] = field(default_factory=list)
    events: dict[str, list[LegEvent]] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def target(self) -> str:
        return str(self.agent.address)

    def take(self, leg: Leg) -> None:
        self.legs.append(leg)
        self.tasks.append(asyncio.create_task(self._run(leg)))
        self.tasks.append(asyncio.create_task(self._notify()))

    async def _run(self, leg: Leg) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.listen(leg))
            with contextlib.suppress(CallEnded):
                await self.engine(leg)

    async def listen(self, leg: Leg) -> None:
        seen = self.events.setdefault(leg.id, [])
        async for event in leg.events():
            seen.append(event)
            await self._notify()

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for calls and events to make ``true`` so."""
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(true)

    async def finished(self) -> None:
        """Every call ended, and its engine with it; an engine's exception is raised here."""
        async with asyncio.timeout(30):
            await asyncio.gather(*self.tasks)

    def kinds(self, index: int = 0) -> list[str]:
        return [type(event).__name__ for event in self.events[self.legs[index].id]]

    def ended(self) -> bool:
        return "LegEnded" in self.kinds()

    def progress(self) -> list[TransferProgress]:
        return [e for events in self.events.values() for e in events if isinstance(e, TransferProgress)]

    def ending(self, index: int = 0) -> LegEnded:
        last = self.events[self.legs[index].id][-1]
        assert isinstance(last, LegEnded)
        return last


async def answering(leg: Leg) -> None:
    await leg.ring()
    await leg.answer(LOCAL)


Start = Callable[..., Awaitable[Line]]


@pytest.fixture
def short_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where callers acknowledge and end nothing: an agent that stops would wait for them as long as it may."""
    monkeypatch.setattr(agent, "STOP_TIMEOUT_S", 0.5)


@pytest.fixture
async def line() -> AsyncIterator[Start]:
    """``await line(engine, trunks=[…], …)`` starts an agent; all are stopped at the end."""
    started: list[Line] = []

    async def start(engine: Callable[[Leg], Awaitable[None]] = answering, **settings: Any) -> Line:
        settings.setdefault("trunks", [{"name": "loopback", "allow": ["127.0.0.1"]}])
        config = SipConfig.model_validate({"listen": "127.0.0.1:0", **settings})
        made = Line(SipUserAgent(config), engine)
        await made.agent.start(made.take)
        started.append(made)
        return made

    yield start
    for made in started:
        await made.agent.stop()
        for task in made.tasks:
            task.cancel()
