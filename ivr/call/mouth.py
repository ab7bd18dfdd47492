"""The mouth: renders prompts, plays them in order as a prompt queue, and falls silent when told."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import structlog

from ivr.call.inbox import Inbox
from ivr.dialogue.engine.contract import PartFailed, Said, Say
from ivr.errors import SpeechUnavailable
from ivr.events import PlayDone
from ivr.ports import MediaLeg, SpeechService

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Saying:
    say: Say
    parts: set[int] = field(default_factory=set)
    all_queued: bool = False
    stopped: bool = False


class Mouth:
    """One caller's prompts. Posts Said exactly once for every Say, and PartFailed when nothing can be rendered."""

    def __init__(self, media: MediaLeg, speech: SpeechService, inbox: Inbox) -> None:
        self._media = media
        self._speech = speech
        self._inbox = inbox
        self._queue: asyncio.Queue[_Saying] = asyncio.Queue()
        self._sayings: dict[int, _Saying] = {}
        self._owner: dict[int, _Saying] = {}
        self._tokens = itertools.count(1)  # of our plays; ring-back and whisper have theirs in bridge_transfer

    @property
    def speaking(self) -> bool:
        return bool(self._sayings)

    @property
    def bargein(self) -> bool:
        """May speech stop what is being said now?"""
        return all(s.say.bargein for s in self._sayings.values())

    async def say(self, say: Say) -> None:
        if say.cut:
            await self.stop()
        saying = _Saying(say)
        self._sayings[say.token] = saying
        self._queue.put_nowait(saying)

    async def stop(self) -> None:
        """Silence now: what plays is cut, what waits is dropped; each reports ``completed=False``."""
        if not self._sayings:
            return
        waiting = list(self._sayings.values())
        for saying in waiting:
            saying.stopped = True
        await self._media.stop_playing()
        for saying in waiting:
            if not saying.parts:
                self._finish(saying, completed=False)

    async def run(self) -> None:
        """Render and play what is queued, for as long as the call lasts."""
        while True:
            saying = await self._queue.get()
            if saying.stopped:
                continue
            await self._play(saying)

    async def _play(self, saying: _Saying) -> None:
        say = saying.say
        for words in say.words:
            if not words.text and not words.audio:
                continue
            try:
                keep = words.masked is None
                clip = await self._speech.render(words.text, say.language, say.voice, words.audio, keep=keep)
            except SpeechUnavailable as error:
                log.error("prompt.unspoken", prompt=words.prompt_id, error=str(error))
                self._inbox.put_nowait(PartFailed("synthesiser", str(error)))
                break
            if saying.stopped:
                break
            token = next(self._tokens)
            saying.parts.add(token)
            self._owner[token] = saying
            await self._media.play([clip], token=token, stop_on_key=True)
        saying.all_queued = True
        if not saying.parts:
            self._finish(saying, completed=not saying.stopped)

    def played(self, event: PlayDone) -> None:
        """Account for a PlayDone, if it is ours."""
        saying = self._owner.pop(event.token, None)
        if saying is None:
            return
        saying.parts.discard(event.token)
        if not event.completed:
            saying.stopped = True
        if not saying.parts and (saying.all_queued or saying.stopped):
            self._finish(saying, completed=not saying.stopped)

    def _finish(self, saying: _Saying, *, completed: bool) -> None:
        if self._sayings.pop(saying.say.token, None) is not None:
            self._inbox.put_nowait(Said(saying.say.token, completed))
