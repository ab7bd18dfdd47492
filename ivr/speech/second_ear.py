"""The second ear: an independent recogniser elsewhere that is asked, for a moment, about what our own is unsure of.

Nothing depends on it. What it doesn't answer in time is taken as our own recogniser read it; where it keeps failing it
is left alone for a while, and one utterance that nobody waits for finds out whether it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Protocol

import structlog

from ivr.config import SecondEarConfig
from ivr.dialogue.spoken.language import served
from ivr.dialogue.understanding.grammar import SpeechGrammar, slot_name
from ivr.events import Heard
from ivr.ports import EngineStatus
from ivr.speech.endpoints.circuit_breaker import CircuitBreaker
from ivr.speech.endpoints.connection import EndpointFailed
from ivr.speech.endpoints.openai_transcription import OpenAiTranscription
from ivr.speech.endpoints.vosk_server import VoskServer

log = structlog.get_logger()
NAME = "second_ear"
_LATE_S = 10.0  # what nobody waits for may take so long


class Transcriber(Protocol):
    """A recogniser elsewhere, one file a vendor in ``speech/endpoints``."""

    async def transcribe(self, pcm: bytes, language: str, vocabulary: Collection[str]) -> tuple[str, ...]:
        """What was said in 8 kHz PCM, best first; nothing where nobody spoke. Raises EndpointFailed."""

    async def aclose(self) -> None: ...


def transcriber(config: SecondEarConfig) -> Transcriber:
    return OpenAiTranscription(config) if config.kind == "openai" else VoskServer(config)


class SecondEar:
    """As configured now. ``apply`` changes it while calls go on; ``aclose`` it."""

    def __init__(self, config: SecondEarConfig | None, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._tasks: set[asyncio.Task[object]] = set()
        self._asked = 0  # utterances that it is asked about just now
        self._set(config)

    def _set(self, config: SecondEarConfig | None) -> None:
        self._config = config
        self._transcriber = transcriber(config) if config is not None else None
        self._breaker = CircuitBreaker(NAME, self._now)

    def apply(self, config: SecondEarConfig | None) -> None:
        """From the next utterance on. Also where nothing changed: its key may have been replaced."""
        if config == self._config and self._breaker.closed:
            return
        former = self._transcriber
        self._set(config)
        if former is not None:
            self._keep(asyncio.create_task(former.aclose()))

    async def aclose(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._transcriber is not None:
            await self._transcriber.aclose()

    def serves(self, language: str) -> bool:
        return self._config is not None and served(language, self._config.languages)

    def status(self) -> EngineStatus | None:
        """None where none is configured."""
        if self._config is None:
            return None
        kept = "" if self._breaker.closed else self._breaker.detail
        return EngineStatus(f"{NAME} {self._config.kind}", self._config.languages, not kept, kept)

    def ask(self, pcm: bytes, language: str, grammar: SpeechGrammar | None) -> asyncio.Task[tuple[str, ...]] | None:
        """What it reads, once that is there: nothing after its time. None: it isn't to be waited for."""
        config = self._config
        if config is None or not self.serves(language):
            return None
        trial = not self._breaker.closed
        if trial and not self._breaker.due():
            return None
        if not trial and self._asked >= config.at_once:
            log.info("second_ear.busy", at_once=config.at_once)
            return None
        asking = self._answer(config, pcm, language, grammar, _LATE_S if trial else config.timeout_s)
        task = asyncio.create_task(asking, name=NAME)
        self._asked += 1
        task.add_done_callback(lambda _: self._answered())
        self._keep(task)
        return None if trial else task

    async def _answer(
        self, config: SecondEarConfig, pcm: bytes, language: str, grammar: SpeechGrammar | None, within_s: float
    ) -> tuple[str, ...]:
        breaker, asked, began = self._breaker, self._transcriber, time.monotonic()
        assert asked is not None
        vocabulary = words_of(grammar) if grammar is not None and config.vocabulary else ()
        try:
            async with asyncio.timeout(within_s):
                found = await asked.transcribe(pcm, language, vocabulary)
        except TimeoutError:
            breaker.failed(
                EndpointFailed(f"it took longer than {within_s:g} s", remedy="raise timeout_s, or speed it up")
            )
            return ()
        except EndpointFailed as error:
            breaker.failed(error)
            return ()
        breaker.succeeded()
        log.info("second_ear.answered", took_s=round(time.monotonic() - began, 3), transcripts=len(found))
        return found

    def _answered(self) -> None:
        self._asked -= 1

    def _keep(self, task: asyncio.Task[object]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class SecondedReadings:
    """One call's readings in the order they were spoken: an unsure one once the second ear has answered, or its time is
    over. ``tell`` gets them."""

    def __init__(self, ear: SecondEar, language: str, tell: Callable[[Heard], None]) -> None:
        self._ear = ear
        self._language = language
        self._tell = tell
        self._waiting: deque[tuple[Heard, asyncio.Task[tuple[str, ...]] | None]] = deque()

    def take(self, heard: Heard, pcm: bytes = b"", grammar: SpeechGrammar | None = None) -> None:
        """``pcm``: the utterance, where the recogniser is unsure of it."""
        asked = self._ear.ask(pcm, self._language, grammar) if pcm else None
        self._waiting.append((heard, asked))
        if asked is not None:
            asked.add_done_callback(lambda _: self._report())
        self._report()

    def give_up(self) -> None:
        """What still waits is told as it is."""
        while self._waiting:
            heard, asked = self._waiting.popleft()
            if asked is not None:
                asked.cancel()
            self._tell(heard)

    def close(self) -> None:
        """Nobody wants to know any more."""
        for _, asked in self._waiting:
            if asked is not None:
                asked.cancel()
        self._waiting.clear()

    def _report(self) -> None:
        while self._waiting and ((asked := self._waiting[0][1]) is None or asked.done()):
            heard, _ = self._waiting.popleft()
            if asked is not None and not asked.cancelled():
                heard = replace(heard, recognition=replace(heard.recognition, seconded=asked.result()))
            self._tell(heard)


def words_of(grammar: SpeechGrammar) -> frozenset[str]:
    """Every word that the grammar has."""
    texts = [*grammar.phrases, *(value for _, values in grammar.slots for value in values)]
    fixed = (piece for template in grammar.templates for piece in template if slot_name(piece) is None)
    return frozenset(word for text in texts for word in text.split()) | frozenset(fixed)
