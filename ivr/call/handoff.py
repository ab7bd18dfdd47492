"""The hand-over: from "a human is wanted" to a human, or to why there is none; it never lets go of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal

import structlog

from ivr.call.blind_transfer import BlindTransfer
from ivr.call.bridge_transfer import BridgeTransfer
from ivr.call.journal import Recorder
from ivr.call.participant import Participant
from ivr.call.registry import CallServices
from ivr.dialogue.engine.contract import Connect
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import CallEnded, DialFailed, IvrError, MediaUnavailable, TransferFailed
from ivr.events import TransferProgress
from ivr.ports import Destination, HandoffContext
from ivr.record import HandedOver

log = structlog.get_logger(__name__)

CONTEXT_TIMEOUT_S = 1.0
# An agent's BYE sooner than this after the join is a dropped call, not the end of a conversation.
CONVERSATION_S = 8.0

NotConnected = Literal["closed", "failed", "dropped"]
"""Nobody is on duty; nobody answered, or something broke; the agent's line broke and the caller is ours again."""

Pause = Callable[[], AbstractAsyncContextManager[None]]


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
        self._bridge = BridgeTransfer(caller, services)
        self._blind = BlindTransfer(caller.leg)
        self._wanted_at: float | None = None
        self.context: HandoffContext | None = None
        self.with_agent = False
        self.seconds_to_human: float | None = None

    def progress(self, event: TransferProgress) -> None:
        """A NOTIFY arrived on the caller's leg."""
        self._blind.progress(event)

    async def run(self, connect: Connect, paused: Pause) -> NotConnected:
        """Tries the desk's destinations in turn and stays with the two until one leaves; ``paused`` surrounds that.

        Raises CallEnded when that was the end of the call: the agent hung up after a conversation, or a REFER took
        the caller there. Whatever breaks on the way is "failed": never silence, never a dead call."""
        try:
            return await self._run(connect, paused)
        except CallEnded:
            raise
        except Exception:
            log.exception("handoff.crashed")
            self.with_agent = False
            return "failed"

    async def _run(self, connect: Connect, paused: Pause) -> NotConnected:
        clock, desk = self._services.clock, self._services.desk
        if self._wanted_at is None:
            self._wanted_at = clock.monotonic()
        context = self.context = self._context_for(connect)
        destinations = desk.destinations(context.skill, clock.now())
        if not destinations:
            log.info("handoff.closed", skill=context.skill)
            return "closed"
        headers = await self._headers(context)
        for destination in destinations:
            log.info("handoff.trying", destination=destination.name, mode=destination.mode, reason=context.reason)
            agent: Participant | None = None
            try:
                if destination.mode == "refer":
                    await self._blind.transfer(destination.target, headers)
                else:
                    agent = await self._bridge.transfer(destination, context, headers)
            except (DialFailed, TransferFailed) as error:
                log.warning("handoff.unanswered", destination=destination.name, status=error.status, why=error.reason)
            except (MediaUnavailable, TimeoutError) as error:
                log.error("handoff.failed", destination=destination.name, error=str(error) or "timeout")
            except CallEnded as ended:
                if ended.by == "caller":
                    raise
                log.warning("handoff.lost", destination=destination.name, by=ended.by, why=ended.reason)
            else:
                self.with_agent = True
                self.seconds_to_human = round(clock.monotonic() - self._wanted_at, 3)
                return await self._handed_over(destination, connect, agent, paused)
        return "failed"

    async def _handed_over(
        self, destination: Destination, connect: Connect, agent: Participant | None, paused: Pause
    ) -> NotConnected:
        """Until one of them leaves; ``agent`` None: after a REFER the call is not here any more."""
        also = tuple(other.reason for other in connect.also)
        try:
            self._recorder.record(HandedOver(destination.name, connect.reason, also=also))
            if agent is None:
                raise CallEnded("service", "transferred")
            async with paused():
                return await self._talk(agent)
        finally:
            if agent is not None:
                await agent.let_go("the other side left")

    async def _talk(self, agent: Participant) -> NotConnected:
        clock = self._services.clock
        joined = clock.monotonic()
        ended = await agent.left()
        lasted = clock.monotonic() - joined
        if ended.by == "agent" and lasted >= CONVERSATION_S:
            raise ended
        log.warning("handoff.dropped", by=ended.by, why=ended.reason, lasted_s=round(lasted, 1))
        self.with_agent = False
        await self._caller.media.bridge(None)
        return "dropped"

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

    async def _headers(self, context: HandoffContext) -> Mapping[str, str]:
        """What INVITE or REFER carry: without a link to the context when the desk cannot keep it in time."""
        url = ""
        try:
            async with asyncio.timeout(CONTEXT_TIMEOUT_S):
                url = await self._services.desk.store_context(context)
        except (IvrError, TimeoutError, OSError) as error:
            log.error("handoff.context_unstored", error=str(error) or "timeout")
        return self._services.desk.headers(context, url)
