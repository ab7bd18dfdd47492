"""The ears of one call: a recognition session for the language spoken now, opened, changed and closed (MRCP)."""

from __future__ import annotations

import asyncio

import structlog

from ivr.call.inbox import Inbox
from ivr.dialogue.engine.contract import Listen
from ivr.errors import SpeechUnavailable
from ivr.events import Audio, RecogniserFailed
from ivr.ports import Ears, ListenRequest, MediaLeg, SpeechService

log = structlog.get_logger(__name__)

RECOVER_S = 0.5  # longer would be silence, and keys that nobody takes


class CallEars:
    """Open from the first Listen on; without a recogniser for its language they are deaf and the call is led by keys.
    ``deaf``: they stay closed, the recognisers have enough to do.

    Posts what is heard, and RecogniserFailed once when a session is gone."""

    def __init__(
        self, media: MediaLeg, speech: SpeechService, call_id: str, inbox: Inbox, *, deaf: bool = False
    ) -> None:
        self._deaf = deaf
        self._media = media
        self._speech = speech
        self._call_id = call_id
        self._inbox = inbox
        self._ears: Ears | None = None
        self._language = ""  # of the ears, or of the last attempt to open some
        self._broken: set[str] = set()  # languages whose ears failed on this call
        self._recovered: set[str] = set()  # and those that got others, once
        self._changed = asyncio.Event()

    async def _attune(self, language: str) -> str:
        """Ears for ``language`` in place of those there are; why there are none, "" when there are."""
        await self.close()
        self._language = language
        if self._deaf or language in self._broken:
            return ""  # that they are gone was told when it happened
        try:
            self._ears = await self._speech.open(self._call_id, language)
        except SpeechUnavailable as error:
            log.warning("recogniser.unavailable", language=language, error=str(error))
            return str(error)
        finally:
            self._changed.set()
        return ""

    async def listen(self, listen: Listen | None) -> str:
        """Switch to the grammar of ``listen``, and to ears for its language; None closes them (the call is somebody
        else's now). Why the ears just went deaf, "" when they hear or were deaf already."""
        deaf_because = ""
        if listen is not None and listen.grammar.speech.language != self._language:
            deaf_because = await self._attune(listen.grammar.speech.language)
            if self._ears is None:
                await self._media.listen(False)
        if self._ears is None:
            return deaf_because
        if listen is None:
            await self._media.listen(False)
            await self._ears.listen(None)
            return ""
        how = listen.hangover_s, listen.max_utterance_s, not listen.dictation, listen.private
        await self._ears.listen(ListenRequest(listen.grammar.speech, *how))
        await self._media.listen(True)
        return ""

    async def renew(self, listen: Listen | None) -> str:
        """What was being said is broken off: a new session, under ``listen``. Why it is deaf, "" otherwise."""
        await self.close()
        self._language = ""
        return await self.listen(listen)

    async def recover(self, listen: Listen | None) -> bool:
        """Ears failed: others for their language, once a call, of a worker that is up now. Whether it hears again."""
        language = self._language
        if listen is None or language in self._recovered:
            return False
        self._recovered.add(language)
        self._broken.discard(language)
        self._language = ""
        try:
            async with asyncio.timeout(RECOVER_S):
                heard = not await self.listen(listen) and self._ears is not None
        except TimeoutError:
            heard = False
        if not heard:
            self._broken.add(language)
        return heard

    def feed(self, audio: Audio) -> None:
        if self._ears is not None:
            self._ears.feed(audio.pcm, audio.at)

    async def abreast(self, within_s: float) -> bool:
        """Whether what was fed so far is taken in within ``within_s``; who is deaf has nothing to take in."""
        return self._ears is None or await self._ears.abreast(within_s)

    async def run(self) -> None:
        """Pass on what is heard, by whichever ears there are, for as long as the call lasts."""
        while True:
            self._changed.clear()
            ears = self._ears
            if ears is None:
                await self._changed.wait()
                continue
            await self._pump(ears)
            await self._changed.wait()

    async def _pump(self, ears: Ears) -> None:
        async for event in ears.events():
            if ears is not self._ears:
                return  # heard in a language that is not spoken any more
            if isinstance(event, RecogniserFailed):
                log.error("recogniser.failed", reason=event.reason)
                self._broken.add(self._language)
                self._ears = None
                await self._media.listen(False)
                self._inbox.put_nowait(event)
                return
            self._inbox.put_nowait(event)

    async def close(self) -> None:
        ears, self._ears = self._ears, None
        if ears is not None:
            try:
                async with asyncio.timeout(1):
                    await ears.close()
            except (TimeoutError, SpeechUnavailable):
                log.warning("recogniser.close_failed")
