"""The hand-over: from "a human is wanted" to a human, or to why there is none; it never lets go of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from typing import Any

import structlog

from ivr.call.awaited_page import AwaitedPage, given_up
from ivr.call.blind_transfer import BlindTransfer
from ivr.call.call_story import CallStory
from ivr.call.comfort import Comfort
from ivr.call.handed_over import LOST, HandedOverCall, NotConnected, Pause, Rejoined
from ivr.call.journal import Recorder
from ivr.call.registry import CallServices
from ivr.call.ringing import Ringing
from ivr.call.waiting import WaitingPlace
from ivr.dialogue.engine.contract import AgentComing, Connect, DialogueEvent
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import (
    CallEnded,
    DialFailed,
    MediaUnavailable,
    StoreUnavailable,
    TransferFailed,
)
from ivr.events import TransferProgress
from ivr.phones.participant import Participant, first_of, or_let_go
from ivr.ports import Destination, HandoffContext, HumanWanted, Offer, Unreached, Waited

log = structlog.get_logger(__name__)

PATIENCE_S = 45.0  # of a hand-over that does not wait: then the flow says what else there is
AWAY_S = 60.0  # how long a caller who waits does so for the line itself, while the database is away
ANEW_S = 1.0  # then it is asked again
OVERFLOW = "overflow"

MEDIA_FAILED, CRASHED = "media failed", "something failed"
GENERAL, URGENT = "general", 9


def _quietly() -> bool:
    """Nobody speaks."""
    return True


def _unpaused() -> AbstractAsyncContextManager[None]:
    return nullcontext()


class Handoff:
    """One caller's way to humans, as often as one is wanted.

    ``context``: what the last of them got, None before; ``story``: where that comes from; ``call``: how it is while a
    human has it."""

    def __init__(
        self, call_id: str, caller: Participant, dialogue: Dialogue, recorder: Recorder, services: CallServices
    ) -> None:
        self._caller = caller
        self._services = services
        self._blind = BlindTransfer(caller.leg)
        self._ringing = Ringing(call_id, services, self._blind, recorder.tell)
        self._tell = recorder.tell
        self.story = CallStory(call_id, caller.leg.caller, dialogue, recorder, services.desk)
        self.call = HandedOverCall(caller, recorder, services, self._ringing)
        self._trying = False
        self._keep = ""  # of the place, when the caller leaves it
        clock, rules = services.clock, services.waiting
        self.place = WaitingPlace(
            call_id, services.line, clock, rules, lambda told: None, _quietly, lambda s: recorder.tell(Waited(s))
        )
        self.context: HandoffContext | None = None
        self._agent: Rejoined | None = None
        self._page = AwaitedPage(services)

    def rejoin(self, agent: Rejoined, seconds_to_human: float | None) -> None:
        """The conversation that the caller was in, in a process that died, goes on with what ``run`` is asked next."""
        self._agent = agent
        self.call.rejoined(agent, seconds_to_human)

    def watch(self, changed: Callable[[], None]) -> None:
        """``changed``: another telephone rings for the caller, or another agent has them, or nobody any more."""
        self._ringing.on_ringing = self.call.on_change = changed

    def progress(self, event: TransferProgress) -> None:
        """A NOTIFY arrived on the caller's leg."""
        self._blind.progress(event)

    def attend(self, tell: Callable[[DialogueEvent], None], quiet: Callable[[], bool]) -> None:
        """Who hears where the caller stands (``tell``), and whether that may be said now."""
        self.call.coming = lambda token: tell(AgentComing(token))
        self.place.attend(tell, quiet)

    def unattended(self) -> None:
        """Nobody does any more."""
        self.call.coming = lambda token: None
        self.place.attend(lambda told: None, _quietly)

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
            outcome = await self._run(connect, paused, Comfort(self._caller.media, still_trying))
        except CallEnded:
            raise
        except Exception:
            log.exception("handoff.crashed")
            self.call.with_agent = False
            outcome = "failed"
        finally:
            self._trying = False
        if outcome in ("closed", "failed"):
            self._tell(Unreached(connect.skill, outcome))
        return outcome

    async def without_media(self) -> None:
        """No audio of ours any more: a REFER needs none. Raises CallEnded where somebody took the caller over."""
        if self._trying:
            return
        clock, desk = self._services.clock, self._services.desk
        connect = Connect(0, MEDIA_FAILED, GENERAL, URGENT)
        context = self.story.told(connect)
        found = [d for d in desk.destinations(GENERAL, clock.now()) if d.mode == "refer"]
        if not found:
            return
        self.context = context
        self.call.wanted()
        comfort = Comfort(self._caller.media, _quietly)  # not entered: there is nothing to hear
        reached = await self._reached(found, context, comfort)
        if reached is not None:
            await self.call.run(reached[0].name, connect, context, _unpaused, reached[1])

    async def without_dialogue(self) -> CallEnded:
        """Something of ours broke, and nobody leads the call any more: a person does, or it ends. How it ended."""

        async def reaching() -> CallEnded:
            await self.run(Connect(0, CRASHED, GENERAL, URGENT), _unpaused)
            return CallEnded("service", "error")

        return await first_of(self._caller.left(), reaching())

    async def _run(self, connect: Connect, paused: Pause, comfort: Comfort) -> NotConnected:
        self.call.wanted()
        context = self.context = self.story.told(connect)
        if self._agent is None:
            self._tell(HumanWanted(context.reason, context.skill))
        if (agent := self._agent) is not None and not agent.offer.place.id:
            self._agent = None
            return await self.call.run(agent.offer.agent, connect, context, paused, agent.participant)
        clock = self._services.clock
        until = clock.monotonic() + (AWAY_S if connect.waits else PATIENCE_S)
        while True:
            try:
                return await self._by_line(self.place, connect, context, paused, comfort)
            except StoreUnavailable as error:
                log.error("handoff.line_away", error=str(error))
            outcome = await self._without_line(connect, context, paused, comfort)
            if outcome not in ("closed", "failed"):
                return outcome
            if not self._consoles():
                if outcome == "closed":
                    log.info("handoff.closed", skill=context.skill)
                return outcome
            if not await self._line_back(until - clock.monotonic(), connect, comfort):
                return "failed"

    def _consoles(self) -> bool:
        """Whether anybody was on duty at a console, whom only the line reaches, when that was last seen."""
        return any(agent.line and agent.state != "away" for agent in self._services.line.view().agents)

    async def _line_back(self, within_s: float, connect: Connect, comfort: Comfort) -> bool:
        """The caller waits for it, and doesn't hear that nobody is there."""
        try:
            async with asyncio.timeout(max(0.0, within_s)), comfort if not connect.waits else nullcontext():
                await asyncio.sleep(ANEW_S)
                await self._services.line.seen()
        except TimeoutError:
            return False
        return True

    async def _without_line(
        self, connect: Connect, context: HandoffContext, paused: Pause, comfort: Comfort
    ) -> NotConnected:
        """By the configured destinations, which anybody reaches."""
        destinations = list(self._services.desk.destinations(context.skill, self._services.clock.now()))
        if connect.waits and self._services.waiting().overflow:
            destinations.append(self._outside())
        if not destinations:
            return "closed"
        return await self._in_turn(destinations, connect, context, paused, comfort)

    # -- by the line ---------------------------------------------------------------------------------------------

    async def _by_line(
        self, place: WaitingPlace, connect: Connect, context: HandoffContext, paused: Pause, comfort: Comfort
    ) -> NotConnected:
        """Until an agent has the call, or nobody is on duty any more. Raises StoreUnavailable while nobody has it."""
        services, rules = self._services, self._services.waiting()
        line, rejoined = services.line, self._agent
        self._agent = None
        if not line.view().fresh and rejoined is None:
            raise StoreUnavailable("the line is away", remedy="see that the database runs")
        overflows = connect.waits and bool(rules.overflow)
        if rejoined is None and not line.staffed(connect.skill) and not overflows:
            return await self._unstaffed(connect, context, paused, comfort)
        stored = self.story.stored(context)
        there = rejoined.participant if rejoined is not None else None
        url = await (stored if there is None else or_let_go(there, stored))
        entered = services.clock.monotonic()
        until = rules.overflow_after_s if overflows else None if connect.waits else PATIENCE_S
        token, number = self.story.token, services.number(context.caller.number) if context.caller.number else ""
        if rejoined is None:
            await place.enter(connect, context, token, number)
        else:
            place.rejoined(rejoined.offer.place, connect)
        try:
            async with comfort if not connect.waits else nullcontext():
                if rejoined is not None:
                    outcome = await self._rejoined(rejoined, connect, context, url, paused, comfort)
                    if outcome is not None:
                        return outcome
                    connect = place.passed_on(connect)
                while True:
                    offer = await place.offered(None if until is None else entered + until)
                    if offer is None and overflows:
                        overflown = await self._overflown(place, connect, context, url, paused)
                        entered = services.clock.monotonic()
                        if overflown is not None and not isinstance(overflown, Offer):
                            return overflown
                        offer = overflown
                    if offer is None and not line.staffed(connect.skill):
                        log.info("handoff.closed", skill=connect.skill)
                        return "closed"  # nobody is left in a line that nobody serves
                    if offer is None and overflows:
                        continue
                    if offer is None:
                        return "failed"
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
        await self.story.stored(context)  # for who calls back, or hears a message
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
            return await self.call.run(agent.name, connect, context, paused, None)
        ring = self._ringing.ring_of(offer, context, url)
        outcome = await self.call.by_line(offer.agent, connect, context, paused, agent, ring, comfort)
        if outcome != LOST:
            return outcome
        comfort.speak()
        return await self._rejoined(self.call.lost, connect, context, url, paused, comfort)

    async def _rejoined(
        self, before: Rejoined, connect: Connect, context: HandoffContext, url: str, paused: Pause, comfort: Comfort
    ) -> NotConnected | None:
        """They talk again with whom they had; None: they wait again, first of all, or were passed on."""
        offer = before.offer
        agent = before.participant
        if agent is None:
            self.place.kept_for_agent()
            back = await self._page.rejoined(self._ringing.ring_of(offer, context, url))
            if back is None:
                self.call.not_rejoined()
                await given_up(self._services, offer)
                return None
            agent, offer = back
            self.place.served()
        return await self._served(offer, agent, connect, context, url, paused, comfort)

    async def _overflown(
        self, place: WaitingPlace, connect: Connect, context: HandoffContext, url: str, paused: Pause
    ) -> NotConnected | Offer | None:
        """To the outside number, for who has waited long enough for the house, or where nobody of it is there any more.
        None: nobody answers there either. An agent of the house who is free meanwhile is offered them at once, and
        nobody outside is rung any more."""
        assert place.place is not None
        reaching: list[Coroutine[Any, Any, Participant | Offer]] = [
            self._ringing.dialled(self._outside(), context, url, None), self._services.line.offered(place.place.id),
        ]  # fmt: skip
        try:
            agent = await first_of(*reaching)
        except (DialFailed, MediaUnavailable, TimeoutError) as error:
            log.warning("handoff.overflow_failed", error=str(error) or "timeout")
            return None
        except CallEnded as ended:
            if ended.by == "caller":
                raise
            return None
        if isinstance(agent, Offer):
            log.info("handoff.overflow_withdrawn", agent=agent.agent)
            return agent
        await or_let_go(agent, place.leave("done"))
        return await self.call.run(OVERFLOW, connect, context, paused, agent)

    def _outside(self) -> Destination:
        rules = self._services.waiting()
        return Destination(OVERFLOW, rules.overflow, "bridge", rules.offer_s)

    # -- by the configured destinations, in turn -----------------------------------------------------------------------

    async def _in_turn(
        self,
        destinations: Sequence[Destination],
        connect: Connect,
        context: HandoffContext,
        paused: Pause,
        comfort: Comfort,
    ) -> NotConnected:
        async with AsyncExitStack() as comforted:
            await comforted.enter_async_context(comfort)
            reached = await self._reached(destinations, context, comfort)
            if reached is None:
                return "failed"
            destination, agent = reached
            if agent is not None:
                await or_let_go(agent, comforted.aclose())
        return await self.call.run(destination.name, connect, context, paused, agent)

    async def _reached(
        self, destinations: Sequence[Destination], context: HandoffContext, comfort: Comfort
    ) -> tuple[Destination, Participant | None] | None:
        """The first who took the call, and the agent where it is bridged; None where nobody did."""
        url = await self.story.stored(context)
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
