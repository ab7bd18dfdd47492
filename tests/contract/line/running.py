"""A process at the line: the store, what runs beside it, and ``WaitingLine``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ivr.clock import SystemClock
from ivr.config import DeskConfig
from ivr.desk import WaitingLine
from ivr.ports import Line, LineView
from ivr.ports.line import Estimator

from .conftest import OneLine, opened


@dataclass(slots=True)
class Process:
    """``line`` is what calls see, ``desk`` the database behind it; ``views``: what the web was told to show."""

    name: str
    desk: OneLine
    waiting: WaitingLine
    live: set[str]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def line(self) -> Line:
        return self.waiting

    def kill(self) -> None:
        """It does nothing more, and says so to nobody."""
        for task in self.tasks:
            task.cancel()


@asynccontextmanager
async def process(
    url: str,
    name: str,
    config: DeskConfig | None = None,
    *,
    live: Callable[[], Collection[str]] | None = None,
    estimator: Estimator | None = None,
    on_change: Callable[[], None] = lambda: None,
) -> AsyncIterator[Process]:
    config = config or DeskConfig()
    desk, clock, calls = await opened(url, name), SystemClock(), set[str]()
    desk.line.apply(config.line)
    waiting = WaitingLine(desk.line, config, clock, live=live, estimator=estimator, on_change=on_change)
    await waiting.begin()
    made = Process(name, desk, waiting, calls)
    made.tasks = [
        asyncio.create_task(desk.store.run(clock, lambda: calls)),
        asyncio.create_task(waiting.run()),
    ]
    try:
        yield made
    finally:
        made.kill()
        await asyncio.gather(*made.tasks, return_exceptions=True)
        await desk.store.close()


async def until(line: Line, holds: Callable[[LineView], bool], seconds: float = 5.0) -> LineView:
    """What is remembered, once it is so."""
    async with asyncio.timeout(seconds):
        while not holds(line.view()):
            await SystemClock().sleep(0.01)
    return line.view()
