"""A caller whom a human has: joined with an agent until one of them leaves, or gone where a REFER took them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import structlog

from ivr.call.comfort import Comfort
from ivr.call.journal import Recorder
from ivr.call.registry import CallServices
from ivr.call.ringing import Ringing
from ivr.call.waiting import LEAVE_S
from ivr.dialogue.engine.contract import Connect
from ivr.errors import CallEnded, IvrError
from ivr.phones.bridge import Bridge
from ivr.phones.participant import Participant
from ivr.phones.rejoining import KeptTalk, kept_offer
from ivr.ports import BridgeEnd, Clock, HandoffContext, Joined, Moment, Offer, Parted, Ring
from ivr.record import HandedOver

log = structlog.get_logger(__name__)

NotConnected = Literal["closed", "failed", "dropped", "machine"]
"""Nobody is on duty; nobody answered, or something broke; the agent's line broke and the caller is ours again; the
agent gave the caller back to the dialogue."""

Pause = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Rejoined:
    """An agent who had the caller in a process that died; ``offer``: what they had taken, ``talk``: how that was.
    ``participant``: at their telephone again; None: their browser, whose page is awaited."""

    participant: Participant | None
    offer: Offer
    talk: KeptTalk = field(default_factory=KeptTalk)


Rejoin = Callable[[], Awaitable[Rejoined | None]]
"""The agent whom the caller was talking with, at the other end of their telephone again; None: they are gone."""

LOST: Literal["lost"] = "lost"
"""How a conversation ends whose agent's process died."""


