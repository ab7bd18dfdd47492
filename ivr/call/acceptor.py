"""The acceptor of calls: a session, in a task of its own, for every leg that comes in."""

from __future__ import annotations

import asyncio
import secrets

from ivr.call.registry import CallServices
from ivr.call.session import CallSession, Open
from ivr.ports import Leg

STOP_CALLS_S = 3.0


class Acceptor:
    """A session, in a task of its own, for every leg that comes in."""

    def __init__(self, services: CallServices, opening: Open) -> None:
        self._services = services
        self._opening = opening
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, leg: Leg) -> None:
        self.begin(CallSession(secrets.token_hex(8), leg, self._services, self._opening))

    def begin(self, session: CallSession) -> None:
        task = asyncio.create_task(session.run(), name=f"call {session.call_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Every call ends by itself within STOP_CALLS_S, or is cancelled."""
        for call in self._services.registry:
            await call.end("the service stops")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_CALLS_S)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
