"""Bridge transfer: dials an agent's phone while the caller hears it ring, whispers to the agent, joins the two."""

from __future__ import annotations

import array
import asyncio
import itertools
import math
from collections.abc import Mapping, Sequence

import structlog

from ivr.call.participant import Participant, close_media, first_of
from ivr.call.registry import CallServices
from ivr.errors import CallEnded, DialFailed, SpeechUnavailable
from ivr.events import PlayDone
from ivr.ports import Clip, Destination, HandoffContext, Party

log = structlog.get_logger(__name__)

WHISPER_TIMEOUT_S = 6.0
# Tokens far from the mouth's.
_WHISPER_TOKEN = 1_000_000
_RINGBACK_TOKEN = 1_000_001

# What the caller hears meanwhile: ITU-T E.180, North American cadence.
_RATE = 8000
_TONES_HZ = (440.0, 480.0)
_ON_S = 2.0
_OFF_S = 4.0
_LEVEL = 1200  # of 32767 per tone: about -25 dBm0 together, quieter than speech
_FADE = 80

RINGBACK_CYCLES = 5


def _cycle() -> bytes:
    on = int(_ON_S * _RATE)
    samples = array.array("h", bytes(2 * int((_ON_S + _OFF_S) * _RATE)))
    for i in range(on):
        fade = min(i, on - i, _FADE) / _FADE
        samples[i] = int(_LEVEL * fade * sum(math.sin(2 * math.pi * f * i / _RATE) for f in _TONES_HZ))
    return samples.tobytes()


RINGBACK = Clip("tone:ringback", _cycle())


class BridgeTransfer:
    """Of one caller, to one phone after another."""

    def __init__(self, caller: Participant, services: CallServices) -> None:
        self._caller = caller
        self._services = services
        self._names = itertools.count(1)

    async def transfer(
        self, destination: Destination, context: HandoffContext, headers: Mapping[str, str]
    ) -> Participant:
        """The agent, joined with the caller; whoever calls this lets go of them. Nobody else is left behind.

        Raises DialFailed, MediaUnavailable, TimeoutError, and CallEnded when the agent hangs up during the whisper."""
        services = self._services
        media = await services.media.open(f"agent-{next(self._names)}-{context.call_id}", None, caller=False)
        whisper = asyncio.create_task(self._render_whisper(context))
        ringing = asyncio.Event()
        ringback = asyncio.create_task(self._ring_back(ringing))
        agent: Participant | None = None
        joined = False
        try:
            leg = await services.endpoint.dial(
                destination.target,
                media.local,
                caller=Party(context.caller.number, context.caller.display, services.caller_id),
                headers=headers,
                ring_timeout_s=destination.ring_timeout_s,
                on_ringing=ringing.set,
            )
            agent = Participant(leg, media)
            if leg.remote is None:
                raise DialFailed(488, "the agent's phone answered without media")
            await media.update(leg.remote)
            await _whisper(agent, await whisper)
            await self._caller.media.stop_playing()
            await self._caller.media.bridge(media)
            joined = True
            log.info("handoff.connected", destination=destination.name, agent_leg=leg.id)
            return agent
        finally:
            whisper.cancel()
            ringback.cancel()
            await asyncio.gather(whisper, ringback, return_exceptions=True)
            if not joined:
                try:
                    await self._caller.media.stop_playing()
                finally:
                    await (agent.let_go("not joined") if agent is not None else close_media(media))

    async def _ring_back(self, ringing: asyncio.Event) -> None:
        """The caller hears the agent's phone ring, after whatever is still being said."""
        await ringing.wait()
        await self._caller.media.play([RINGBACK] * RINGBACK_CYCLES, token=_RINGBACK_TOKEN)

    async def _render_whisper(self, context: HandoffContext) -> Sequence[Clip]:
        try:
            text = self._services.desk.whisper(context)
            return [await self._services.speech.render(text, context.language)]
        except SpeechUnavailable:
            return []


async def _whisper(agent: Participant, clips: Sequence[Clip]) -> None:
    """Returns when the agent has heard it."""
    if not clips:
        return
    await agent.media.whisper(clips, token=_WHISPER_TOKEN)

    async def played() -> None:
        async for event in agent.audio():
            if isinstance(event, CallEnded):
                raise event
            if isinstance(event, PlayDone) and event.token == _WHISPER_TOKEN:
                return

    async def left() -> None:
        async for event in agent.signals():
            if isinstance(event, CallEnded):
                raise event

    async with asyncio.timeout(WHISPER_TIMEOUT_S):
        await first_of(played(), left())
