"""The pool of media processes, seen from the line as one engine: legs are placed, and brought together, among them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Coroutine, Sequence
from functools import partial
from typing import Any

import structlog

from ivr.errors import MediaUnavailable
from ivr.media.browser_sdp import read_offer
from ivr.media.clip import Clip
from ivr.media.description import MediaDescription, NoCommonCodec, callers_served, port_shares
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg
from ivr.media.load import MediaLoad
from ivr.media.placement import Here, Place, meeting, order
from ivr.sealing import Confidential
from ivr.workers.process import Worker

_SETTLED_S = 3.0
_TOLD_S = 60.0  # a line of the log for all callers who were refused since the last one
_REMEDY = "more media.processes (a core each), media.legs_per_process as you measured it, or fewer sip.max_calls"

_log = structlog.get_logger(__name__)


class MediaPool:
    """Implements ``ivr.ports.MediaEngine``. ``processes``: how many; each has a share of ``port_range`` and at most
    ``legs_per_process`` legs, half of which are kept for those whom callers are joined with. The rest is
    ``ProcessMediaEngine``'s.

    A process that dies takes the audio of its own legs only, until its next life."""

    def __init__(
        self,
        hosts: str | Sequence[str],
        port_range: tuple[int, int],
        codecs: Sequence[str] = ("PCMU", "PCMA", "G722"),
        timeout_s: float = 30.0,
        *,
        processes: int = 1,
        legs_per_process: int = 200,
        advertise: Sequence[str] = (),
        browser_addresses: Sequence[str] = (),
    ) -> None:
        self._engine_of = partial(
            ProcessMediaEngine,
            hosts,
            codecs=codecs,
            timeout_s=timeout_s,
            advertise=advertise,
            browser_addresses=browser_addresses,
            gather=self.together,
        )
        self._port_range = port_range
        self._cap = legs_per_process
        self._numbers = itertools.count(1)  # of legs and clips, of all processes
        self._left: list[ProcessMediaEngine] = []  # take no new legs, and end with their last one
        self._changes: set[asyncio.Task[None]] = set()
        self._started = False
        self._refused, self._told_at = 0, -_TOLD_S  # callers for whom nothing was left, and when the log said so
        self._refusal = ""
        self._wanted: tuple[int, int] | None = None  # by a reload while they start
        shares = port_shares(*port_range, processes)
        self._engines = [self._engine(number, share) for number, share in enumerate(shares, 1)]

    def _engine(self, number: int, share: tuple[int, int]) -> ProcessMediaEngine:
        return self._engine_of(port_range=share, number=number, numbers=self._numbers)

    # --- its life --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises MediaUnavailable where one of them can't be started; none runs then."""
        try:
            async with asyncio.TaskGroup() as starting:
                for engine in self._engines:
                    starting.create_task(engine.start())
        except* MediaUnavailable as group:
            await self.stop()
            raise group.exceptions[0] from None
        self._started = True
        if self._wanted is not None:
            self.apply(*self._wanted)

    async def stop(self) -> None:
        """End the processes; legs still open get MediaLost."""
        for change in self._changes:
            change.cancel()
        await asyncio.gather(*self._changes, return_exceptions=True)
        await asyncio.gather(*(engine.stop() for engine in self.engines))

    def apply(self, processes: int, legs_per_process: int) -> None:
        """From now on there are so many. Those that are one too many end with their last leg."""
        if not self._started:
            self._wanted = processes, legs_per_process
            return
        self._cap = legs_per_process
        if processes == len(self._engines):
            return
        shares = port_shares(*self._port_range, processes)
        used = {engine.number for engine in self.engines}
        free = (number for number in itertools.count(1) if number not in used)
        kept, gone = self._engines[:processes], self._engines[processes:]
        new = [self._engine(next(free), share) for share in shares[len(kept) :]]
        for engine, share in zip(kept, shares, strict=False):
            engine.share(*share)
        self._engines = [*kept, *new]
        self._left += gone
        _log.info("media.processes", processes=processes, ending=len(gone))
        for work in (*(engine.start() for engine in new), *(self._end(engine) for engine in gone)):
            self._beside(work)

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        change = asyncio.create_task(work, name="media processes")
        self._changes.add(change)
        change.add_done_callback(self._changed)
        return change

    def _changed(self, change: asyncio.Task[None]) -> None:
        self._changes.discard(change)
        if not change.cancelled() and (error := change.exception()) is not None:
            _log.error("media.change_failed", error=str(error))

    async def _end(self, engine: ProcessMediaEngine) -> None:
        await engine.emptied()
        await engine.stop()
        self._left.remove(engine)

    @property
    def engines(self) -> Sequence[ProcessMediaEngine]:
        """Those that are to go last."""
        return (*self._engines, *self._left)

    @property
    def workers(self) -> list[Worker]:
        return [engine.worker for engine in self.engines]

    @property
    def pids(self) -> list[int | None]:
        """In the order of their numbers, None for one between two lives."""
        return [engine.pid for engine in self._engines]

    def healthy(self) -> bool:
        """Whether one of them serves now, and has answered lately."""
        return any(engine.healthy() for engine in self._engines)

    def loads(self) -> list[MediaLoad]:
        """Of each."""
        return [engine.load for engine in self.engines]

    def refusal(self) -> str:
        """Why the last leg that was asked for could not be opened; "" where it was."""
        return self._refusal

    # --- its legs --------------------------------------------------------------------------------------------

    async def open(
        self,
        leg: str,
        remote: MediaDescription | None,
        *,
        caller: bool = True,
        call: str = "",
        kept: Confidential | None = None,
    ) -> ProcessMediaLeg:
        """See ``ivr.ports.MediaEngine``. A process that can't is followed by the next that may."""
        places = [Place(len(each.legs), each.healthy(), each.legs_of(call or leg)) for each in self._engines]
        engines = [self._engines[number] for number in order(places, self._cap)]
        if caller and sum(each.callers for each in self._engines) >= self._callers:
            raise self._told(MediaUnavailable("no leg is left but those kept for the agents", remedy=_REMEDY))
        failure = MediaUnavailable(f"each media process has its {self._cap} legs", remedy=_REMEDY)
        for engine in engines:
            try:
                opened = await engine.open(leg, remote, caller=caller, call=call, kept=kept)
            except NoCommonCodec:
                raise
            except MediaUnavailable as error:
                failure = error
            else:
                self._refusal = ""
                return opened
        raise self._told(failure)

    def _told(self, why: MediaUnavailable) -> MediaUnavailable:
        """A caller gets 503, and an agent none: whoever runs the line has to know, though every part of it works."""
        now = asyncio.get_running_loop().time()
        self._refusal = str(why)
        self._refused += 1
        if now - self._told_at >= _TOLD_S:
            _log.warning("media.refused", error=str(why), legs=self._refused)
            self._refused, self._told_at = 0, now
        return why

    @property
    def _callers(self) -> int:
        return callers_served(self._cap * len(self._engines))

    async def open_browser(self, leg: str, offer: str) -> tuple[ProcessMediaLeg, str]:
        """See ``ivr.ports.MediaEngine``."""
        browser = read_offer(offer)
        opened = await self.open(leg, browser.remote, caller=False)
        return opened, opened.answer(browser)

    async def preload(self, clips: Sequence[Clip]) -> None:
        """Ship clips ahead of their first use."""
        for engine in self._engines:
            await engine.preload(clips)

    async def together(self, legs: Collection[ProcessMediaLeg]) -> None:
        """All of a conversation into one process, which they take their ports along to. Raises MediaUnavailable where
        their keys are not agreed on in time."""
        while len({leg.commands for leg in legs if not leg.closed}) > 1:
            await self._gathered([leg for leg in legs if not leg.closed])

    async def _gathered(self, legs: Collection[ProcessMediaLeg]) -> None:
        """Raises MediaUnavailable."""
        engines = self.engines
        by_engine = [[leg for leg in legs if leg.commands is engine] for engine in engines]
        if sum(map(len, by_engine)) < len(legs):
            raise TypeError("only legs of one media engine can hear each other")
        heres = [
            _here(engine, those, ending=engine in self._left)
            for engine, those in zip(engines, by_engine, strict=True)
        ]  # fmt: skip
        chosen = meeting(heres, self._cap)
        if chosen is None:
            await _settled(next(leg for leg in legs if not leg.movable))
            return
        to = engines[chosen]
        for leg in legs:
            if leg.commands is not to:
                await asyncio.shield(self._beside(leg.move(to)))  # half moved is lost, whoever hangs up meanwhile
                _log.info("media.moved", leg=leg.name, process=to.number)


async def _settled(leg: ProcessMediaLeg) -> None:
    try:
        async with asyncio.timeout(_SETTLED_S):
            await leg.settled()
    except TimeoutError as error:
        raise MediaUnavailable(f"the keys of {leg.name} are not agreed on yet") from error


def _here(engine: ProcessMediaEngine, legs: Sequence[ProcessMediaLeg], *, ending: bool) -> Here:
    fixed = sum(not leg.movable for leg in legs)
    return Here(len(engine.legs), engine.healthy(), len(legs), fixed, sum(leg.browser for leg in legs), ending)
