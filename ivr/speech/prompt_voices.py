"""Prompt voices: synthesisers elsewhere that render fixed prompts, each once, into the prompt cache.

What changes from call to call is never sent to one. What one can't render is rendered here, and nothing is silent; it
is owed then, and made beside the calls once such a prompt is said while the endpoint is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from ivr.config import PromptVoiceConfig
from ivr.dialogue.spoken.language import served
from ivr.errors import SpeechUnavailable
from ivr.ports import Clip, EngineStatus
from ivr.speech.endpoints.circuit_breaker import CircuitBreaker
from ivr.speech.endpoints.failure import EndpointFailed
from ivr.speech.prompt_cache import PromptCache, clip_key

log = structlog.get_logger()
ENGINE = "openai"
_PATIENCE_S = 10.0  # an endpoint that asks for a shorter wait is waited for, so that a language has one voice
_TRIES = 3
_AGAIN_S = 60.0  # from the end of one round of what is owed to the next

Level = Callable[[bytes], Awaitable[bytes]]
"""A WAV file as a telephone prompt: PCM. Raises SpeechUnavailable."""


class PromptVoices:
    """The configured ones, the first that serves a language speaks it. ``aclose`` it."""

    def __init__(
        self,
        configs: Sequence[PromptVoiceConfig],
        cache: PromptCache,
        level: Level,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._voices = [_PromptVoice(config, now) for config in configs]
        self._cache = cache
        self._level = level
        self._now = now
        self._owed: dict[str, tuple[_PromptVoice, str]] = {}  # by key: fixed prompts that the voice here stands in for
        self._catching_up: asyncio.Task[None] | None = None
        self._next_round = now()
        self._made: set[str] = set()  # keys of the cache
        self._making: dict[str, asyncio.Future[Clip | None]] = {}

    async def aclose(self) -> None:
        if self._catching_up is not None:
            self._catching_up.cancel()
            await asyncio.wait({self._catching_up})
        for each in self._voices:
            await each.speech.aclose()

    def statuses(self) -> Sequence[EngineStatus]:
        return [each.status() for each in self._voices]

    @property
    def owed(self) -> int:
        """How many fixed prompts the voice here speaks in the place of one elsewhere."""
        return len(self._owed)

    def speaks(self, language: str, voice: str = "") -> bool:
        """Whether one may speak fixed prompts in this language, sooner or later."""
        return self._speaker(language, voice) is not None

    def _speaker(self, language: str, voice: str) -> _PromptVoice | None:
        serving = (v for v in self._voices if served(language, v.config.languages))
        return None if voice else next(serving, None)

    async def clip(self, text: str, language: str, voice: str = "", *, make: bool) -> Clip | None:
        """The prompt as a voice elsewhere speaks it; None where none does, or can. ``make``: it is a fixed one, to be
        made if it isn't yet; else only what was made is fetched, and what is owed is made for later. A ``voice`` that
        was chosen is one of ours."""
        if (speaker := self._speaker(language, voice)) is None:
            return None
        key = clip_key(text, language, ENGINE, speaker.speech.version, speaker.config.voice)
        if key not in self._made and not make:
            if key in self._owed:
                self._catch_up()
            return None
        clip = self._cache.recall(key) or await asyncio.to_thread(self._cache.fetch, key)
        if clip is not None or not make:
            self._made.add(key)
            return clip
        return await self._once(speaker, key, text)

    async def _once(self, speaker: _PromptVoice, key: str, text: str) -> Clip | None:
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.ensure_future(self._make(speaker, key, text))
            making.add_done_callback(lambda _: self._making.pop(key, None))
        return await asyncio.shield(making)

    def _catch_up(self) -> None:
        """Make what is owed, one after the other, while nobody waits for it."""
        if self._now() < self._next_round or (self._catching_up is not None and not self._catching_up.done()):
            return
        if any(speaker.available for speaker, _ in self._owed.values()):
            self._catching_up = asyncio.create_task(self._round(), name="prompt_voices")

    async def _round(self) -> None:
        owed = list(self._owed.items())
        for key, (speaker, text) in owed:
            if speaker.available:
                await self._once(speaker, key, text)
        self._next_round = self._now() + _AGAIN_S
        log.info("prompt_voice.caught_up", made=len(owed) - len(self._owed), owed=len(self._owed))

    async def _make(self, speaker: _PromptVoice, key: str, text: str) -> Clip | None:
        try:
            wav = await speaker.speak(text)
            pcm = await self._level(wav) if wav is not None else b""
        except SpeechUnavailable as error:
            log.warning("prompt_voice.unusable", error=str(error))
            pcm = b""
        if not pcm:
            self._owed[key] = speaker, text
            return None
        clip = await asyncio.to_thread(self._cache.store, Clip(key, pcm))
        self._made.add(key)
        self._owed.pop(key, None)
        return clip


class _PromptVoice:
    """One endpoint with its circuit breaker."""

    def __init__(self, config: PromptVoiceConfig, now: Callable[[], float]) -> None:
        self.config = config
        from ivr.speech.endpoints.openai_speech import OpenAiSpeech  # and its HTTP client: see second_ear.transcriber

        self.speech = OpenAiSpeech(config)
        self._breaker = CircuitBreaker("prompt_voice", now)

    def status(self) -> EngineStatus:
        detail = "" if self._breaker.closed else self._breaker.detail
        return EngineStatus(f"prompt_voice {ENGINE}", self.config.languages, not detail, detail)

    @property
    def available(self) -> bool:
        """Whether it isn't left alone just now."""
        return self._breaker.closed or self._breaker.is_due

    async def speak(self, text: str) -> bytes | None:
        """A WAV file; None when it fails (logged), or is left alone just now."""
        if not self._breaker.closed and not self._breaker.due():
            return None
        for left in reversed(range(_TRIES)):
            try:
                async with asyncio.timeout(self.config.timeout_s):
                    wav = await self.speech.speak(text)
            except TimeoutError:
                late = f"it took longer than {self.config.timeout_s:g} s"
                self._failed(EndpointFailed(late, remedy="raise timeout_s, or speed it up"))
                return None
            except EndpointFailed as error:
                if left and 0 < error.wait_s <= _PATIENCE_S:
                    log.info("prompt_voice.waited_for", seconds=error.wait_s)
                    await asyncio.sleep(error.wait_s)
                    continue
                self._failed(error)
                return None
            self._breaker.succeeded()
            return wav
        raise AssertionError("the last try returns")

    def _failed(self, error: EndpointFailed) -> None:
        log.warning("prompt_voice.failed", error=str(error))
        self._breaker.failed(error)
