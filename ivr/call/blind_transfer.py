"""Blind transfer: a REFER sends the caller's leg elsewhere (RFC 3515); a NOTIFY tells how that went."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from ivr.call.comfort import Comfort
from ivr.errors import TransferFailed
from ivr.events import TransferProgress
from ivr.ports import Leg

log = structlog.get_logger(__name__)

REFER_TIMEOUT_S = 40.0


class BlindTransfer:
    """Of one leg, to one target after another until one takes it."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._progress: asyncio.Queue[TransferProgress] = asyncio.Queue()

    def progress(self, event: TransferProgress) -> None:
        """A NOTIFY arrived on the leg."""
        self._progress.put_nowait(event)

    async def transfer(self, target: str, headers: Mapping[str, str], comfort: Comfort) -> None:
        """Returns when the target has the call. Raises TransferFailed, or TimeoutError after REFER_TIMEOUT_S."""
        self._progress = asyncio.Queue()  # a late NOTIFY of the target before says nothing about this one
        async with asyncio.timeout(REFER_TIMEOUT_S):
            await self._leg.refer(target, headers)
            while (progress := await self._progress.get()).status < 200:
                log.info("handoff.progress", status=progress.status)
                if progress.status in (180, 183):
                    comfort.ringing()
        if progress.status >= 300:
            raise TransferFailed(progress.status, progress.reason)
