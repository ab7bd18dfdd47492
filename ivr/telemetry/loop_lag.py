"""Loop lag: how late the event loop wakes up, which is how late everything of every call is at that moment."""

from __future__ import annotations

import asyncio

from ivr.telemetry.families import Families

EVERY_S = 0.25
LATE = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)


class LoopLag:
    def __init__(self, families: Families) -> None:
        self._late = families.histogram("ivr_loop_lag_seconds", "How late the event loop woke up.", buckets=LATE)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self._late.add(max(0.0, loop.time() - due))
