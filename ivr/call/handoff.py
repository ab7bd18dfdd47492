"""The hand-over: from "a human is wanted" to a human, or to why there is none; it never lets go of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Literal

import structlog

from ivr.call.blind_transfer import BlindTransfer
from ivr.call.comfort import Comfort
from ivr.call.journal import Recorder
from ivr.call.registry import CallServices
from ivr.call.ringing import Ringing
from ivr.call.waiting import LEAVE_S, WaitingPlace
from ivr.dialogue.engine.contract import AgentComing, Connect, DialogueEvent
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import (
    CallEnded,
    DialFailed,
    IvrError,
    MediaUnavailable,
    StoreUnavailable,
    TransferFailed,
)
from ivr.events import TransferProgress
from ivr.phones.bridge import Bridge
from ivr.phones.participant import Participant, first_of
from ivr.ports import BridgeEnd, Destination, HandoffContext, Offer, Ring
from ivr.record import HandedOver

log = structlog.get_logger(__name__)

CONTEXT_TIMEOUT_S = 1.0

NotConnected = Literal["closed", "failed", "dropped", "machine"]
"""Nobody is on duty; nobody answered, or something broke; the agent's line broke and the caller is ours again; the
agent gave the caller back to the dialogue."""

PATIENCE_S = 45.0  # of a hand-over that does not wait: then the flow says what else there is
OVERFLOW = "overflow"

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
        self._ringing = Ringing(call_id, services, self._blind)
        self._wanted_at: float | None = None
        self._trying = False
        self._keep = ""  # of the place, when the caller leaves it
        self.token = ""  # of the story, as a human gets it
        self._agent_coming: Callable[[int], None] = lambda token: None
        clock, rules = services.clock, services.waiting
        self.place = WaitingPlace(call_id, services.line, clock, rules, lambda told: None, _quietly)
        self.context: HandoffContext | None = None
        self.with_agent = False
        self.seconds_to_human: float | None = None

    def progress(self, event: TransferProgress) -> None:
        """A NOTIFY arrived on the caller's leg."""
        self._blind.progress(event)

    def attend(self, tell: Callable[[DialogueEvent], None], quiet: Callable[[], bool]) -> None:
        """Who hears where the caller stands (``tell``), and whether that may be said now."""
        self._agent_coming = lambda token: tell(AgentComing(token))
        self.place.attend(tell, quiet)

    def leaving(self, keep: str) -> None:
        """The caller is about to leave the line: what becomes of their place once ``run`` is cancelled."""
        self._keep = keep

    async def run(self, connect: Connect, paused: Pause, still_trying: Callable[[], bool] = _quietly) -> NotConnected:
        """Tries the desk's destinations in turn and stays with the two until one leaves; ``paused`` surrounds that.
        ``still_trying`` is called when the caller ought to hear a word meanwhile; False: they hear one already.

        Raises CallEnded when that was the end of the call: the agent hung up after a conversation, or a REFER took
        the caller there. Whatever breaks on the way is "failed": never silence, never a dead call."""
        self._keep = ""
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
            await self._handed_over(reached[0].name, connect, _unpaused, reached[1])

    async def without_dialogue(self) -> CallEnded:
        """Something of ours broke, and nobody leads the call any more: a person does, or it ends. How it ended."""

        async def reaching() -> CallEnded:
            await self.run(Connect(0, CRASHED, GENERAL, URGENT), _unpaused)
            return CallEnded("service", "error")

        return await first_of(self._caller.left(), reaching())

    async def _run(self, connect: Connect, paused: Pause, comfort: Comfort) -> NotConnected:
        if self._wanted_at is None:
            self._wanted_at = self._services.clock.monotonic()
        context = self.context = self._context_for(connect)
        try:
            return await self._by_line(self.place, connect, context, paused, comfort)
        except StoreUnavailable as error:
            log.error("handoff.line_away", error=str(error))
        destinations = self._services.desk.destinations(context.skill, self._services.clock.now())
        if not destinations:
            log.info("handoff.closed", skill=context.skill)
            return "closed"
        return await self._in_turn(destinations, connect, context, paused, comfort)

    # -- by the line ---------------------------------------------------------------------------------------------

    async def _by_line(
        self, place: WaitingPlace, connect: Connect, context: HandoffContext, paused: Pause, comfort: Comfort
    ) -> NotConnected:
        """Until an agent has the call, or nobody is on duty any more. Raises StoreUnavailable while nobody has it."""
        services, rules = self._services, self._services.waiting()
        line = services.line
        if not line.view().fresh:
            raise StoreUnavailable("the line is away", remedy="see that the database runs")
        if not line.staffed(connect.skill):
            return await self._unstaffed(connect, context, paused, comfort)
        url = await self._stored(context)
        entered = services.clock.monotonic()
        until = rules.overflow_after_s if connect.waits and rules.overflow else None if connect.waits else PATIENCE_S
        token, number = self.token, services.number(context.caller.number) if context.caller.number else ""
        await place.enter(connect, context, token, number)
        try:
            async with comfort if not connect.waits else nullcontext():
                while True:
                    offer = await place.offered(None if until is None else entered + until)
                    if offer is None and not line.staffed(connect.skill):
                        return "failed"
                    if offer is None and not connect.waits:
                        return "failed"
                    if offer is None:
                        if (outcome := await self._overflown(place, connect, context, url, paused)) is not None:
                            return outcome
                        entered = services.clock.monotonic()
                        continue
                    agent = await self._ringing.answering(offer, context, url, comfort, rings=not connect.waits)
                    if agent is None:
                        continue
                    place.served()
                    outcome = await self._served(offer, agent, connect, context, url, paused, comfort)
                    if outcome is not None:
                        return outcome
                    entered = services.clock.monotonic()
                    connect = place.passed_on(connect)
        finally:
            await asyncio.shield(place.leave(self._keep))

    async def _unstaffed(
        self, connect: Connect, context: HandoffContext, paused: Pause, comfort: Comfort
    ) -> NotConnected:
        """Nobody of ours is there; somebody elsewhere may be, whom a REFER brings the caller to."""
        destinations = self._services.desk.destinations(context.skill, self._services.clock.now())
        elsewhere = [each for each in destinations if each.mode == "refer"]
        if elsewhere:
            return await self._in_turn(elsewhere, connect, context, paused, comfort)
        await self._stored(context)  # for who calls back, or hears a message
        log.info("handoff.closed", skill=context.skill)
        return "closed"

    async def _served(
        self,
        offer: Offer,
        agent: Participant | Destination,
        connect: Connect,
        context: HandoffContext,
        url: str,
        paused: Pause,
        comfort: Comfort,
    ) -> NotConnected | None:
        """They talk. None: the agent passed the caller on to the line again."""
        line = self._services.line
        if isinstance(agent, Destination):
            if await line.answered(offer):
                await line.finished(offer.place.id, offer.agent)
            return await self._handed_over(agent.name, connect, paused, None)
        ring = self._ringing.ring_of(offer, context, url)
        return await self._handed_over(offer.agent, connect, paused, agent, ring, comfort)

    async def _overflown(
        self, place: WaitingPlace, connect: Connect, context: HandoffContext, url: str, paused: Pause
    ) -> NotConnected | None:
        """To the outside number, for who has waited long enough for the house. None: nobody answers there either."""
        rules = self._services.waiting()
        destination = Destination(OVERFLOW, rules.overflow, "bridge", rules.offer_s)
        try:
            agent = await self._ringing.dialled(destination, context, url, None)
        except (DialFailed, MediaUnavailable, TimeoutError) as error:
            log.warning("handoff.overflow_failed", error=str(error) or "timeout")
            return None
        except CallEnded as ended:
            if ended.by == "caller":
                raise
            return None
        await place.leave("done")
        return await self._handed_over(OVERFLOW, connect, paused, agent)

    # -- by the configured destinations, in turn -----------------------------------------------------------------------

    async def _in_turn(
        self,
        destinations: Sequence[Destination],
        connect: Connect,
        context: HandoffContext,
        paused: Pause,
        comfort: Comfort,
    ) -> NotConnected:
        async with comfort:
            reached = await self._reached(destinations, context, comfort)
        if reached is None:
            return "failed"
        destination, agent = reached
        return await self._handed_over(destination.name, connect, paused, agent) or "dropped"

    async def _reached(
        self, destinations: Sequence[Destination], context: HandoffContext, comfort: Comfort
    ) -> tuple[Destination, Participant | None] | None:
        """The first who took the call, and the agent where it is bridged; None where nobody did."""
        url = await self._stored(context)
        headers = self._services.desk.headers(context, url)
        for destination in destinations:
            log.info("handoff.trying", destination=destination.name, mode=destination.mode, reason=context.reason)
            try:
                if destination.mode == "refer":
                    await self._blind.transfer(destination.target, headers, comfort)
                    return destination, None
                return destination, await self._ringing.dialled(destination, context, url, comfort.ringing)
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

    # -- a human has the call ------------------------------------------------------------------------------------

    async def _handed_over(
        self,
        to: str,
        connect: Connect,
        paused: Pause,
        agent: Participant | None,
        ring: Ring | None = None,
        comfort: Comfort | None = None,
    ) -> NotConnected | None:
        """Until one of them leaves; ``agent`` None: after a REFER the call is not here any more. ``ring``: by the line.
        None: the agent passed the caller on, and they wait again."""
        talked = False
        try:
            self._agent_coming(connect.token)
            if comfort is not None:
                await comfort.hush()
            self.with_agent = True
            if self._wanted_at is not None:
                self.seconds_to_human = round(self._services.clock.monotonic() - self._wanted_at, 3)
            also = tuple(other.reason for other in connect.also)
            self._recorder.record(HandedOver(to, connect.reason, also=also))
            if agent is None:
                raise CallEnded("service", "transferred")
            async with paused():
                await self._caller.media.stop_playing()
                log.info("handoff.connected", destination=to, agent_leg=agent.leg.id)
                talked = True
                return self._after(await self._talk(to, agent, ring))
        finally:
            if agent is not None and not talked:
                await agent.let_go("the other side left")
            if ring is not None and not talked:
                await asyncio.shield(_told(self._services.line.finished(ring.offer.place.id, ring.offer.agent)))

    def _after(self, end: BridgeEnd) -> NotConnected | None:
        if end.how == "over":
            raise CallEnded(end.by, end.reason)
        self.with_agent = False
        log.warning("handoff.returned", how=end.how, agent=end.agent, why=end.reason)
        if end.how == "line":
            return None
        return "machine" if end.how == "machine" else "dropped"

    async def _talk(self, to: str, agent: Participant, ring: Ring | None) -> BridgeEnd:
        """Two who are joined, and whoever they ask in, to the end of it; the line is told what became of the place."""
        services = self._services
        assert self.context is not None
        line = services.line if ring is not None else None
        bridge = Bridge(
            self._caller,
            agent,
            ring or self._ringing.nowhere(to, self.context),
            services.switchboard,
            services.floor,
            line,
            hang_up=services.floor.hang_up_of(to),
        )
        try:
            return await bridge.run()
        finally:
            await bridge.close()

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

    async def _stored(self, context: HandoffContext) -> str:
        """The link to the context, for INVITE or REFER; "" when the desk cannot keep it in time."""
        try:
            async with asyncio.timeout(CONTEXT_TIMEOUT_S):
                url = await self._services.desk.store_context(context)
                self.token = url.rpartition("/")[2]
                return url
        except (IvrError, TimeoutError, OSError) as error:
            log.error("handoff.context_unstored", error=str(error) or "timeout")
            return ""


async def _told(telling: Awaitable[object]) -> None:
    """A conversation ends as it ended, though the database is away."""
    try:
        async with asyncio.timeout(LEAVE_S):
            await telling
    except (IvrError, TimeoutError) as error:
        log.error("line.untold", error=str(error) or "timeout")
