"""Prompts (TTS, VoiceXML's prompt): recordings first, then what the cache keeps, then a synthesiser's in its worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from ivr.config import SpeechConfig
from ivr.errors import ConfigError, SpeechUnavailable
from ivr.extras import installing
from ivr.ports import Clip, EngineStatus
from ivr.speech import vendors
from ivr.speech.prompt_cache import PromptCache, Recordings, Said, Saying, clip_key, recording_key
from ivr.speech.prompt_voices import PromptVoices
from ivr.speech.speech_process import SpeechProcess
from ivr.speech.wire import Level, Render, Setup

log = structlog.get_logger(__name__)
_RENDER_S = 20.0
_PARALLEL_RENDERS = 4


class PromptRenderer:
    """Renders by ``speaker``, the worker that speaks."""

    def __init__(self, config: SpeechConfig) -> None:
        self._recordings = Recordings(config.recordings)
        self._cache = PromptCache(config.cache)
        self._said = Said()
        self._offers = vendors.synthesiser_offers(config)
        self._failures: dict[str, str] = {}  # synthesiser -> why it failed last
        self._making: dict[str, asyncio.Future[Clip]] = {}
        self._prompt_voices = PromptVoices(config.prompt_voices, self._cache, lambda wav: self._asked(Level(wav)))
        preload = tuple(o.name for o in self._offers if o.languages)[:1]
        self.speaker = SpeechProcess("speak", Setup(preload=preload, nice=config.nice))

    async def aclose(self) -> None:
        await self._prompt_voices.aclose()
        await self.speaker.worker.stop()

    async def render(
        self, text: str, language: str, voice: str = "", recording: str = "", *, keep: bool = True, said: bool = True
    ) -> Clip:
        """``said``: to one caller, and no fixed prompt; on disk it is kept apart."""
        saying = Saying(text, language, voice, recording)
        edition = await self._edition()
        clip = self._cache.recall(self._said.key(saying, edition))
        if clip is not None:
            return clip
        clip, again = await self._clip(saying, keep=keep, said=said)
        if again and clip.key:
            self._said.remember(saying, edition, clip.key)
        return clip

    async def _edition(self) -> int:
        """Of the recordings, as of a moment ago."""
        if self._recordings.stale:
            try:
                return await asyncio.to_thread(self._recordings.look)
            except OSError as error:
                log.error("recording.unreadable", error=str(error))
        return self._recordings.edition

    async def _clip(self, saying: Saying, *, keep: bool, said: bool) -> tuple[Clip, bool]:
        """The clip, and whether it would be the same again: not where another voice stands in."""
        text, language, voice = saying.text, saying.language, saying.voice
        recorded = await self._recorded(text, language, saying.recording)
        if recorded is not None:
            return recorded, True
        if keep and (fixed := await self._prompt_voices.clip(text, language, voice, make=False)) is not None:
            return fixed, True
        able = vendors.synthesisers_for(self._offers, language, voice)
        if not able:
            raise SpeechUnavailable(f"nothing here speaks {language}", remedy=f"{installing('espeak')}, or record it")
        problem = ""
        for offer in able:
            try:
                spoken_by = vendors.voice_of(offer, voice)
                order = Render(offer.name, text, language, spoken_by)
                if not keep:
                    return await self._spoken("", order), False  # without a key it is shared with nobody
                key = clip_key(text, language, offer.name, offer.version, spoken_by)
                return await self._made(key, order, said), not problem and not self._prompt_voices.speaks(
                    language, voice
                )
            except SpeechUnavailable as error:
                problem = str(error)
                self._failures[offer.name] = problem
                log.warning("synthesis.failed", engine=offer.name, language=language, error=problem)
        raise SpeechUnavailable(f"{language}: {problem}")

    async def recording(self, name: str, language: str) -> Clip | None:
        return await self._recorded("", language, name)

    async def _recorded(self, text: str, language: str, name: str) -> Clip | None:
        """The recording of ``text`` as a telephone prompt; None when there is none, or none of use (logged)."""
        try:
            path = await asyncio.to_thread(self._recordings.find, text, language, name)
            if path is None:
                return None
            wav = await asyncio.to_thread(path.read_bytes)
            return await self._made(recording_key(wav), Level(wav))
        except (OSError, ConfigError, SpeechUnavailable) as error:  # it is synthesised then
            log.error("recording.unreadable", language=language, error=str(error))
            return None

    async def _made(self, key: str, order: Render | Level, said: bool = False) -> Clip:
        """The clip of ``key`` from the cache, else made; the same one for two calls at once is made once."""
        clip = self._cache.recall(key) or await asyncio.to_thread(self._cache.fetch, key)
        if clip is not None:
            return clip
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.ensure_future(self._make(key, order, said))
            making.add_done_callback(lambda made: self._over(key, made))
        return await asyncio.shield(making)

    def _over(self, key: str, made: asyncio.Future[Clip]) -> None:
        """Whoever asked may be gone: that it failed is then nobody's news."""
        self._making.pop(key, None)
        if not made.cancelled():
            made.exception()

    async def _make(self, key: str, order: Render | Level, said: bool) -> Clip:
        return await asyncio.to_thread(self._cache.store, await self._spoken(key, order), said)

    async def _spoken(self, key: str, order: Render | Level) -> Clip:
        pcm = await self._asked(order)
        if isinstance(order, Render):
            self._failures.pop(order.engine, None)
        return Clip(key, pcm)

    async def _asked(self, order: Render | Level) -> bytes:
        return await self.speaker.ask(order, timeout_s=_RENDER_S)

    async def _fixed(self, text: str, language: str, voice: str = "") -> Clip:
        """A fixed prompt, spoken elsewhere where that is configured and works; recordings win."""
        clip = await self._recorded(text, language, "")
        clip = clip or await self._prompt_voices.clip(text, language, voice, make=True)
        return clip or await self.render(text, language, voice, said=False)

    async def render_all(
        self, prompts: Sequence[tuple[str, str, str]], progress: Callable[[int, int], None] | None = None
    ) -> Sequence[Clip]:
        gate = asyncio.Semaphore(_PARALLEL_RENDERS)
        done = 0

        async def one(prompt: tuple[str, str, str]) -> Clip:
            nonlocal done
            async with gate:
                clip = await self._fixed(*prompt)
            done += 1
            if progress is not None:
                progress(done, len(prompts))
            return clip

        async with asyncio.TaskGroup() as tasks:
            made = [tasks.create_task(one(p)) for p in prompts]
        return [task.result() for task in made]

    @property
    def unkept(self) -> str:
        """Why what is rendered can't be kept for the next start; "" while it is."""
        return self._cache.trouble

    @property
    def stood_in(self) -> int:
        """How many fixed prompts the voice here speaks in the place of one elsewhere, for now."""
        return self._prompt_voices.owed

    def statuses(self) -> Sequence[EngineStatus]:
        statuses = []
        for offer in self._offers:
            detail = offer.detail or self._failures.get(offer.name, "")
            if not detail and not self.speaker.worker.up:
                detail = "its worker is not running"
            statuses.append(EngineStatus(offer.name, offer.languages, bool(offer.languages) and not detail, detail))
        return statuses

    def endpoints(self) -> Sequence[EngineStatus]:
        """Voices elsewhere."""
        return self._prompt_voices.statuses()
