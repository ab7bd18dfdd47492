"""A call back that is really made: an agent takes it with its story first, then the member is dialled and joined."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeVar

import structlog

from ivr.call.agent_offer import AgentOffer, Lapsed
from ivr.call.handed_over import talked
from ivr.call.journal import Journal, Recorder
from ivr.call.registry import CallServices
from ivr.errors import CallEnded, DialFailed, IvrError, MediaUnavailable, StoreUnavailable
from ivr.logs import bind_call
from ivr.phones.bridge import Bridge
from ivr.phones.music import MusicOnHold
from ivr.phones.participant import Participant, first_of, or_let_go
from ivr.phones.tones import BUSY, RINGBACK
from ivr.ports import Accepted, Began, BridgeEnd, Joined, LegStats, Line, Offer, Over, Party, Ring
from ivr.record import HandedOver, Happening

log = structlog.get_logger(__name__)

MEMBER_RING_S = 30.0
TOLD_S = 2.0  # so long the agent hears that nobody answered

T = TypeVar("T")
Outcome = Literal["handed over", "unanswered", "withdrawn", "failed"]


class CallBackCall:
    """The call to the member, with an agent waiting for them; with a record, a journal and a last line like any other.

    Implements ``ivr.call.registry.LiveCall``."""

    def __init__(
        self, offer: Offer, ring: Ring, agent: Participant, services: CallServices, line: Line, agents: AgentOffer
    ) -> None:
        self.call_id = secrets.token_hex(8)
        self._offer = self._mine(offer)
        self._ring = ring
        self._agent = agent
        self._services = services
        self._line = line
        self._agents = agents
        self._number = offer.place.callback_number
        self._journal = Journal(services.records, self.call_id)
        leg = agent.leg.id
        self._recorder = Recorder(self.call_id, leg, self._journal, services.registry, services.clock)
        self._started_at = services.clock.now()
        self._started = services.clock.monotonic()
        self._end_wanted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._joined_after: float | None = None
        self._member: Participant | None = None
        self._waits = False  # for the next agent

    def note(self, what: Happening) -> None:
        """Something happened in the call that others know of."""
        self._recorder.record(what)

    def view(self) -> Mapping[str, Any]:
        context = self._ring.context
        return {
            "call_id": self.call_id,
            "leg": "" if self._member is None else self._member.leg.id,
            "sip_call_id": "" if self._member is None else self._member.leg.sip_call_id,
            "transport": "" if self._member is None else self._member.leg.transport,
            "caller": self._number,
            "called": self._own,
            "direction": "outbound",
            "started_at": self._started_at.isoformat(),
            "live": True,
            "state": "",
            "listening_for": "",
            "flow": "",
            "flow_version": "",
            "language": context.language,
            "slots": {},
            "facts": dict(context.facts),
            "transcript": [],
            "outcome": "dialling" if self._joined_after is None else "with agent",
            "handoff": context.to_json(),
        }

    async def end(self, reason: str) -> None:
        if not self._end_wanted.done():
            self._end_wanted.set_result(reason)

    def _mine(self, offer: Offer) -> Offer:
        """The place is this call's from now on, and no more of the call that it was promised in, which is over."""
        arrival = replace(offer.place.arrival, call_id=self.call_id)
        return replace(offer, place=replace(offer.place, arrival=arrival))

    @property
    def _own(self) -> str:
        """The number that they are called from."""
        return self._services.switchboard.caller_id.partition(":")[2].partition("@")[0]

    async def run(self) -> None:
        """Never raises but on cancellation."""
        services = self._services
        bind_call(self._recorder.fields)
        await or_let_go(self._agent, services.registry.enter(self))
        place = self._offer.place
        extra = {"direction": "outbound", "place": place.id, "call_back_of": self._ring.context.call_id}
        self._journal.begin(self._number, self._own, self._started_at, extra)
        self._recorder.tell(Began("", self._number, self._own, services.switchboard.destinations.trunk, "outbound"))
        log.info("call.start", caller=self._number, called=self._own, direction="outbound", attempt=place.attempts + 1)
        outcome: Outcome
        outcome, ended, stats = "failed", CallEnded("service", "error"), LegStats()
        try:
            outcome, ended = await first_of(self._made(), self._stopped())
            if self._joined_after is None and outcome == "withdrawn":
                await self._told(self._line.released(self._offer, "lost"), None)
            elif self._waits:
                await self._told(self._line.leave(place.id, "away"), None)
        except asyncio.CancelledError:
            outcome, ended = self._cut_off("the service stops")
            raise
        except Exception:
            log.exception("call.crashed")
        finally:
            await self._agent.let_go(ended.reason)
            if self._member is not None:
                stats = await self._member.let_go(ended.reason)
            await self._finish(outcome, ended, stats)
            await services.registry.leave(self)
            bind_call(None)

    async def _stopped(self) -> tuple[Outcome, CallEnded]:
        return self._cut_off(await self._end_wanted)

    def _cut_off(self, why: str) -> tuple[Outcome, CallEnded]:
        return "handed over" if self._joined_after is not None else "withdrawn", CallEnded("service", why)

    async def _made(self) -> tuple[Outcome, CallEnded]:
        offer, line = self._offer, self._line
        try:
            reached = await self._reached()
        except (DialFailed, MediaUnavailable, CallEnded) as error:
            state = await self._told(line.undialled(offer), "callback")
            log.info("callback.unanswered", place=offer.place.id, attempt=offer.place.attempts + 1, why=str(error))
            if state == "given_up":
                log.warning("callback.given_up", place=offer.place.id, attempts=offer.place.attempts + 1)
            await self._regret()
            return "unanswered", CallEnded("network", str(error))
        if isinstance(reached, Lapsed):
            return "withdrawn", CallEnded("service", "the member is on the line already")
        if isinstance(reached, CallEnded):
            return "withdrawn", reached
        self._member = reached
        self._joined_after = round(self._services.clock.monotonic() - self._started, 3)
        self._recorder.tell(Accepted(reached.leg.sip_call_id))
        self._recorder.record(HandedOver(offer.agent, self._ring.context.reason))
        log.info("callback.joined", place=offer.place.id, agent=offer.agent, after_s=self._joined_after)
        ended = await first_of(self._talking(offer), _hung_up(reached))
        return "handed over", ended

    async def _reached(self) -> Participant | Lapsed | CallEnded:
        """The member; or the offer is none any more; or the agent left before. The agent hears it ring."""
        switchboard = self._services.switchboard
        target = switchboard.destinations.member(self._number)
        ringback = MusicOnHold(self._agent.media, [RINGBACK])

        async def dialled() -> Participant:
            return await switchboard.dial(
                f"callback-{self.call_id}",
                target,
                Party(self._own, "", switchboard.caller_id),
                headers={},
                ring_timeout_s=MEMBER_RING_S,
                on_ringing=ringback.start,
                call=self._ring.context.call_id,
            )

        works: list[Coroutine[Any, Any, Participant | Lapsed | CallEnded]] = [
            dialled(), self._agents.lapsed(self._offer), self._agent.left(),
        ]  # fmt: skip
        reached: Participant | Lapsed | CallEnded | None = None
        try:
            reached = await first_of(*works)
        finally:
            await (or_let_go(reached, ringback.stop()) if isinstance(reached, Participant) else ringback.stop())
        return reached

    async def _regret(self) -> None:
        """The agent hears that nobody answered."""
        try:
            busy = MusicOnHold(self._agent.media, [BUSY])
            busy.start()
            await asyncio.sleep(TOLD_S)
            await busy.stop()
        except MediaUnavailable:
            return

    async def _talking(self, offer: Offer) -> CallEnded:
        """With one agent after another, until it is over."""
        member, ring, agent = self._member, self._ring, self._agent
        assert member is not None
        await self._told(self._line.answered(offer), True)
        while True:
            end = await self._bridged(member, agent, ring)
            if end.how == "over":
                return CallEnded(end.by, end.reason)
            music = MusicOnHold(member.media, self._services.switchboard.music)
            music.start()
            self._waits = True
            ring, agent = await self._next()
            self._waits = False
            await or_let_go(agent, music.stop())

    async def _next(self) -> tuple[Ring, Participant]:
        """Whoever takes the member next, from their old place in the line: they wait in it with this call."""
        place = self._offer.place
        now = next((each for each in self._line.view().places if each.id == place.id), place)
        arrival = replace(now.arrival, call_id=self.call_id)  # for whom the agent said, where they passed it on
        place = await self._told(self._line.enter(arrival), place)
        while True:
            offer = self._mine(await self._line.offered(place.id))
            if (taken := await self._agents.taken(offer)) is None:
                continue
            if await or_let_go(taken[1], self._told(self._line.answered(offer), True)):
                self._recorder.record(HandedOver(offer.agent, self._ring.context.reason))
                return taken
            await taken[1].let_go("the offer had run out")

    async def _bridged(self, member: Participant, agent: Participant, ring: Ring) -> BridgeEnd:
        services = self._services
        hang_up = services.floor.hang_up_of(ring.offer.agent)
        bridge = Bridge(
            member, agent, ring, services.switchboard, services.floor, self._line, hang_up=hang_up, machine=False
        )
        joined = Joined(ring.offer.agent, ring.context.skill, agent.leg.sip_call_id, self._joined_after)
        return await talked(bridge, joined, self._recorder.tell, services.clock)

    async def _told(self, telling: Awaitable[T], unknown: T) -> T:
        """A call does not end because the database is away."""
        try:
            return await telling
        except StoreUnavailable as error:
            log.error("line.untold", place=self._offer.place.id, error=str(error))
            return unknown

    async def _finish(self, outcome: str, ended: CallEnded, stats: LegStats) -> None:
        clock = self._services.clock
        canonical = {
            "seconds": round(clock.monotonic() - self._started, 2),
            "direction": "outbound",
            "transport": "" if self._member is None else self._member.leg.transport,
            "answered": self._joined_after is not None,
            "outcome": outcome,
            "ended_by": ended.by,
            "end_reason": ended.reason,
            "language": self._ring.context.language,
            "handoff_reason": self._ring.context.reason,
            "seconds_to_human": self._joined_after,
            "attempt": self._offer.place.attempts + 1,
            "journal_lost": self._journal.lost,
            "codec": stats.codec,
            "encryption": stats.encryption,
            "agent_encryption": self._agent.encryption,
            "packets_sent": stats.packets_sent,
            "packets_received": stats.packets_received,
            "packets_lost": stats.packets_lost,
            "jitter_ms": stats.jitter_ms,
        }
        status = 200 if self._joined_after is not None else 480
        self._recorder.tell(Over(outcome, ended.by, status, canonical, stats, self._ring.context.facts))
        await self._journal.finish(outcome, clock.now(), canonical)
        log.info(
            "call.end", caller=self._number, called=self._own, started_at=self._started_at.isoformat(), **canonical
        )


class CallBacks:
    """Those of this process, each in a task of its own. ``deliver``: what is offered of messages, which nobody
    dials."""

    def __init__(self, services: CallServices, line: Line, deliver: Callable[[Offer], Awaitable[None]]) -> None:
        self._services = services
        self._line = line
        self._deliver = deliver

    async def run(self) -> None:
        """Never ends."""
        async with asyncio.TaskGroup() as tasks:
            async for offer in self._line.callbacks():
                tasks.create_task(self._make(offer), name=f"call back {offer.place.id}")

    async def _make(self, offer: Offer) -> None:
        try:
            if offer.place.arrival.channel == "message":
                await self._deliver(offer)
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
        dialling = False
        try:
            dialling = await self._line.dialling(offer)
        finally:
            if not dialling:
                log.info("callback.withdrawn", place=offer.place.id)
                await agent.let_go("the call back is not wanted any more")
        if dialling:
            await CallBackCall(offer, ring, agent, self._services, self._line, agents).run()


async def _hung_up(member: Participant) -> CallEnded:
    """The far end of a call of ours is an agent to its leg; this one is the caller."""
    ended = await member.left()
    return CallEnded("caller" if ended.by == "agent" else ended.by, ended.reason)
