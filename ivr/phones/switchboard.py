"""The switchboard: calls that the line makes to telephones, for agents' phones, transfers and call backs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ivr.errors import DialFailed, SpeechUnavailable
from ivr.phones.destinations import Destinations
from ivr.phones.introduction import Introduction
from ivr.phones.music import tune
from ivr.phones.participant import Participant, close_media, to_the_end
from ivr.phones.recording import CallRecording
from ivr.ports import Clip, Desk, HandoffContext, MediaEngine, Party, SipEndpoint, SpeechService


@dataclass(frozen=True, slots=True)
class Switchboard:
    """``caller_id``: the SIP URI that agents' phones are called from; ``music``: for who is on hold;
    ``recording``: what is kept of conversations."""

    endpoint: SipEndpoint
    media: MediaEngine
    speech: SpeechService
    desk: Desk
    caller_id: str
    destinations: Destinations = field(default_factory=Destinations)
    music: Sequence[Clip] = field(default_factory=tune)
    recording: CallRecording = field(default_factory=CallRecording)

    async def dial(
        self,
        name: str,
        target: str,
        caller: Party,
        *,
        headers: Mapping[str, str],
        ring_timeout_s: float,
        on_ringing: Callable[[], None] | None = None,
        context: HandoffContext | None = None,
        on_answer: Callable[[], None] = lambda: None,
        call: str = "",
        rung_for: str = "",
    ) -> Participant:
        """Who answers at ``target``, a SIP URI; whoever calls this lets go of them. ``name``: of their media, unique;
        ``caller``: who they see calling. ``context``: they hear a whisper about it first, and are heard before they
        are anybody's. ``call``: whose audio theirs is to be beside; ``rung_for``: whose they are, should this process
        die, where that is another.

        Nobody is left behind. Raises DialFailed, MediaUnavailable, and CallEnded where they hang up during the
        whisper or their phone does not work."""
        media = await self.media.open(name, None, caller=False, call=call)
        whisper = asyncio.create_task(self._whisper(context))
        answered: Participant | None = None
        ready = False
        try:
            leg = await self.endpoint.dial(
                target,
                media.local,
                caller=caller,
                headers=headers,
                ring_timeout_s=ring_timeout_s,
                on_ringing=on_ringing,
                srtp=self.destinations.srtp(target),
                of_call=rung_for or call,
            )
            on_answer()
            answered = Participant(leg, media, may_mute=True)
            if leg.remote is None:
                raise DialFailed(488, "the phone answered without media")
            await answered.aim(leg.remote)
            if context is not None:
                await Introduction(answered, await whisper).run()
            ready = True
            return answered
        finally:
            whisper.cancel()
            if not ready:
                await to_the_end(answered.let_go("not joined") if answered is not None else close_media(media))
                await asyncio.gather(whisper, return_exceptions=True)

    async def _whisper(self, context: HandoffContext | None) -> Sequence[Clip]:
        if context is None:
            return []
        try:
            return [await self.speech.render(self.desk.whisper(context), context.language)]
        except (SpeechUnavailable, OSError):
            return []
