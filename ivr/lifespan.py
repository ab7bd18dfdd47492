"""Lifespan: what lives as long as a service, started in order and stopped the other way round."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import structlog

from ivr.errors import IvrError

log = structlog.get_logger(__name__)


class Lifespan(AsyncExitStack):
    """A part that cannot be stopped is a log line, and the parts before it are stopped all the same. ``died``: which
    that run beside the calls did, by a fault of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.died: list[str] = []

    def ends(self, stop: Callable[[], Awaitable[object]]) -> None:
        """``stop`` is for what is there already."""
        self.push_async_callback(_stopped, stop)

    async def begin(self, start: Awaitable[object], stop: Callable[[], Awaitable[object]]) -> None:
        """``stop`` also mends what a failed ``start`` left behind."""
        self.ends(stop)
        await start

    def beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """What runs beside the calls never ends by itself; the line goes on without it, but somebody must know."""

        def tell_of_death(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.died.append(name)
                log.error("service.part_died", part=name, exc_info=error, remedy="restart the line, and tell us")

        async def cancel() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        task = asyncio.create_task(work, name=name)
        task.add_done_callback(tell_of_death)
        self.push_async_callback(cancel)


async def _stopped(stop: Callable[[], Awaitable[object]]) -> None:
    try:
        await stop()
    except (IvrError, OSError) as error:
        log.error("service.stop_failed", error=str(error))
