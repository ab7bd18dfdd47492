"""The hand-over: from "a human is wanted" to a human, or to why there is none; it never lets go of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Literal

import structlog

from ivr.call.blind_transfer import BlindTransfer
from ivr.call.comfort import Comfort
from ivr.call.journal import Recorder
from ivr.call.registry import CallServices
from ivr.dialogue.engine.contract import Connect
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import CallEnded, DialFailed, IvrError, MediaUnavailable, TransferFailed
from ivr.events import TransferProgress
from ivr.phones.bridge import Bridge
from ivr.phones.participant import Participant, first_of
from ivr.phones.sip_phone import SipPhone
from ivr.ports import Arrival, Destination, HandoffContext, Offer, Place, Ring
from ivr.record import HandedOver

log = structlog.get_logger(__name__)

CONTEXT_TIMEOUT_S = 1.0

NotConnected = Literal["closed", "failed", "dropped"]
"""Nobody is on duty; nobody answered, or something broke; the agent's line broke and the caller is ours again."""

Pause = Callable[[], AbstractAsyncContextManager[None]]


MEDIA_FAILED, CRASHED = "media failed", "something failed"
GENERAL, URGENT = "general", 9


def _quietly() -> bool:
    """Nobody speaks."""
    return True


def _unpaused() -> AbstractAsyncContextManager[None]:
    return nullcontext()


