"""Scoring of announcements: they are written down beside the calls, with what then was true, and read after a start."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from ivr.desk.announcements import WaitAnnouncements
from ivr.desk.estimate import BUCKETS, KEPT_HANDLES, KEPT_RATIOS, SENTENCES
from ivr.errors import StoreUnavailable
from ivr.ports import Announced, AnnouncementLog, Clock

TRUTHS = BUCKETS * len(SENTENCES) * KEPT_RATIOS
MOST_KEPT = 10_000  # while the database is away
AGAIN_S = 1.0

log = structlog.get_logger(__name__)


class Scoring:
    """Between ``WaitAnnouncements`` (``keep``, ``ask``) and the log. ``handle_times``: seconds of the last
    conversations with their wrap-up, oldest first; raises StoreUnavailable."""

    def __init__(self, kept: AnnouncementLog, handle_times: Callable[[int], Awaitable[Sequence[float]]]) -> None:
        self._log = kept
        self._handle_times = handle_times
        self._new: deque[Announced] = deque(maxlen=MOST_KEPT)
        self._asked: set[int] = set()
        self._woken = asyncio.Event()

    def keep(self, announced: Announced) -> None:
        self._new.append(announced)
        self._woken.set()

    def ask(self, place_id: int) -> None:
        self._asked.add(place_id)
        self._woken.set()

    async def run(self, estimator: WaitAnnouncements, clock: Clock) -> None:
        """Beside the calls, until cancelled. While the database is away everything waits."""
        await self._until_it_answers(lambda: self._warm_up(estimator), clock)
        while True:
            await self._woken.wait()
            self._woken.clear()
            await self._until_it_answers(lambda: self._exchange(estimator), clock)

    async def _warm_up(self, estimator: WaitAnnouncements) -> None:
        truths, handles = await self._log.truths(TRUTHS), await self._handle_times(KEPT_HANDLES)
        estimator.warm_up(truths, handles)
        log.info("estimate.warm", truths=len(truths), handle_times=len(handles))

    async def _exchange(self, estimator: WaitAnnouncements) -> None:
        made, asked = list(self._new), list(self._asked)
        if made:
            await self._log.keep(made)
            for _ in made:
                self._new.popleft()
        if asked:
            estimator.adopt(await self._log.told(asked))
            self._asked.difference_update(asked)

    async def _until_it_answers(self, work: Callable[[], Awaitable[None]], clock: Clock) -> None:
        while True:
            try:
                return await work()
            except StoreUnavailable as error:
                log.debug("estimate.unwritten", error=str(error), waiting=len(self._new))
                await clock.sleep(AGAIN_S)
