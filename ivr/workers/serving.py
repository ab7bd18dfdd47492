"""The worker's side of the socket, for workers that run an asyncio loop: pings answered, log lines sent to the line."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from ivr.workers.frames import Life
from ivr.workers.link import Link


class Work(Protocol):
    """What the worker is for. ``received`` gets SETUP first, ``run`` is cancelled and ``close`` called at the end."""

    def received(self, kind: int, number: int, body: bytes) -> None: ...
    async def run(self) -> None: ...
    def close(self) -> None: ...


async def serve(end: socket.socket, make: Callable[[Link], Work]) -> None:
    """Work until the line, which owns the log, closes the socket."""

    def received(kind: int, number: int, body: bytes) -> None:
        if kind == Life.PING:
            link.send(Life.PONG)
        else:
            work.received(kind, number, body)

    link = Link(received)
    _log_over(link, asyncio.get_running_loop())
    work = make(link)
    await link.take(end)
    try:
        async with asyncio.TaskGroup() as tasks:
            beat = tasks.create_task(work.run())
            await link.ended
            beat.cancel()
    finally:
        work.close()


def _log_over(link: Link, loop: asyncio.AbstractEventLoop) -> None:
    def ship(_: object, method: str, event: Any) -> str:
        body = json.dumps([method, {k: str(v) for k, v in event.items()}]).encode()
        loop.call_soon_threadsafe(link.send, Life.LOG, 0, body)
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, ship])
