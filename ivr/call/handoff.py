"""Getting a human: tries the desk's destinations in turn, by bridge or by REFER, and never lets go of the caller."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import structlog

from ivr.call.ringback import RINGBACK, RINGBACK_CYCLES
from ivr.errors import CallEnded, DialFailed, IvrError, MediaUnavailable, SpeechUnavailable, TransferFailed
from ivr.events import LegEnded, MediaLost, MediaTimeout, PlayDone, TransferProgress
from ivr.ports import (
    Clip,
    Desk,
    Destination,
    HandoffContext,
    Leg,
    MediaChanged,
    MediaEngine,
    MediaLeg,
    Party,
    SipEndpoint,
    SpeechService,
)

log = structlog.get_logger(__name__)

CONTEXT_TIMEOUT_S = 1.0
WHISPER_TIMEOUT_S = 6.0
REFER_TIMEOUT_S = 40.0
# A phone that is gone answers no BYE; the leg goes on trying by itself, and the caller need not wait for that.
HANGUP_TIMEOUT_S = 0.5
_WHISPER_TOKEN = 1_000_000
_RINGBACK_TOKEN = 1_000_001

T = TypeVar("T")


@dataclass(slots=True)
class Connected:
    """A human has the call. ``agent`` is the bridged leg; None after a REFER (the call left us)."""

    destination: Destination
    agent: Leg | None
    media: MediaLeg | None


class Handoff:
    """One attempt to reach a human for one caller."""

    def __init__(
        self,
        *,
        leg: Leg,
        media: MediaLeg,
        endpoint: SipEndpoint,
        engine: MediaEngine,
        speech: SpeechService,
        desk: Desk,
        caller_id: str,
    ) -> None:
        self._leg = leg
        self._media = media
        self._endpoint = endpoint
        self._engine = engine
        self._speech = speech
        self._desk = desk
        self._caller_id = caller_id
        self._names = itertools.count(1)
        self._progress: asyncio.Queue[TransferProgress] = asyncio.Queue()

    def progress(self, event: TransferProgress) -> None:
        """A NOTIFY arrived on the caller's leg."""
        self._progress.put_nowait(event)

    async def connect(self, context: HandoffContext, now: datetime) -> Connected | str:
        """A human, or why not: "closed" (nobody on duty) or "failed" (nobody answered)."""
        destinations = self._desk.destinations(context.skill, now)
        if not destinations:
            log.info("handoff.closed", skill=context.skill)
            return "closed"
        headers = await self._headers(context)
        for destination in destinations:
            log.info("handoff.trying", destination=destination.name, mode=destination.mode, reason=context.reason)
            try:
                if destination.mode == "refer":
                    return await self._refer(destination, headers)
                return await self._bridge(destination, context, headers)
            except (DialFailed, TransferFailed) as error:
                log.warning("handoff.unanswered", destination=destination.name, status=error.status, why=error.reason)
            except (MediaUnavailable, TimeoutError) as error:
                log.error("handoff.failed", destination=destination.name, error=str(error) or "timeout")
            except CallEnded as ended:
                if ended.by == "caller":
                    raise
                log.warning("handoff.lost", destination=destination.name, by=ended.by, why=ended.reason)
        return "failed"

    async def _headers(self, context: HandoffContext) -> Mapping[str, str]:
        url = ""
        try:
            async with asyncio.timeout(CONTEXT_TIMEOUT_S):
                url = await self._desk.store_context(context)
        except (IvrError, TimeoutError, OSError) as error:
            log.error("handoff.context_unstored", error=str(error) or "timeout")
        return self._desk.headers(context, url)

    async def _refer(self, destination: Destination, headers: Mapping[str, str]) -> Connected:
        await self._leg.refer(destination.target, headers)
        async with asyncio.timeout(REFER_TIMEOUT_S):
            while (progress := await self._progress.get()).status < 200:
                log.info("handoff.progress", status=progress.status)
        if progress.status >= 300:
            raise TransferFailed(progress.status, progress.reason)
        return Connected(destination, None, None)

    async def _bridge(self, destination: Destination, context: HandoffContext, headers: Mapping[str, str]) -> Connected:
        whisper = asyncio.create_task(self._render_whisper(context))
        ringing = asyncio.Event()
        ringback = asyncio.create_task(self._ring_back(ringing))
        media = await self._engine.open(f"agent-{next(self._names)}-{context.call_id}", None)
        agent: Leg | None = None
        joined = False
        try:
            agent = await self._endpoint.dial(
                destination.target,
                media.local,
                caller=Party(context.caller.number, context.caller.display, self._caller_id),
                headers=headers,
                ring_timeout_s=destination.ring_timeout_s,
                on_ringing=ringing.set,
            )
            if agent.remote is None:
                raise DialFailed(488, "the agent's phone answered without media")
            await media.update(agent.remote)
            await self._whisper(agent, media, await whisper)
            await self._media.stop_playing()
            await self._media.bridge(media)
            joined = True
            log.info("handoff.connected", destination=destination.name, agent_leg=agent.id)
            return Connected(destination, agent, media)
        finally:
            whisper.cancel()
            ringback.cancel()
            if not joined:
                await self._media.stop_playing()
                if agent is not None:
                    await let_go(agent, "not joined")
                await media.close()

    async def _ring_back(self, ringing: asyncio.Event) -> None:
        """The caller hears the agent's phone ring, after whatever is still being said."""
        await ringing.wait()
        await self._media.play([RINGBACK] * RINGBACK_CYCLES, token=_RINGBACK_TOKEN)

    async def _render_whisper(self, context: HandoffContext) -> Sequence[Clip]:
        try:
            return [await self._speech.render(self._desk.whisper(context), context.language)]
        except SpeechUnavailable:
            return []

    async def _whisper(self, agent: Leg, media: MediaLeg, clips: Sequence[Clip]) -> None:
        """Play the whisper to the agent; an agent who hangs up meanwhile raises CallEnded."""
        if not clips:
            return
        await media.whisper(clips, token=_WHISPER_TOKEN)

        async def played() -> None:
            async for event in media.events():
                if isinstance(event, PlayDone) and event.token == _WHISPER_TOKEN:
                    return
                if isinstance(event, MediaLost):
                    raise MediaUnavailable(event.reason)

        async def left() -> None:
            async for event in agent.events():
                if isinstance(event, LegEnded):
                    raise CallEnded("agent", event.reason)

        async with asyncio.timeout(WHISPER_TIMEOUT_S):
            await _race(played(), left())


