"""The mouth: renders prompts, plays them in order as a prompt queue, and falls silent when told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from ivr.call.inbox import Inbox
from ivr.call.turn_timing import TurnTiming
from ivr.dialogue.engine.contract import PartFailed, Said, Say, Words
from ivr.errors import SpeechUnavailable
from ivr.events import PlayDone
from ivr.ports import Clip, MediaLeg, SpeechService

log = structlog.get_logger(__name__)

AT_HAND_S = 0.25  # what comes from the prompt cache comes sooner
SYNTHESIS_LATE_S = (0.8, 2.0, 2.0, 2.0)  # after each but the last the caller hears a word


@dataclass(slots=True)
class _Saying:
    say: Say
    parts: set[int] = field(default_factory=set)
    all_queued: bool = False
    stopped: bool = False


class Mouth:
    """One caller's prompts. Posts Said exactly once for every Say, and PartFailed when nothing can be rendered."""

    def __init__(
        self, media: MediaLeg, speech: SpeechService, inbox: Inbox, filler: Callable[[], Say], timing: TurnTiming
    ) -> None:
        self._media = media
        self._speech = speech
        self._inbox = inbox
        self._filler = filler
        self._timing = timing
        self._queue: asyncio.Queue[_Saying] = asyncio.Queue()
        self._sayings: dict[int, _Saying] = {}
        self._owner: dict[int, _Saying] = {}
        self._filled = False  # nothing was said since the last filler
        self._tokens = itertools.count(1)  # of our plays; those of comfort, whisper and music are far from them

    @property
    def speaking(self) -> bool:
        return bool(self._sayings)

    @property
    def text(self) -> str:
        """What is being said now."""
        return " ".join(words.text for saying in self._sayings.values() for words in saying.say.words)

    @property
    def bargein(self) -> bool:
        """May speech stop what is being said now?"""
        return all(s.say.bargein for s in self._sayings.values())

    async def say(self, say: Say) -> None:
        if say.cut:
            await self.stop()
        self._filled = False
        saying = _Saying(say)
        self._sayings[say.token] = saying
        self._queue.put_nowait(saying)

    async def murmur(self) -> None:
        """A word for who was heard and waits for the answer; not twice in a row."""
        if not self._filled:
            await self.fill()

    async def fill(self) -> None:
        """A word for who waits; none while anything is being said, or where it would have to be synthesised first."""
        if self._owner:
            return
        filler = self._filler()
        try:
            async with asyncio.timeout(AT_HAND_S):
                clips = [
                    await self._speech.render(words.text, filler.language, filler.voice, words.audio)
                    for words in filler.words
                ]
        except (SpeechUnavailable, OSError):  # too slow, too
            return
        if clips and not self._owner:
            self._filled = True
            token = next(self._tokens)
            self._timing.playing(token, filler=True)
            await self._media.play(clips, token=token, stop_on_key=True)

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
            self._timing.rendering()
            try:
                clip = await self._rendered(words, saying)
            except SpeechUnavailable as error:
                log.error("prompt.unspoken", prompt=words.prompt_id, error=str(error))
                self._inbox.put_nowait(PartFailed("synthesiser", str(error)))
                break
            except Exception as error:
                # Whatever else rendering meets on this machine, the caller gets a person, not the fall.
                log.exception("prompt.raised", prompt=words.prompt_id)
                self._inbox.put_nowait(PartFailed("synthesiser", type(error).__name__))
                break
            if saying.stopped:
                break
            token = next(self._tokens)
            saying.parts.add(token)
            self._owner[token] = saying
            self._timing.playing(token)
            await self._media.play([clip], token=token, stop_on_key=True)
        saying.all_queued = True
        if not saying.parts:
            self._finish(saying, completed=not saying.stopped)

    async def _rendered(self, words: Words, saying: _Saying) -> Clip:
        """The clip of ``words``; who has to wait for it hears a word. Raises SpeechUnavailable, also when it takes
        SYNTHESIS_LATE_S in all: a person is the better company then."""
        say, loop = saying.say, asyncio.get_running_loop()
        filling: list[asyncio.Task[None]] = []
        patience = loop.call_later(SYNTHESIS_LATE_S[0], lambda: filling.append(loop.create_task(self._fill(saying))))
        try:
            async with asyncio.timeout(sum(SYNTHESIS_LATE_S)) as bound:
                return await self._speech.render(
                    words.text, say.language, say.voice, words.audio, keep=words.masked is None
                )
        except TimeoutError as error:
            if not bound.expired():
                raise
            raise SpeechUnavailable(
                "synthesis is too slow", remedy="see worker.* and the load of this machine"
            ) from error
        finally:
            patience.cancel()
            for task in filling:
                task.cancel()

    async def _fill(self, saying: _Saying) -> None:
        """Until it is cancelled: a word, and more of them, while nothing is there yet."""
        for late_s in SYNTHESIS_LATE_S[1:]:
            if not saying.stopped:
                await self.fill()
            await asyncio.sleep(late_s)

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
