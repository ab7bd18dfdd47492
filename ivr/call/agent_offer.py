"""An offer made good without a caller on the line: an agent's phone rings with the story of a call back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from ivr.call.registry import CallServices
from ivr.errors import DialFailed, IvrError, MediaUnavailable
from ivr.events import CALLER_ID, CALLER_NAME
from ivr.phones.participant import Participant, first_of
from ivr.ports import HandoffContext, Leg, Line, MediaLeg, Offer, Party, Release, Ring
from ivr.record import Utterance

log = structlog.get_logger(__name__)

CONTEXT_TIMEOUT_S = 1.0
RELEASES: Mapping[int, Release] = {603: "declined", 486: "declined", 408: "no_answer"}


@dataclass(frozen=True, slots=True)
class Lapsed:
    """The offer stands no more."""


Rung = tuple[Leg, MediaLeg] | Lapsed


class AgentOffer:
    """Of one place, to one agent after another."""

    def __init__(self, services: CallServices, line: Line) -> None:
        self._services = services
        self._line = line

    async def taken(self, offer: Offer) -> tuple[Ring, Participant] | None:
        """The agent who took it, and with what; None where nobody did: the line knows. Raises StoreUnavailable."""
        ring = await self.ring_of(offer)
        agent = await self._taken(offer, ring)
        return None if agent is None else (ring, agent)

    async def lapsed(self, offer: Offer) -> Lapsed:
        """Waits until the offer stands no more: the member is on the line by themselves, or nobody wants it."""
        await self._line.lapsed(offer)
        return Lapsed()

    async def _taken(self, offer: Offer, ring: Ring) -> Participant | None:
        """The agent who took it; None where nobody did: the line knows."""
        phone, tied = self._services.phone_for(offer)
        why: Release = "unreachable"
        if phone is not None and phone.reachable():
            try:
                rung: Rung = await first_of(phone.ring(ring), self.lapsed(offer))
                if not isinstance(rung, Lapsed):
                    leg, media = rung
                    return Participant(leg, media, may_mute=True, tied=tied)
                log.info("callback.withdrawn", place=offer.place.id)
                return None
            except DialFailed as error:
                why = RELEASES.get(error.status, "unreachable")
                log.info("callback.unaccepted", place=offer.place.id, status=error.status, why=error.reason)
            except MediaUnavailable as error:
                log.error("callback.failed", place=offer.place.id, error=str(error))
        await self._line.released(offer, why)
        return None

    async def ring_of(self, offer: Offer) -> Ring:
        """With the whole story, as far as it is still kept."""
        services, place, began = self._services, offer.place, self._services.clock.monotonic()
        token = place.arrival.context
        context: HandoffContext | None = None
        if token:
            try:
                async with asyncio.timeout(CONTEXT_TIMEOUT_S):
                    kept = await services.desk.context(token)
                context = None if kept is None else HandoffContext.from_json(kept)
            except (IvrError, TimeoutError) as error:
                log.warning("callback.story_unread", place=place.id, error=str(error) or "timeout")
        url = services.desk.url_of(token) if context is not None else ""
        context = context or context_of(offer)
        ring_s = max(1.0, offer.lease_s - (services.clock.monotonic() - began))
        return Ring(offer, context, url, services.desk.headers(context, url), ring_s)


def context_of(offer: Offer) -> HandoffContext:
    """What the place alone tells of its caller."""
    arrival = offer.place.arrival
    facts = {name: value for name, value in ((CALLER_ID, arrival.member), (CALLER_NAME, arrival.name)) if value}
    said = (Utterance("heard", arrival.said),) if arrival.said else ()
    return HandoffContext(
        arrival.call_id, arrival.reason, arrival.skill, arrival.priority, Party(arrival.number, arrival.name),
        arrival.language, facts, said, said=arrival.said,
    )  # fmt: skip
