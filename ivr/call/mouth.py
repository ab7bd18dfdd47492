"""What is being said to the caller: renders prompts, plays them in order, and falls silent when told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from ivr.dialogue.engine.contract import Say
from ivr.errors import SpeechUnavailable
from ivr.events import PlayDone
from ivr.ports import MediaLeg, SpeechService

log = structlog.get_logger(__name__)

# Tokens of our plays; the ring-back and the whisper have their own ranges in handoff.
_FIRST_PLAY_TOKEN = 1


@dataclass(slots=True)
class _Saying:
    say: Say
    parts: set[int] = field(default_factory=set)
    all_queued: bool = False
    stopped: bool = False
    played_s: float = 0.0


class Mouth:
    """One caller's prompts. ``on_said(token, completed)`` is called exactly once for every Say."""

    def __init__(
        self,
        media: MediaLeg,
        speech: SpeechService,
        on_said: Callable[[int, bool], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._media = media
        self._speech = speech
        self._on_said = on_said
        self._on_failure = on_failure
        self._queue: asyncio.Queue[_Saying] = asyncio.Queue()
        self._sayings: dict[int, _Saying] = {}
        self._owner: dict[int, _Saying] = {}
        self._tokens = itertools.count(_FIRST_PLAY_TOKEN)
        self.seconds_said = 0.0

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
                clip = await self._speech.render(words.text, say.language, say.voice, words.audio)
            except SpeechUnavailable as error:
                log.error("prompt.unspoken", prompt=words.prompt_id, error=str(error))
                self._on_failure(str(error))
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

    def played(self, event: PlayDone) -> bool:
        """Account for a PlayDone of ours; False when it isn't."""
        saying = self._owner.pop(event.token, None)
        if saying is None:
            return False
        saying.parts.discard(event.token)
        saying.played_s += event.played_s
        self.seconds_said += event.played_s
        if not event.completed:
            saying.stopped = True
        if not saying.parts and (saying.all_queued or saying.stopped):
            self._finish(saying, completed=not saying.stopped)
        return True

    def _finish(self, saying: _Saying, *, completed: bool) -> None:
        if self._sayings.pop(saying.say.token, None) is not None:
            self._on_said(saying.say.token, completed)
