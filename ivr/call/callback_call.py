"""A call back that is really made: an agent takes it with its story first, then the member is dialled and joined."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import structlog

from ivr.call.agent_offer import AgentOffer, Lapsed
from ivr.call.awaited_page import AwaitedPage, given_up
from ivr.call.callback_record import CallBackRecord
from ivr.call.handed_over import Rejoin, Rejoined, talked
from ivr.call.live_dialog import LiveDialog
from ivr.call.registry import CallServices
from ivr.errors import CallEnded, DialFailed, MediaUnavailable, ModificationRefused, StoreUnavailable
from ivr.logs import bind_call
from ivr.phones.bridge import Bridge
from ivr.phones.music import MusicOnHold
from ivr.phones.participant import Participant, first_of, or_let_go
from ivr.phones.rejoining import KeptTalk, kept_agent, kept_offer
from ivr.phones.tones import BUSY, RINGBACK
from ivr.ports import BridgeEnd, Joined, Leg, LegStats, Line, Offer, Orphan, Party, Ring
from ivr.record import Happening

log = structlog.get_logger(__name__)

MEMBER_RING_S = 30.0
TOLD_S = 2.0  # so long the agent hears that nobody answered

T = TypeVar("T")
Outcome = Literal["handed over", "unanswered", "withdrawn", "failed"]


@dataclass(frozen=True, slots=True)
class Reached:
    """A call back whose process died: ``member`` had answered. ``since``: when it was claimed, monotonic; ``rejoin``:
    the agent who had them; ``joined_after``: how long after its beginning that was, in seconds."""

    orphan: Orphan
    since: float
    member: Leg
    rejoin: Rejoin
    joined_after: float | None = None


class CallBackCall:
    """The call to the member, with an agent waiting for them; with a record, a journal and a last line like any other.

    Implements ``ivr.call.registry.LiveCall``. ``agent``: who waits for it; None where another process had ``reached``
    the member. ``offer``: of the place, which is this call's."""

    def __init__(
        self,
        offer: Offer,
        ring: Ring,
        agent: Participant | None,
        services: CallServices,
        line: Line,
        agents: AgentOffer,
        reached: Reached | None = None,
    ) -> None:
        self.call_id = secrets.token_hex(8) if reached is None else reached.orphan.call_id
        self._before = reached
        self.offer = self._mine(offer)
        self._ring = ring
        self._agent = agent
        self._services = services
        self._line = line
        self._agents = agents
        orphan = None if reached is None else reached.orphan
        self._record = CallBackRecord(self.call_id, services, self.offer, ring.context, agent, orphan)
        kept = None if orphan is None else orphan.snapshot
        self._dialog = LiveDialog(self.call_id, services.dialogs, services.clock, kept)
        self._dialog.rest = self._rest
        self._bridge: Bridge | None = None
        self._awaited: Rejoined | None = None  # the agent whose page is to come back
        self._taken = False  # by another process
        self._end_wanted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._member: Participant | None = None
        self._waits = False  # for the next agent

    def leave(self) -> None:
        """Another process took it over, since this one had not been heard of: here it ends without a word."""
        self._taken = True
        self._dialog.leave()
        if self._bridge is not None:
            self._bridge.leave()
        for party in (self._member, self._agent):
            if party is not None:
                party.leg.leave()

    def _rest(self) -> Mapping[str, Any] | None:
        """What another process needs to go on with it: beside the member's leg the agent, and what was promised."""
        agent: Mapping[str, Any] | None = None
        if self._bridge is not None:
            agent = self._bridge.kept()
        elif (awaited := self._awaited) is not None:
            agent = {"leg": None, "offer": kept_offer(awaited.offer), "tied": False, "talk": awaited.talk.to_json()}
        elif self._agent is not None and not self._waits:
            agent = kept_agent(self._agent, self.offer, KeptTalk())
        return {
            "call_back": {"offer": kept_offer(self.offer), "agent": agent, "joined_after": self._record.joined_after},
            "ringing": list(self._services.switchboard.endpoint.ringing(self.call_id)),
        }

    def note(self, what: Happening) -> None:
        """Something happened in the call that others know of."""
        self._record.recorder.record(what)

    def view(self) -> Mapping[str, Any]:
        return self._record.view(self._member)

    async def end(self, reason: str) -> None:
        if not self._end_wanted.done():
            self._end_wanted.set_result(reason)

    def _mine(self, offer: Offer) -> Offer:
        """The place is this call's from now on, and no more of the call that it was promised in, which is over."""
        arrival = replace(offer.place.arrival, call_id=self.call_id)
        return replace(offer, place=replace(offer.place, arrival=arrival))

    async def run(self) -> None:
        """Never raises but on cancellation."""
        services = self._services
        bind_call(self._record.recorder.fields)
        entered = services.registry.enter(self)
        await (entered if self._agent is None else or_let_go(self._agent, entered))
        self._record.begin()
        outcome: Outcome
        outcome, ended, stats = "failed", CallEnded("service", "error"), LegStats()
        following = asyncio.create_task(self._dialog.follow(), name=f"dialog {self.call_id}")
        try:
            outcome, ended = await first_of(self._made(), self._stopped())
            if self._record.joined_after is None and outcome == "withdrawn":
                await self._told(self._line.released(self.offer, "lost"), None)
            elif self._waits:
                await self._told(self._line.leave(self.offer.place.id, "away"), None)
        except asyncio.CancelledError:
            outcome, ended = self._cut_off("the service stops")
            raise
        except Exception:
            log.exception("call.crashed")
        finally:
            following.cancel()
            if self._agent is not None:
                await self._agent.let_go(ended.reason)
            if self._member is not None:
                stats = await self._member.let_go(ended.reason)
            if self._taken:
                self._record.taken_away()
            else:
                self._dialog.over()
                await self._record.finish(outcome, ended, stats, self._member, self._agent)
            await services.registry.leave(self)
            bind_call(None)

    async def _stopped(self) -> tuple[Outcome, CallEnded]:
        return self._cut_off(await self._end_wanted)

    def _cut_off(self, why: str) -> tuple[Outcome, CallEnded]:
        return "handed over" if self._record.joined_after is not None else "withdrawn", CallEnded("service", why)

    async def _made(self) -> tuple[Outcome, CallEnded]:
        offer, line = self.offer, self._line
        if self._before is not None:
            return "handed over", await self._gone_on_with(self._before)
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
        self._record.answered()
        await self._dialog.begin(reached)
        self._record.joined(reached.leg.sip_call_id)
        assert self._agent is not None
        ended = await first_of(self._talking(offer, self._agent), _hung_up(reached))
        return "handed over", ended

    async def _gone_on_with(self, before: Reached) -> CallEnded:
        """The member is on the line, and hears music until their agent is there again, or the next one."""
        services, orphan = self._services, before.orphan
        keys = orphan.snapshot["caller"].get("media")
        media = await services.media.open(self.call_id, before.member.remote, caller=False, kept=keys)
        member = self._member = Participant(before.member, media, may_mute=True)
        self._record.joined_after = before.joined_after
        await self._dialog.begin(member)
        try:
            await member.aim(await member.leg.reinvite(media.local))
        except ModificationRefused as error:
            return CallEnded("network", f"not taken over: {error}")
        except CallEnded as ended:
            return ended
        gap_s = round(orphan.silent_s + services.clock.monotonic() - before.since, 2)
        self._record.taken_over(orphan, gap_s)
        return await first_of(self._talking_again(before.rejoin), _hung_up(member))

    async def _talking_again(self, rejoin: Rejoin) -> CallEnded:
        assert self._member is not None
        music = MusicOnHold(self._member.media, self._services.switchboard.music)
        music.start()
        found = await rejoin()
        offer = self.offer
        await self._told(self._line.answered(offer), True)  # where the dead process had no time to say so
        agent = found.participant if found is not None else None
        if found is not None and agent is None:
            agent, offer = await self._page_again(found)
        await (music.stop() if agent is None else or_let_go(agent, music.stop()))
        kept = found.talk if found is not None else None
        return await self._talking(offer, agent, kept)

    async def _page_again(self, found: Rejoined) -> tuple[Participant | None, Offer]:
        self._awaited = found
        offer = self._mine(found.offer)
        try:
            back = await AwaitedPage(self._services).rejoined(replace(self._ring, offer=offer))
        except StoreUnavailable as error:
            log.error("line.untold", place=offer.place.id, error=str(error))
            back = None
        finally:
            self._awaited = None
        if back is None:
            await given_up(self._services, offer)
            return None, offer
        return back

    async def _reached(self) -> Participant | Lapsed | CallEnded:
        """The member; or the offer is none any more; or the agent left before. The agent hears it ring."""
        switchboard = self._services.switchboard
        target = switchboard.destinations.member(self._record.number)
        assert self._agent is not None
        ringback = MusicOnHold(self._agent.media, [RINGBACK])

        def ringing() -> None:
            ringback.start()
            self._dialog.at_once()

        async def dialled() -> Participant:
            await self._dialog.begin()
            return await switchboard.dial(
                f"callback-{self.call_id}",
                target,
                Party(self._record.own, "", switchboard.caller_id),
                headers={},
                ring_timeout_s=MEMBER_RING_S,
                on_ringing=ringing,
                call=self._ring.context.call_id,
                rung_for=self.call_id,
            )

        works: list[Coroutine[Any, Any, Participant | Lapsed | CallEnded]] = [
            dialled(), self._agents.lapsed(self.offer), self._agent.left(),
        ]  # fmt: skip
        reached: Participant | Lapsed | CallEnded | None = None
        try:
            reached = await first_of(*works)
        finally:
            await (or_let_go(reached, ringback.stop()) if isinstance(reached, Participant) else ringback.stop())
        return reached

    async def _regret(self) -> None:
        """The agent hears that nobody answered."""
        assert self._agent is not None
        try:
            busy = MusicOnHold(self._agent.media, [BUSY])
            busy.start()
            await asyncio.sleep(TOLD_S)
            await busy.stop()
        except MediaUnavailable:
            return

    async def _talking(self, offer: Offer, agent: Participant | None, kept: KeptTalk | None = None) -> CallEnded:
        """With one agent after another, until it is over; ``agent`` None: the next one. ``kept``: how they talked in a
        process that died."""
        member, ring = self._member, replace(self._ring, offer=offer)
        assert member is not None
        await self._told(self._line.answered(offer), True)
        while True:
            if agent is not None:
                end = await self._bridged(member, agent, ring, kept)
                if end.how == "over":
                    return CallEnded(end.by, end.reason)
            music = MusicOnHold(member.media, self._services.switchboard.music)
            music.start()
            if agent is not None and end.how == "lost":
                assert self._awaited is not None
                agent, offer = await self._page_again(self._awaited)
                ring = replace(ring, offer=offer)
            else:
                agent = kept = None
            if agent is None:
                self._waits, kept = True, None
                ring, agent = await self._next()
                self._waits = False
            await or_let_go(agent, music.stop())

    async def _next(self) -> tuple[Ring, Participant]:
        """Whoever takes the member next, from their old place in the line: they wait in it with this call."""
        place = self.offer.place
        now = next((each for each in self._line.view().places if each.id == place.id), place)
        arrival = replace(now.arrival, call_id=self.call_id)  # for whom the agent said, where they passed it on
        place = await self._told(self._line.enter(arrival), place)
        while True:
            offer = self._mine(await self._line.offered(place.id))
            if (taken := await self._agents.taken(offer)) is None:
                continue
            if await or_let_go(taken[1], self._told(self._line.answered(offer), True)):
                self._record.handed_over(offer.agent)
                return taken
            await taken[1].let_go("the offer had run out")

    async def _bridged(self, member: Participant, agent: Participant, ring: Ring, kept: KeptTalk | None) -> BridgeEnd:
        services = self._services
        hang_up = services.floor.hang_up_of(ring.offer.agent)
        bridge = self._bridge = Bridge(
            member, agent, ring, services.switchboard, services.floor, self._line,
            hang_up=hang_up, machine=False, on_change=self._dialog.changed, kept=kept,
        )  # fmt: skip
        told = None if kept is not None else self._record.joined_after
        joined = Joined(ring.offer.agent, ring.context.skill, agent.leg.sip_call_id, told)
        try:
            end = await talked(bridge, joined, self._record.recorder.tell, services.clock)
            if end.how == "lost":
                self._awaited = Rejoined(None, replace(ring.offer, agent=end.agent), bridge.kept_talk())
            return end
        finally:
            self._bridge = None

    async def _told(self, telling: Awaitable[T], unknown: T) -> T:
        """A call does not end because the database is away."""
        try:
            return await telling
        except StoreUnavailable as error:
            log.error("line.untold", place=self.offer.place.id, error=str(error))
            return unknown


async def _hung_up(member: Participant) -> CallEnded:
    """The far end of a call of ours is an agent to its leg; this one is the caller."""
    ended = await member.left()
    return CallEnded("caller" if ended.by == "agent" else ended.by, ended.reason)