class HandedOverCall:
    """One caller's conversations with humans, one after another.

    ``with_agent``: a human has the call, or had it when it ended; ``seconds_to_human``: from the first wish for one
    until the last was reached; ``agent_encryption``: of the last one's media. ``coming``: is told which Connect is
    being answered, before they hear each other."""

    def __init__(self, caller: Participant, recorder: Recorder, services: CallServices, ringing: Ringing) -> None:
        self._caller = caller
        self._recorder = recorder
        self._services = services
        self._ringing = ringing
        self._wanted_at: float | None = None
        self.coming: Callable[[int], None] = lambda token: None
        self.with_agent = False
        self.seconds_to_human: float | None = None
        self.agent_encryption = ""
        self._bridge: Bridge | None = None
        self._before: Rejoined | None = None  # who had them, and may have them again
        self.on_change: Callable[[], None] = lambda: None  # of the conversation, or there is none any more

    def rejoined(self, before: Rejoined, seconds_to_human: float | None) -> None:
        """What comes next is the conversation that they had in another process: it is no other hand-over."""
        self._before, self.seconds_to_human = before, seconds_to_human

    @property
    def lost(self) -> Rejoined:
        """The conversation that ended as LOST, or may have gone on here and did not."""
        assert self._before is not None
        return self._before

    def not_rejoined(self) -> None:
        """Whoever comes next is another hand-over."""
        self._before = None
        self.on_change()

    def kept(self) -> Mapping[str, Any] | None:
        """The conversation, for another process to go on with (``Rejoined``); None where there is none, or it is not
        to be had there."""
        if self._bridge is not None:
            return self._bridge.kept()
        if (before := self._before) is None or before.participant is not None:
            return None
        return {"leg": None, "offer": kept_offer(before.offer), "tied": False, "talk": before.talk.to_json()}

    def leave(self) -> None:
        """Another process has the conversation."""
        if self._bridge is not None:
            self._bridge.leave()

    def wanted(self) -> None:
        """From the first time on it is counted how long it takes."""
        if self._wanted_at is None:
            self._wanted_at = self._services.clock.monotonic()

    async def run(
        self, to: str, connect: Connect, context: HandoffContext, paused: Pause, agent: Participant | None
    ) -> NotConnected:
        """Until one of them leaves; ``agent`` None: after a REFER the call is not here any more. Raises CallEnded."""
        ended = await self.by_line(to, connect, context, paused, agent)
        return "dropped" if ended is None or ended == LOST else ended

    async def by_line(
        self,
        to: str,
        connect: Connect,
        context: HandoffContext,
        paused: Pause,
        agent: Participant | None,
        ring: Ring | None = None,
        comfort: Comfort | None = None,
    ) -> NotConnected | Literal["lost"] | None:
        """The same; ``ring``: by the line. None: the agent passed the caller on, and they wait again."""
        talked = False
        try:
            self.coming(connect.token)
            if comfort is not None:
                await comfort.hush()
            self.with_agent = True
            before, self._before = self._before, None
            rejoined = before is not None
            if self._wanted_at is not None and not rejoined:
                self.seconds_to_human = round(self._services.clock.monotonic() - self._wanted_at, 3)
            also = tuple(other.reason for other in connect.also)
            self.agent_encryption = "" if agent is None else agent.encryption
            if not rejoined:
                self._recorder.record(HandedOver(to, connect.reason, also=also, encryption=self.agent_encryption))
            if agent is None:
                self._recorder.tell(Joined(to, context.skill, after_s=self.seconds_to_human))
                self._recorder.tell(Parted(to, "transferred", "service", 0.0))
                raise CallEnded("service", "transferred")
            async with paused():
                await self._caller.media.stop_playing()
                log.info("handoff.connected", destination=to, agent_leg=agent.leg.id)
                talked = True
                return self._after(await self._talk(to, context, agent, ring, before))
        finally:
            if agent is not None and not talked:
                await agent.let_go("the other side left")
            if ring is not None and not talked:
                await asyncio.shield(_told(self._services.line.finished(ring.offer.place.id, ring.offer.agent)))

    def _after(self, end: BridgeEnd) -> NotConnected | Literal["lost"] | None:
        if end.how == "over":
            raise CallEnded(end.by, end.reason)
        self.with_agent = False
        log.warning("handoff.returned", how=end.how, agent=end.agent, why=end.reason)
        if end.how == "line":
            return None
        if end.how == "lost":
            return LOST
        return "machine" if end.how == "machine" else "dropped"

    async def _talk(
        self, to: str, context: HandoffContext, agent: Participant, ring: Ring | None, before: Rejoined | None
    ) -> BridgeEnd:
        """Two who are joined, and whoever they ask in, to the end of it; the line is told what became of the place."""
        services = self._services
        line = services.line if ring is not None else None
        bridge = Bridge(
            self._caller,
            agent,
            ring or self._ringing.nowhere(to, context),
            services.switchboard,
            services.floor,
            line,
            hang_up=services.floor.hang_up_of(to),
            on_change=self.on_change,
            kept=before.talk if before is not None else None,
        )
        self._bridge = bridge
        told = None if before is not None else self.seconds_to_human  # by the process that had the call
        joined = Joined(to, context.skill, agent.leg.sip_call_id, told)
        try:
            end = await talked(bridge, joined, self._recorder.tell, services.clock)
            if end.how == "lost" and ring is not None:
                self._before = Rejoined(None, replace(ring.offer, agent=end.agent), bridge.kept_talk())
            return end
        finally:
            self._bridge = None
            await bridge.close()
            self.on_change()


async def talked(bridge: Bridge, joined: Joined, tell: Callable[[Moment], None], clock: Clock) -> BridgeEnd:
    """A conversation to its end, observed from the join on; one that is broken off ends with the caller's leaving."""
    began = clock.monotonic()
    how, by = "over", "caller"
    tell(joined)
    try:
        end = await bridge.run()
        how, by = end.how, end.by
        return end
    finally:
        tell(Parted(bridge.agent, how, by, clock.monotonic() - began, bridge.recorded))


async def _told(telling: Awaitable[object]) -> None:
    """A conversation ends as it ended, though the database is away."""
    try:
        async with asyncio.timeout(LEAVE_S):
            await telling
    except (IvrError, TimeoutError) as error:
        log.error("line.untold", error=str(error) or "timeout")
