"""The restoration of a participant's media: the process died or hung, the SIP dialog did not (RFC 3261 section 14)."""

from __future__ import annotations

import asyncio

import structlog

from ivr.errors import CallEnded, MediaUnavailable, ModificationRefused
from ivr.events import MediaLost, MediaRestored
from ivr.media.description import MediaDescription
from ivr.ports import Leg, MediaLeg

log = structlog.get_logger(__name__)

WITHIN_S = 25.0  # beyond, whoever is in that silence has hung up
RETRY_S = 0.25
LATELY_S = 60.0
MOST_LOSSES = 6  # lately: what kills one media process after the other must not go on for ever


class Restoration:
    """Of one leg, as often as it is needed."""

    def __init__(self, leg: Leg, media: MediaLeg) -> None:
        self._leg = leg
        self._media = media
        self._lost_at: list[float] = []
        self._telling: asyncio.Task[None] | None = None

    async def of(self, lost: MediaLost) -> MediaRestored | CallEnded:
        """Ports in the next process, then a re-INVITE that names them. Where they are the same ones, with the same
        keys, the audio goes on at once and the re-INVITE is a courtesy; else the call stands and falls with it."""
        now = asyncio.get_running_loop().time
        began = now()
        self._lost_at = [at for at in self._lost_at if began - at < LATELY_S] + [began]
        count, before = len(self._lost_at), self._media.local
        if count > MOST_LOSSES:
            return CallEnded("service", f"media lost {count} times: {lost.reason}")
        try:
            async with asyncio.timeout(WITHIN_S):
                local = await self._reopened()
                same = (local.host, local.port, local.secure) == (before.host, before.port, before.secure)
                if same:
                    await self._aim()
                    self.close()
                    self._telling = asyncio.create_task(self._tell(local))
                else:
                    await self._leg.reinvite(local)
                    await self._aim()
        except (TimeoutError, MediaUnavailable, ModificationRefused) as error:
            log.error(
                "media.unrestored", leg=self._leg.id, why=str(error) or "timeout", after_s=round(now() - began, 2)
            )
            return CallEnded("service", f"media lost: {lost.reason}; {error or 'not restored in time'}")
        except CallEnded as ended:
            return ended
        gap_s = round(now() - began, 3)
        log.warning("media.restored", leg=self._leg.id, gap_s=gap_s, count=count, same_ports=same)
        return MediaRestored(lost.leg, gap_s, count)

    async def _reopened(self) -> MediaDescription:
        while True:
            try:
                return await self._media.reopen()
            except MediaUnavailable as error:
                log.info("media.not_yet", leg=self._leg.id, why=str(error))
            await asyncio.sleep(RETRY_S)

    async def _aim(self) -> None:
        """By what the far end said last: it may have changed its mind meanwhile."""
        remote = self._leg.remote
        if remote is not None:
            try:
                await self._media.update(remote)
            except MediaUnavailable as error:  # lost again, which the next event says
                log.info("media.unaimed", leg=self._leg.id, why=str(error))

    async def _tell(self, local: MediaDescription) -> None:
        try:
            await self._leg.reinvite(local)
        except (ModificationRefused, CallEnded) as error:
            log.info("media.untold", leg=self._leg.id, why=str(error))

    def close(self) -> None:
        """Nobody waits for it any more."""
        if self._telling is not None:
            self._telling.cancel()
