"""Bridge transfer: dials an agent's phone and introduces the caller, who is joined with it afterwards."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence

from ivr.call.introduction import Introduction
from ivr.call.registry import CallServices
from ivr.errors import DialFailed, SpeechUnavailable
from ivr.phones.participant import Participant, close_media
from ivr.ports import Clip, Destination, HandoffContext, Party


class BridgeTransfer:
    """To one phone after another."""

    def __init__(self, services: CallServices) -> None:
        self._services = services
        self._names = itertools.count(1)

    async def dial(
        self,
        destination: Destination,
        context: HandoffContext,
        headers: Mapping[str, str],
        on_ringing: Callable[[], None] | None,
    ) -> Participant:
        """The agent, who has heard who is there; whoever calls this lets go of them. Nobody else is left behind.

        Raises DialFailed, MediaUnavailable, and CallEnded when the agent hangs up during the whisper or their phone
        does not work."""
        services = self._services
        media = await services.media.open(f"agent-{next(self._names)}-{context.call_id}", None, caller=False)
        whisper = asyncio.create_task(self._render_whisper(context))
        agent: Participant | None = None
        introduced = False
        try:
            leg = await services.endpoint.dial(
                destination.target,
                media.local,
                caller=Party(context.caller.number, context.caller.display, services.caller_id),
                headers=headers,
                ring_timeout_s=destination.ring_timeout_s,
                on_ringing=on_ringing,
            )
            agent = Participant(leg, media, may_mute=True)
            if leg.remote is None:
                raise DialFailed(488, "the agent's phone answered without media")
            await agent.aim(leg.remote)
            await Introduction(agent, await whisper).run()
            introduced = True
            return agent
        finally:
            whisper.cancel()
            await asyncio.gather(whisper, return_exceptions=True)
            if not introduced:
                await (agent.let_go("not joined") if agent is not None else close_media(media))

    async def _render_whisper(self, context: HandoffContext) -> Sequence[Clip]:
        try:
            text = self._services.desk.whisper(context)
            return [await self._services.speech.render(text, context.language)]
        except (SpeechUnavailable, OSError):
            return []
