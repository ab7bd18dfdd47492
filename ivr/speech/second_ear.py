"""The second ear: an independent recogniser elsewhere that is asked, for a moment, about what our own is unsure of.

Nothing depends on it. What it doesn't answer in time is taken as our own recogniser read it; where it keeps failing it
is left alone for a while, and one utterance that nobody waits for finds out whether it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from ivr.config import SecondEarConfig
from ivr.dialogue.spoken.language import served
from ivr.dialogue.understanding.speech_grammar import SpeechGrammar, slot_name
from ivr.events import Heard
from ivr.plain_text import plain
from ivr.ports import EngineStatus
from ivr.speech.endpoints.circuit_breaker import CircuitBreaker
from ivr.speech.endpoints.failure import EndpointFailed

log = structlog.get_logger()
NAME = "second_ear"
_LATE_S = 10.0  # what nobody waits for may take so long
_LEAST_CHARACTERS, _CHARACTERS_A_SECOND = 40, 40  # the fastest speakers say 25


class Transcriber(Protocol):
    """A recogniser elsewhere, one file a vendor in ``speech/endpoints``."""

    async def transcribe(self, pcm: bytes, language: str, vocabulary: Collection[str]) -> tuple[str, ...]:
        """What was said in 8 kHz PCM, best first; nothing where nobody spoke. Raises EndpointFailed."""

    async def aclose(self) -> None: ...


def transcriber(config: SecondEarConfig) -> Transcriber:
    # An HTTP client takes a tenth of a second to import, for which a line's engines would wait: few have such an ear.
    if config.kind == "openai":
        from ivr.speech.endpoints.openai_transcription import OpenAiTranscription

        return OpenAiTranscription(config)
    from ivr.speech.endpoints.vosk_server import VoskServer

    return VoskServer(config)


@dataclass(frozen=True, slots=True)
class _Configured:
    """One configuration's endpoint, for as long as it is asked."""

    config: SecondEarConfig
    transcriber: Transcriber
    breaker: CircuitBreaker


class SecondEar:
    """As configured now. ``apply`` changes it while calls go on; ``aclose`` it."""

    def __init__(self, config: SecondEarConfig | None, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._tasks: set[asyncio.Task[object]] = set()
        self._asked = 0  # utterances that it is asked about just now
        self._set(config)

    def _set(self, config: SecondEarConfig | None) -> None:
        self._ear: _Configured | None = None
        if config is not None:
            self._ear = _Configured(config, transcriber(config), CircuitBreaker(NAME, self._now))

    def apply(self, config: SecondEarConfig | None) -> None:
        """From the next utterance on. Also where nothing changed: its key may have been replaced."""
        former, asked = self._ear, list(self._tasks)
        if former is None:
            self._set(config)
        elif config != former.config or not former.breaker.closed:
            self._set(config)
            self._keep(asyncio.create_task(_retired(former.transcriber, asked)))

    async def aclose(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._ear is not None:
            await self._ear.transcriber.aclose()

    def serves(self, language: str) -> bool:
        return self._ear is not None and served(language, self._ear.config.languages)

    def status(self) -> EngineStatus | None:
        """None where none is configured."""
        if self._ear is None:
            return None
        config, breaker = self._ear.config, self._ear.breaker
        kept = "" if breaker.closed else breaker.detail
        return EngineStatus(f"{NAME} {config.kind}", config.languages, not kept, kept)

    def ask(self, pcm: bytes, language: str, grammar: SpeechGrammar | None) -> asyncio.Task[tuple[str, ...]] | None:
        """What it reads, once that is there: nothing after its time. None: it isn't to be waited for."""
        ear = self._ear
        if ear is None or not self.serves(language):
            return None
        trial = not ear.breaker.closed
        if trial and not ear.breaker.due():
            return None
        if not trial and self._asked >= ear.config.at_once:
            log.info("second_ear.busy", at_once=ear.config.at_once)
            return None
        task = asyncio.create_task(_answer(ear, pcm, language, grammar, trial=trial), name=NAME)
        self._asked += 1
        task.add_done_callback(lambda _: self._answered())
        self._keep(task)
        return None if trial else task

    def _answered(self) -> None:
        self._asked -= 1

    def _keep(self, task: asyncio.Task[object]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _answer(
    ear: _Configured, pcm: bytes, language: str, grammar: SpeechGrammar | None, *, trial: bool
) -> tuple[str, ...]:
    """Raises nothing but cancellation: a reading waits for it."""
    config, breaker, began = ear.config, ear.breaker, time.monotonic()
    vocabulary = words_of(grammar) if grammar is not None and config.vocabulary else ()
    try:
        async with asyncio.timeout(_LATE_S if trial else config.timeout_s):
            answered = await ear.transcriber.transcribe(pcm, language, vocabulary)
        if (took_s := time.monotonic() - began) > config.timeout_s:  # a trial warms it up, and is no proof yet
            raise TimeoutError
    except TimeoutError:
        late = f"it took longer than {config.timeout_s:g} s"
        breaker.failed(EndpointFailed(late, remedy="raise timeout_s, or speed it up"))
        return ()
    except EndpointFailed as error:
        breaker.failed(error)
        return ()
    except Exception as error:  # whatever an answer may set off
        log.error("second_ear.raised", error=type(error).__name__, exc_info=error)
        breaker.failed(EndpointFailed(f"its answer can't be read ({type(error).__name__})", remedy="see the log"))
        return ()
    breaker.succeeded()
    found = tuple(text for each in answered if (text := plain(each).strip()) and len(text) <= _sayable(len(pcm)))
    log.info("second_ear.answered", took_s=round(took_s, 3), transcripts=len(found))
    return found


async def _retired(former: Transcriber, asked: Collection[asyncio.Task[object]]) -> None:
    """Closed, once it has answered what it was asked."""
    if asked:
        await asyncio.wait(asked)
    await former.aclose()


def _sayable(size: int) -> int:
    """Characters that may be said in so many bytes of 8 kHz PCM: a model that loops writes more."""
    return _LEAST_CHARACTERS + _CHARACTERS_A_SECOND * size // 16000


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
