"""Promised call backs that the line doesn't know yet: made while it could not be reached, taken into it afterwards.

What was promised is on disk (``ivr.ports.Callbacks``), and closed there once the place stands in the line: one that is
told to the line twice is the same person's one place.
"""

from __future__ import annotations

import structlog

from ivr.errors import StoreUnavailable
from ivr.ports import Arrival, Callback, Callbacks, Clock, Line

log = structlog.get_logger(__name__)

LOOK_S = 5.0
REASON = "call back"
USUAL_PRIORITY = 5


class PromisedCallbacks:
    """``run`` beside the calls."""

    def __init__(self, callbacks: Callbacks, line: Line, clock: Clock) -> None:
        self._callbacks = callbacks
        self._line = line
        self._clock = clock

    async def run(self) -> None:
        while True:
            try:
                await self.take_over()
            except StoreUnavailable as error:
                log.debug("callbacks.kept", error=str(error))
            await self._clock.sleep(LOOK_S)

    async def take_over(self) -> int:
        """How many stand in the line now. Raises StoreUnavailable; those that do are closed."""
        waiting = await self._callbacks.waiting()
        for each in waiting:
            await self._line.ask_call_back(_arrival(each), each.number)
            await self._callbacks.close(each.id)
            log.info("callback.in_line", callback=each.id, skill=each.skill)
        return len(waiting)


def _arrival(promised: Callback) -> Arrival:
    person = f"member:{promised.caller_id}" if promised.caller_id else f"tel:{promised.number}"
    return Arrival(
        person=person,
        call_id=promised.call_id,
        skill=promised.skill,
        priority=USUAL_PRIORITY,
        reason=REASON,
        said=promised.wanted,
        name=promised.name,
        number=promised.number,
        member=promised.caller_id,
    )
