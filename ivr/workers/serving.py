"""The worker's side of the socket, for workers that run an asyncio loop: pings answered, log lines sent to the line."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from ivr.workers.frames import REQUEST, Life, refusal
from ivr.workers.link import Link


class Work(Protocol):
    """What the worker is for."""

    def received(self, kind: int, number: int, body: bytes) -> None:
        """One frame: SETUP first, then those of its protocol."""
        ...

    async def run(self) -> None:
        """What it does of its own accord, until it is cancelled."""
        ...

    def close(self) -> None:
        """The line is gone."""
        ...


class Line:
    """The line, as its worker sees it. To be used on the loop only."""

    def __init__(self, link: Link) -> None:
        self.send = link.send

    def reply(self, asking: int, body: bytes) -> None:
        """Answer the request of that number."""
        self.send(Life.REPLY, 0, REQUEST.pack(asking) + body)

    def refuse(self, asking: int, error: BaseException) -> None:
        """The request of that number fails with ``error``."""
        self.send(Life.REFUSED, 0, REQUEST.pack(asking) + refusal(error))


async def serve(end: socket.socket, make: Callable[[Line], Work]) -> None:
    """Work until the line closes the socket, which owns the log."""

    def received(kind: int, number: int, body: bytes) -> None:
        if kind == Life.PING:
            link.send(Life.PONG)
        else:
            work.received(kind, number, body)

    link = Link(received)
    _log_over(link, asyncio.get_running_loop())
    work = make(Line(link))
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
