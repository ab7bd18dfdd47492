"""Drain: no new calls, while those in progress may end by themselves; what was asked for may be taken back."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from ivr.errors import UnavailableError
from ivr.ports import SipEndpoint
from ivr.readiness import Life, Lifecycle

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Calls(Protocol):
    """Those in progress; ``drained`` returns once there is none."""

    def __len__(self) -> int: ...
    async def drained(self) -> None: ...


class Drain:
    """Of one line. ``final``: the process ends with it; nothing takes that back."""

    def __init__(self, lifecycle: Lifecycle, endpoint: SipEndpoint, calls: Calls) -> None:
        self.final = False
        self._lifecycle = lifecycle
        self._endpoint = endpoint
        self._calls = calls

    @property
    def state(self) -> str:
        """ "serving", "draining" or another stage of the line's life."""
        return self._lifecycle.life.value

    @property
    def calls(self) -> int:
        """How many are in progress."""
        return len(self._calls)

    def begin(self, by: str, retry_after_s: int) -> None:
        """New calls get 503 with Retry-After until ``undo``. Begun twice it is the same drain."""
        if self._lifecycle.life is not Life.SERVING:
            return
        self._lifecycle.reach(Life.DRAINING)
        self._endpoint.refuse_new_calls(503, retry_after_s)
        log.info("service.draining", calls=self.calls, by=by)

    def undo(self, by: str) -> None:
        """New calls are taken again. Raises UnavailableError where the line ends."""
        if self.final:
            raise UnavailableError("the line is stopping, which nobody takes back", remedy="start it again")
        if self._lifecycle.life is not Life.DRAINING:
            return
        self._lifecycle.resume()
        self._endpoint.take_new_calls()
        log.info("service.drain_undone", calls=self.calls, by=by)

    async def finish(self, seconds: float) -> None:
        """The last one: returns when no call is left, after ``seconds`` at most."""
        self.final = True
        self._lifecycle.reach(Life.DRAINING)
        log.info("service.draining", calls=self.calls, seconds=seconds)
        self._endpoint.refuse_new_calls(503, int(seconds))
        try:
            async with asyncio.timeout(seconds):
                await self._calls.drained()
        except TimeoutError:
            log.warning("service.drain_incomplete", calls=self.calls)
