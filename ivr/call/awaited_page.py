"""The awaited page of an agent whose process died in a conversation: rung once it has come back, at whichever line."""

from __future__ import annotations

from dataclasses import replace

import structlog

from ivr.call.registry import CallServices
from ivr.errors import CallEnded, DialFailed, MediaUnavailable, StoreUnavailable
from ivr.phones.participant import Participant, or_let_go
from ivr.phones.sip_phone import SipPhone
from ivr.ports import Offer, Ring

log = structlog.get_logger(__name__)

BACK_S = 20.0  # the caller is kept for the agent for so long, then others may have them
PHONE_S = 3.0  # their telephone is rung where their page is back and has no phone of its own
LOOK_S = 0.1


class AwaitedPage:
    """For callers of this process."""

    def __init__(self, services: CallServices) -> None:
        self._services = services

    async def rejoined(self, ring: Ring) -> tuple[Participant, Offer] | None:
        """The agent of the ring's offer, who has the caller again, and by which offer: nobody asks them a second time.
        None where their page is not back within BACK_S, or the place is not theirs any more.

        Raises StoreUnavailable."""
        clock, offer = self._services.clock, ring.offer
        log.info("agent.awaited", agent=offer.agent, place=offer.place.id, within_s=BACK_S)
        began = clock.monotonic()
        back_at: float | None = None
        while (left_s := began + BACK_S - clock.monotonic()) > 0:
            line = self._line_of(offer)
            now = replace(offer, line=line)
            if line and back_at is None:
                back_at = clock.monotonic()
            late = back_at is not None and clock.monotonic() - back_at >= PHONE_S
            if line and (agent := await self._rung(replace(ring, offer=now), left_s, telephone=late)):
                if await or_let_go(agent, self._services.line.rejoined(offer.place.id, offer.agent)):
                    log.info("agent.rejoined", agent=offer.agent, after_s=round(clock.monotonic() - began, 2))
                    return agent, now
                await agent.let_go("somebody else has the caller")
                return None
            await clock.sleep(LOOK_S)
        log.warning("agent.not_rejoined", agent=offer.agent, place=offer.place.id, why="their page did not come back")
        return None

    def _line_of(self, offer: Offer) -> str:
        """Where their page is now; "" while it is nowhere, or at the line that died as far as anybody knows."""
        seats = self._services.line.view().agents
        return next((s.line for s in seats if s.name == offer.agent and s.line and s.line != offer.line), "")

    async def _rung(self, ring: Ring, within_s: float, *, telephone: bool) -> Participant | None:
        """None: their phone is not connected yet."""
        phone, tied = self._services.phone_for(ring.offer)
        if phone is None or (isinstance(phone, SipPhone) and not telephone) or not phone.reachable():
            return None
        try:
            leg, media = await phone.ring(replace(ring, ring_timeout_s=within_s), wanted=True)
        except (DialFailed, MediaUnavailable, CallEnded) as error:
            log.info("agent.not_yet", agent=ring.offer.agent, why=str(error))
            return None
        return Participant(leg, media, may_mute=True, tied=tied)


async def given_up(services: CallServices, offer: Offer) -> None:
    """The caller waits again, first of their priority."""
    try:
        await services.line.broken(offer.place.id, offer.agent)
    except StoreUnavailable as error:
        log.error("line.untold", what="broken", error=str(error))
