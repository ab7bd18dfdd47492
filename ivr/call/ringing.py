"""Ringing agents' phones for a caller who is on the line: whom the line offers them to, or whom the desk names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from ivr.call.blind_transfer import BlindTransfer
from ivr.call.comfort import Comfort
from ivr.call.registry import CallServices
from ivr.errors import CallEnded, DialFailed, MediaUnavailable, StoreUnavailable, TransferFailed
from ivr.phones.participant import Participant, or_let_go
from ivr.phones.sip_phone import SipPhone
from ivr.ports import (
    Arrival,
    Destination,
    HandoffContext,
    Leg,
    MediaLeg,
    Moment,
    Offer,
    Place,
    Rang,
    Release,
    Ring,
)

log = structlog.get_logger(__name__)

Picked = tuple[Leg, MediaLeg]
RingPhone = Callable[[Ring, Callable[[], None] | None], Awaitable[Picked]]

_DECLINED: tuple[int, ...] = (603, 486)
_UNANSWERED: tuple[int, ...] = (480, 408, 487)


def _released(status: int) -> Release:
    return "declined" if status in _DECLINED else "no_answer" if status in _UNANSWERED else "unreachable"


class Ringing:
    """For one caller, of one phone after another. ``tell``: who observes the call."""

    def __init__(
        self,
        call_id: str,
        services: CallServices,
        blind: BlindTransfer,
        tell: Callable[[Moment], None] = lambda what: None,
    ) -> None:
        self._call_id = call_id
        self._tell = tell
        self._services = services
        self._blind = blind
        self.on_ringing: Callable[[], None] = lambda: None  # a telephone rings for the caller

    async def answering(
        self, offer: Offer, context: HandoffContext, url: str, comfort: Comfort, *, rings: bool
    ) -> Participant | Destination | None:
        """Whoever takes the offer, their leg not joined yet, or where a REFER takes the caller; None where nobody does:
        the line knows why. ``rings``: the caller hears their phone ring, in place of music."""
        line, rules = self._services.line, self._services.waiting()
        destination = self._configured(offer.agent, context)
        mode = destination.mode if destination is not None else "console"
        log.info("handoff.trying", destination=offer.agent, mode=mode, reason=context.reason, place=offer.place.id)
        why: Release = "unreachable"
        try:
            if destination is not None and destination.mode == "refer":
                await self._blind.transfer(destination.target, self._services.desk.headers(context, url), comfort)
                return destination
            async with asyncio.timeout(rules.offer_s):
                agent = await self._rung(self.ring_of(offer, context, url), self._rings(comfort if rings else None))
            if await or_let_go(agent, self._taken(offer)):
                return agent
            log.info("handoff.too_late", agent=offer.agent)
            await agent.let_go("somebody else has the caller")
            return None
        except (DialFailed, TransferFailed) as error:
            why = _released(error.status)
            log.warning("handoff.unanswered", destination=offer.agent, status=error.status, why=error.reason)
        except TimeoutError:
            why = "no_answer"
        except MediaUnavailable as error:
            log.error("handoff.failed", destination=offer.agent, error=str(error))
        except CallEnded as ended:
            if ended.by == "caller":
                raise
            why = "lost"
            log.warning("handoff.lost", destination=offer.agent, by=ended.by, why=ended.reason)
        await comfort.hush()
        await line.released(offer, why)
        return None

    def _rings(self, comfort: Comfort | None) -> Callable[[], None]:
        def ringing() -> None:
            self.on_ringing()
            if comfort is not None:
                comfort.ringing()

        return ringing

    async def _taken(self, offer: Offer) -> bool:
        """Whether the caller is theirs now. An agent who is on the phone is not sent away because the database is."""
        try:
            return await self._services.line.answered(offer)
        except StoreUnavailable as error:
            log.error("line.untold", what="answered", error=str(error))
            return True

    def _configured(self, agent: str, context: HandoffContext) -> Destination | None:
        """The phone that the configuration has for this agent."""
        destinations = self._services.desk.destinations(context.skill, self._services.clock.now())
        return next((each for each in destinations if each.name == agent), None)

    async def _rung(self, ring: Ring, on_ringing: Callable[[], None] | None) -> Participant:
        """Raises DialFailed, MediaUnavailable."""
        phone, tied = self._services.phone_for(ring.offer)
        if phone is None or not phone.reachable():
            raise DialFailed(480, "no phone can be rung here")
        leg, media = await self._observed(phone.ring, ring, on_ringing)
        return Participant(leg, media, may_mute=True, tied=tied)

    async def _observed(self, dial: RingPhone, ring: Ring, on_ringing: Callable[[], None] | None) -> Picked:
        clock = self._services.clock
        began = clock.monotonic()
        picked_up: list[float] = []
        result = "withdrawn"
        try:
            picked = await dial(replace(ring, on_answer=lambda: picked_up.append(clock.monotonic())), on_ringing)
            result = "answered"
            return picked
        except DialFailed as error:
            result = _released(error.status)
            raise
        except MediaUnavailable:
            result = "unreachable"
            raise
        finally:
            now = clock.monotonic()
            up = picked_up[0] if picked_up else now
            self._tell(Rang(ring.offer.agent, result, up - began, now - up))

    async def dialled(
        self, to: Destination, context: HandoffContext, url: str, on_ringing: Callable[[], None] | None
    ) -> Participant:
        """A phone of the configuration, in no line. Raises DialFailed, MediaUnavailable."""
        services = self._services
        ring = self.nowhere(to.name, context, url, to.ring_timeout_s)
        leg, media = await self._observed(SipPhone(to.name, to.target, services.switchboard).ring, ring, on_ringing)
        return Participant(leg, media, may_mute=True)

    def nowhere(self, agent: str, context: HandoffContext, url: str = "", rings_s: float = 0.0) -> Ring:
        """Of a place in no line."""
        now = self._services.clock.now()
        place = Place(0, Arrival("", self._call_id, context.skill, context.priority), now, "talking")
        return Ring(Offer(place, agent, now), context, url, self._services.desk.headers(context, url), rings_s)

    def ring_of(self, offer: Offer, context: HandoffContext, url: str) -> Ring:
        headers = self._services.desk.headers(context, url)
        configured, longest = self._configured(offer.agent, context), self._services.waiting().offer_s
        rings_s = longest if configured is None else min(configured.ring_timeout_s, longest)
        return Ring(offer, context, url, headers, rings_s)
