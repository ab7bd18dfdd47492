"""One call's ears: opens the recogniser's session, feeds it, and says so when it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from ivr.dialogue.turns import Listen
from ivr.errors import SpeechUnavailable
from ivr.events import Audio, EarEvent, RecogniserFailed
from ivr.ports import Ears, ListenRequest, MediaLeg, SpeechService

log = structlog.get_logger(__name__)


class Hearing:
    """Wraps an Ears session; without one (no recogniser for the language) it is deaf and the call is led by keys."""

    def __init__(self, media: MediaLeg, ears: Ears | None) -> None:
        self._media = media
        self._ears = ears

    @classmethod
    async def open(cls, media: MediaLeg, speech: SpeechService, call_id: str, language: str) -> tuple[Hearing, str]:
        """The ears, and why they are deaf ("" when they hear)."""
        try:
            return cls(media, await speech.open(call_id, language)), ""
        except SpeechUnavailable as error:
            log.warning("recogniser.unavailable", language=language, error=str(error))
            return cls(media, None), str(error)

    @property
    def deaf(self) -> bool:
        return self._ears is None

    async def listen(self, listen: Listen | None) -> None:
        """Switch to the grammar of ``listen``; None closes the ears (the call is somebody else's now)."""
        if self._ears is None:
            return
        if listen is None:
            await self._media.listen(False)
            await self._ears.listen(None)
            return
        await self._ears.listen(ListenRequest(listen.grammar.speech, listen.hangover_s, listen.max_utterance_s))
        await self._media.listen(True)

    def feed(self, audio: Audio) -> None:
        if self._ears is not None:
            self._ears.feed(audio.pcm, audio.at)

    async def run(self, post: Callable[[EarEvent], None]) -> None:
        """Pass on what is heard until the call ends or the ears fail."""
        if self._ears is None:
            return
        async for event in self._ears.events():
            if isinstance(event, RecogniserFailed):
                log.error("recogniser.failed", reason=event.reason)
                self._ears = None
                await self._media.listen(False)
                post(event)
                return
            post(event)

    async def close(self) -> None:
        ears, self._ears = self._ears, None
        if ears is not None:
            try:
                async with asyncio.timeout(1):
                    await ears.close()
            except (TimeoutError, SpeechUnavailable):
                log.warning("recogniser.close_failed")