async def _race(*coroutines: Coroutine[Any, Any, T]) -> T:
    """The result of the first to end; the rest are cancelled."""
    tasks = [asyncio.create_task(c) for c in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def talk(connected: Connected) -> tuple[str, str]:
    """Wait while caller and agent talk: who ended it ("agent", "network") and why. The caller's end cancels this."""
    assert connected.agent is not None
    assert connected.media is not None
    agent, media = connected.agent, connected.media

    async def signalling() -> tuple[str, str]:
        async for event in agent.events():
            if isinstance(event, LegEnded):
                return event.by, event.reason
            if isinstance(event, MediaChanged):
                await media.update(event.remote)
        return "network", "the agent's leg is gone"

    async def audio() -> tuple[str, str]:
        async for event in media.events():
            if isinstance(event, MediaTimeout):
                return "network", f"no audio from the agent for {event.silent_s:.0f} s"
            if isinstance(event, MediaLost):
                return "network", event.reason
        return "network", "the agent's media is gone"

    try:
        return await _race(signalling(), audio())
    finally:
        await let_go(agent, "the other side left")
        await media.close()


async def let_go(leg: Leg, reason: str) -> None:
    """Hang up without waiting long for a phone that may be gone; the leg itself goes on trying."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HANGUP_TIMEOUT_S):
            await leg.hangup(reason)
