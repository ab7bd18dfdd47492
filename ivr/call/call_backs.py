"""Call backs of one process: those that it is to make, and those that it takes over from one that died."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ivr.call.agent_offer import AgentOffer
from ivr.call.callback_call import CallBackCall, Reached
from ivr.call.registry import CallServices
from ivr.errors import IvrError
from ivr.ports import Line, Offer

log = structlog.get_logger(__name__)


class CallBacks:
    """Those of this process, each in a task of its own. ``deliver``: what is offered of messages, which nobody
    dials; ``drains``: whether this line begins no calls now, and leaves them to others, or to its next start."""

    def __init__(
        self,
        services: CallServices,
        line: Line,
        deliver: Callable[[Offer], Awaitable[None]],
        drains: Callable[[], bool] = lambda: False,
    ) -> None:
        self._drains = drains
        self._services = services
        self._line = line
        self._deliver = deliver
        self._inherited: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Never ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                async for offer in self._line.callbacks():
                    tasks.create_task(self._make(offer), name=f"call back {offer.place.id}")
        finally:
            for task in tuple(self._inherited):
                task.cancel()
            await asyncio.gather(*self._inherited, return_exceptions=True)

    async def _make(self, offer: Offer) -> None:
        try:
            if offer.place.arrival.channel == "message":
                await self._deliver(offer)
            elif self._drains():  # paired just before the others heard of it
                await self._line.released(offer, "withdrawn")
            else:
                await self._call_back(offer)
        except IvrError as error:
            log.error("callback.failed", place=offer.place.id, error=str(error))
        except Exception:
            log.exception("callback.crashed", place=offer.place.id)

    async def _call_back(self, offer: Offer) -> None:
        agents = AgentOffer(self._services, self._line)
        if (taken := await agents.taken(offer)) is None:
            return
        ring, agent = taken
        call = CallBackCall(offer, ring, agent, self._services, self._line, agents)
        dialling = False
        try:
            dialling = await self._line.dialling(call.offer)
        finally:
            if not dialling:
                log.info("callback.withdrawn", place=offer.place.id)
                await agent.let_go("the call back is not wanted any more")
        if dialling:
            await call.run()

    def go_on(self, offer: Offer, reached: Reached) -> None:
        """A member whom a process that died had reached."""
        task = asyncio.create_task(self._gone_on_with(offer, reached), name=f"call back {offer.place.id}")
        self._inherited.add(task)
        task.add_done_callback(self._inherited.discard)

    async def _gone_on_with(self, offer: Offer, reached: Reached) -> None:
        agents = AgentOffer(self._services, self._line)
        try:
            ring = await agents.ring_of(offer)
            await CallBackCall(offer, ring, None, self._services, self._line, agents, reached).run()
        except Exception:
            log.exception("callback.crashed", place=offer.place.id)

    def take_back(self, offer: Offer) -> None:
        """A process died before the member was there: they are called anew, once, and no attempt is counted."""
        log.warning("callback.taken_back", place=offer.place.id, agent=offer.agent)
        task = asyncio.create_task(self._released(offer), name=f"call back {offer.place.id}")
        self._inherited.add(task)
        task.add_done_callback(self._inherited.discard)

    async def _released(self, offer: Offer) -> None:
        try:
            await self._line.released(offer, "withdrawn")
        except IvrError as error:
            log.error("line.untold", place=offer.place.id, error=str(error))
