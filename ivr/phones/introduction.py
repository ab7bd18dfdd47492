"""The introduction of a caller to an agent who answered: a whisper, and the proof that their phone works."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import structlog

from ivr.errors import CallEnded
from ivr.events import MediaHeard, MediaLost, MediaRestored, PlayDone
from ivr.media.description import expects_audio, held
from ivr.phones.participant import Participant, first_of
from ivr.ports import Clip, MediaChanged

log = structlog.get_logger(__name__)

WHISPER_GRACE_S = 3.0  # beyond its length: a courtesy is not worth a caller's wait
SILENT_S = 4.0  # whoever has answered is heard by then, if only their room
HELD_S = 60.0
_WHISPER_TOKEN = 1_000_000  # far from the mouth's

Phase = Literal["", "restoring", "held", "silent", "whispering"]


class Introduction:
    """``run`` once. Holding and un-holding, and a new media process, take the time they take."""

    def __init__(self, agent: Participant, clips: Sequence[Clip]) -> None:
        self._agent = agent
        self._clips = clips
        self._unplayed = bool(clips)
        self._heard = self._lost = False
        self._phase: Phase = ""
        self._over = asyncio.Event()
        self._limit: asyncio.Timeout = asyncio.timeout(None)

    async def run(self) -> None:
        """Returns when the agent has heard the whisper and was heard. Raises CallEnded when they leave, keep us on
        hold for HELD_S, or their phone sends nothing for SILENT_S though it ought to."""
        if self._clips:
            await self._agent.media.whisper(self._clips, token=_WHISPER_TOKEN)
        try:
            async with self._limit:
                self._look()
                await first_of(self._audio(), self._signals(), self._settled())
        except TimeoutError:
            if self._phase == "whispering":
                log.warning("handoff.whisper_unfinished", leg=self._agent.leg.id)
                return
            why = "holds the line" if self._phase == "held" else "sends no audio"
            raise CallEnded("network", f"the agent's phone {why}") from None

    def _look(self) -> None:
        """After whatever happened: it is over, or for how long it may go on as it is."""
        phase = self._now()
        if phase == self._phase:
            return
        self._phase = phase
        limits = {
            "held": HELD_S,
            "silent": SILENT_S,
            "whispering": sum(clip.seconds for clip in self._clips) + WHISPER_GRACE_S,
        }
        limit_s = limits.get(phase)
        now = asyncio.get_running_loop().time()
        self._limit.reschedule(None if limit_s is None else now + limit_s)
        if not phase:
            self._over.set()

    def _now(self) -> Phase:
        remote = self._agent.leg.remote
        if self._lost:
            return "restoring"
        if remote is None or held(remote):
            return "held"
        if expects_audio(remote) and not self._heard:
            return "silent"
        return "whispering" if self._unplayed else ""

    async def _settled(self) -> None:
        await self._over.wait()

    async def _audio(self) -> None:
        async for event in self._agent.audio():
            match event:
                case CallEnded():
                    raise event
                case MediaHeard():
                    self._heard = True
                case MediaLost() | MediaRestored():
                    self._lost = isinstance(event, MediaLost)
                case PlayDone(token=token) if token == _WHISPER_TOKEN:
                    self._unplayed = False
            self._look()

    async def _signals(self) -> None:
        async for event in self._agent.signals():
            match event:
                case CallEnded():
                    raise event
                case MediaChanged():
                    self._look()