class Handoff:
    """One caller's way to humans, as often as one is wanted.

    ``context``: what the last of them got, None before; ``with_agent``: a human has the call, or had it when it ended;
    ``seconds_to_human``: from the first wish for one until the last was reached."""

    def __init__(
        self, call_id: str, caller: Participant, dialogue: Dialogue, recorder: Recorder, services: CallServices
    ) -> None:
        self._call_id = call_id
        self._caller = caller
        self._dialogue = dialogue
        self._recorder = recorder
        self._services = services
        self._blind = BlindTransfer(caller.leg)
        self._wanted_at: float | None = None
        self._trying = False
        self.context: HandoffContext | None = None
        self.with_agent = False
        self.seconds_to_human: float | None = None

    def progress(self, event: TransferProgress) -> None:
        """A NOTIFY arrived on the caller's leg."""
        self._blind.progress(event)

    async def run(self, connect: Connect, paused: Pause, still_trying: Callable[[], bool] = _quietly) -> NotConnected:
        """Tries the desk's destinations in turn and stays with the two until one leaves; ``paused`` surrounds that.
        ``still_trying`` is called when the caller ought to hear a word meanwhile; False: they hear one already.

        Raises CallEnded when that was the end of the call: the agent hung up after a conversation, or a REFER took
        the caller there. Whatever breaks on the way is "failed": never silence, never a dead call."""
        try:
            self._trying = True
            return await self._run(connect, paused, Comfort(self._caller.media, still_trying))
        except CallEnded:
            raise
        except Exception:
            log.exception("handoff.crashed")
            self.with_agent = False
            return "failed"
        finally:
            self._trying = False

    async def without_media(self) -> None:
        """No audio of ours any more: a REFER needs none. Raises CallEnded where somebody took the caller over."""
        if self._trying:
            return
        clock, desk = self._services.clock, self._services.desk
        connect = Connect(0, MEDIA_FAILED, GENERAL, URGENT)
        context = self._context_for(connect)
        found = [d for d in desk.destinations(GENERAL, clock.now()) if d.mode == "refer"]
        if not found:
            return
        self.context = context
        if self._wanted_at is None:
            self._wanted_at = clock.monotonic()
        comfort = Comfort(self._caller.media, _quietly)  # not entered: there is nothing to hear
        reached = await self._reached(found, context, comfort)
        if reached is not None:
            await self._handed_over(*reached, connect, _unpaused)

    async def without_dialogue(self) -> CallEnded:
        """Something of ours broke, and nobody leads the call any more: a person does, or it ends. How it ended."""

        async def reaching() -> CallEnded:
            await self.run(Connect(0, CRASHED, GENERAL, URGENT), _unpaused)
            return CallEnded("service", "error")

        return await first_of(self._caller.left(), reaching())

    async def _run(self, connect: Connect, paused: Pause, comfort: Comfort) -> NotConnected:
        clock, desk = self._services.clock, self._services.desk
        if self._wanted_at is None:
            self._wanted_at = clock.monotonic()
        context = self.context = self._context_for(connect)
        destinations = desk.destinations(context.skill, clock.now())
        if not destinations:
            log.info("handoff.closed", skill=context.skill)
            return "closed"
        async with comfort:
            reached = await self._reached(destinations, context, comfort)
        if reached is None:
            return "failed"
        return await self._handed_over(*reached, connect, paused)

    async def _reached(
        self, destinations: Sequence[Destination], context: HandoffContext, comfort: Comfort
    ) -> tuple[Destination, Bridge | None] | None:
        """The first who took the call, and the bridge to them where it is one; None where nobody did."""
        url, headers = await self._story(context)
        for destination in destinations:
            log.info("handoff.trying", destination=destination.name, mode=destination.mode, reason=context.reason)
            try:
                if destination.mode == "refer":
                    await self._blind.transfer(destination.target, headers, comfort)
                    return destination, None
                return destination, await self._bridged(destination, context, url, headers, comfort)
            except (DialFailed, TransferFailed) as error:
                log.warning("handoff.unanswered", destination=destination.name, status=error.status, why=error.reason)
            except (MediaUnavailable, TimeoutError) as error:
                log.error("handoff.failed", destination=destination.name, error=str(error) or "timeout")
            except CallEnded as ended:
                if ended.by == "caller":
                    raise
                log.warning("handoff.lost", destination=destination.name, by=ended.by, why=ended.reason)
            await comfort.hush()
        return None

    async def _handed_over(
        self, destination: Destination, bridge: Bridge | None, connect: Connect, paused: Pause
    ) -> NotConnected:
        """Until one of them leaves; ``bridge`` None: after a REFER the call is not here any more."""
        self.with_agent = True
        if self._wanted_at is not None:
            self.seconds_to_human = round(self._services.clock.monotonic() - self._wanted_at, 3)
        also = tuple(other.reason for other in connect.also)
        self._recorder.record(HandedOver(destination.name, connect.reason, also=also))
        if bridge is None:
            raise CallEnded("service", "transferred")
        try:
            async with paused():
                end = await bridge.run()
        finally:
            await bridge.close()
        if end.how == "over":
            raise CallEnded(end.by, end.reason)
        self.with_agent = False
        return "dropped"

    async def _bridged(
        self, to: Destination, context: HandoffContext, url: str, headers: Mapping[str, str], comfort: Comfort
    ) -> Bridge:
        """Raises DialFailed, MediaUnavailable."""
        services, caller, now = self._services, self._caller, self._services.clock.now()
        nowhere = Place(0, Arrival("", self._call_id, context.skill, context.priority), now, "talking")
        ring = Ring(Offer(nowhere, to.name, now), context, url, headers, to.ring_timeout_s)
        leg, media = await SipPhone(to.name, to.target, services.switchboard).ring(ring, comfort.ringing)
        agent = Participant(leg, media, may_mute=True)
        hang_up = services.floor.hang_up_of(to.name)
        bridge = Bridge(caller, agent, ring, services.switchboard, services.floor, hang_up=hang_up)
        try:
            await comfort.hush()
            await caller.media.stop_playing()
        except BaseException:
            await bridge.close()
            raise
        log.info("handoff.connected", destination=to.name, agent_leg=leg.id)
        return bridge

    def _context_for(self, connect: Connect) -> HandoffContext:
        dialogue = self._dialogue
        flow, _, state = (dialogue.left_at or self._recorder.state).partition(".")
        return HandoffContext(
            call_id=self._call_id,
            reason=connect.reason,
            skill=connect.skill,
            priority=connect.priority,
            caller=self._caller.leg.caller,
            language=dialogue.language,
            facts=dict(dialogue.facts),
            transcript=tuple(dialogue.transcript),
            tried=tuple(dialogue.tried),
            flow=flow,
            state=state,
            said=connect.said,
            also=connect.also,
        )

    async def _story(self, context: HandoffContext) -> tuple[str, Mapping[str, str]]:
        """The link to the context, "" when the desk cannot keep it in time; and what INVITE or REFER carry."""
        url = ""
        try:
            async with asyncio.timeout(CONTEXT_TIMEOUT_S):
                url = await self._services.desk.store_context(context)
        except (IvrError, TimeoutError, OSError) as error:
            log.error("handoff.context_unstored", error=str(error) or "timeout")
        return url, self._services.desk.headers(context, url)
