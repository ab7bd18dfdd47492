"""The speech recognition worker: voice activity for all its calls on the loop, recognition in a small thread pool."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import structlog

from ivr.dialogue.spoken.language import served
from ivr.errors import IvrError, SpeechUnavailable
from ivr.events import Cause, RecogniserFailed, Recognition
from ivr.ports import ListenRequest, SpeechGrammar
from ivr.speech import wire
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from ivr.speech.recognisers.vosk import VoskRecogniser
from ivr.speech.vendors import MOONSHINE_LANGUAGES, vosk_models
from ivr.speech.wire import GRAMMAR, RECOGNITION, Close, Engine, Listen, Open, Ready, Recognise, Setup
from ivr.speech.worker.attempt import Attempt, Outcome
from ivr.speech.worker.endpointing import SileroModel, SileroStream, speech_span
from ivr.speech.worker.engines import TELEPHONE_RATE, Cancelled, Recogniser, Samples
from ivr.speech.worker.manner import Measured, measure
from ivr.speech.worker.openness import Openness
from ivr.speech.worker.utterance import SPECULATE_S, UtteranceDetector
from ivr.workers.link import Link
from ivr.workers.process import Attention

log = structlog.get_logger()
R = TypeVar("R")
_TICK_S = 0.02
_THREADS = max(2, os.cpu_count() or 2)
_HUNG_S = 8.0  # a recognition that takes longer will not return: the worker gives itself up
_BEHIND_NICE = 15
_LAPSE_S = 1.0  # a loop that ticks later than this was held up itself
_GRAMMARS = 128
_BUSY_S = 0.25  # of silence before a recognition is begun while another runs: it may be for nothing


def build_recognisers(kind: str, models: Path) -> list[Recogniser]:
    """In the order of preference: Moonshine for English first, then a Vosk model a language."""
    found: list[Recogniser] = []
    if kind in ("auto", "moonshine"):
        found.append(MoonshineRecogniser())
    if kind in ("auto", "vosk"):
        for language, directory in vosk_models(models).items():
            if kind == "vosk" or not served(language, MOONSHINE_LANGUAGES):
                found.append(VoskRecogniser(directory, language))
    return found


class RecognitionWorker:
    """Answers the line's messages. Every method but those given to threads runs on the loop."""

    def __init__(self, line: Link) -> None:
        self._line = line
        self._pool = ThreadPoolExecutor(_THREADS, "recognise")
        self._behind = ThreadPoolExecutor(1, "transcribe", initializer=_step_back)
        self._recognisers: list[Recogniser] = []
        self._vad: SileroModel | None = None
        self._sessions: dict[int, UtteranceDetector] = {}
        self._grammars: dict[str, SpeechGrammar] = {}  # by key, the last used last
        self._openness = lru_cache(_GRAMMARS)(Openness)
        self._running: dict[object, float] = {}  # began (the loop's time)
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Tick the detectors against deadlines; give the worker up when a recognition hangs."""
        due = self._loop.time()
        attention = Attention(due, _LAPSE_S)
        while True:
            due = max(due + _TICK_S, self._loop.time())
            await asyncio.sleep(due - self._loop.time())
            now = self._loop.time()
            attention.look(now)
            for detector in list(self._sessions.values()):
                detector.tick(now)
            began = list(self._running.values())  # one step: the threads change it meanwhile
            if began and now - max(min(began), attention.since) > _HUNG_S:
                os._exit(70)  # the line sees the socket close, tells the calls and starts another worker

    def received(self, kind: int, number: int, body: bytes) -> None:
        """One frame of the line's."""
        if kind == wire.AUDIO:
            detector = self._sessions.get(number)
            if detector is not None:
                detector.feed(*wire.parse_audio(body), self._loop.time())
            return
        message, asking = wire.decode(kind, body)
        match message:
            case Setup(recogniser, models):
                self._pool.submit(self._load, recogniser, Path(models))
            case Open(language, background):
                self._open(number, language, background)
            case Listen() as listen:
                self._listen(number, listen)
            case Close():
                detector = self._sessions.pop(number, None)
                if detector is not None:
                    detector.close()
            case Recognise(key, size, blob):
                self._recognise_whole(asking, blob[size:], self._grammar(key, blob[:size]))

    def close(self) -> None:
        """The line is gone."""
        for pool in (self._pool, self._behind):
            pool.shutdown(wait=False, cancel_futures=True)

    def _load(self, kind: str, models: Path) -> None:
        """In a thread: models take their time."""
        loaded: list[Recogniser] = []
        engines: list[Engine] = []
        vad = SileroModel()
        for recogniser in build_recognisers(kind, models):
            detail = ""
            try:
                recogniser.load()
                loaded.append(recogniser)
            except (IvrError, OSError, RuntimeError) as error:
                detail = str(error) or repr(error)
            engines.append(Engine(recogniser.name, tuple(recogniser.languages), detail))
            # Each language is served as soon as it can be: a big model must not keep the others waiting.
            self._loop.call_soon_threadsafe(self._loaded, list(loaded), vad, Ready(tuple(engines), False))
        self._loop.call_soon_threadsafe(self._loaded, loaded, vad, Ready(tuple(engines), True))

    def _loaded(self, recognisers: list[Recogniser], vad: SileroModel, ready: Ready) -> None:
        self._recognisers, self._vad = recognisers, vad
        self._tell(0, ready)

    def _tell(self, session: int, message: wire.Message) -> None:
        kind, body = wire.encode(message)
        self._line.send(kind, session, body)

    def _recogniser(self, language: str) -> Recogniser | None:
        able = [r for r in self._recognisers if served(language, r.languages)]
        return max(able, key=lambda r: language in r.languages, default=None)  # the first, unless one is exact

    def _open(self, session: int, language: str, background: bool) -> None:
        recogniser = self._recogniser(language)
        if recogniser is None or self._vad is None:
            self._tell(session, RecogniserFailed(f"no recogniser for {language}"))
            return
        self._sessions[session] = UtteranceDetector(
            SileroStream(self._vad),
            lambda event: self._tell(session, event),
            lambda detector, attempt: self._submit(recogniser, detector, attempt, background),
            self._openness,
            lambda: _BUSY_S if self._running else SPECULATE_S,
        )

    def _grammar(self, key: str, packed: bytes) -> SpeechGrammar:
        grammar = self._grammars.pop(key, None) or GRAMMAR.validate_json(packed)
        self._grammars[key] = grammar
        if len(self._grammars) > _GRAMMARS:
            del self._grammars[next(iter(self._grammars))]
        return grammar

    def _listen(self, session: int, listen: Listen) -> None:
        detector = self._sessions.get(session)
        if detector is None:
            return
        if not listen.key:
            detector.listen(None)
            return
        grammar = self._grammar(listen.key, listen.blob)
        self._compile(grammar)
        detector.listen(ListenRequest(grammar, listen.hangover_s, listen.max_utterance_s, listen.early))

    def _compile(self, grammar: SpeechGrammar) -> None:
        recogniser = self._recogniser(grammar.language)
        if recogniser is not None:
            self._pool.submit(_compile, recogniser, grammar)
            self._pool.submit(self._openness, grammar)

    def _submit(self, recogniser: Recogniser, detector: UtteranceDetector, attempt: Attempt, background: bool) -> None:
        def work() -> Outcome:
            if attempt.cancelled():
                raise Cancelled
            speech = samples_of(attempt.pcm)
            return Outcome(recogniser.recognise(speech, attempt.grammar, attempt.cancelled), measure(speech))

        def ready(future: Future[Outcome]) -> None:
            error = future.exception()
            if error is None:
                detector.done(attempt, future.result())
            elif not isinstance(error, Cancelled):
                log.error("recognition.failed", engine=recogniser.name, error=repr(error))
                duration_s = len(attempt.pcm) / 2 / TELEPHONE_RATE
                failed = Recognition(Cause.ERROR, duration_s=duration_s, engine=recogniser.name)
                detector.done(attempt, Outcome(failed, Measured()))

        future = self._behind.submit(work) if background else self._start(attempt, work)
        future.add_done_callback(lambda f: self._loop.call_soon_threadsafe(ready, f))

    def _start(self, key: object, work: Callable[[], R]) -> Future[R]:
        def timed() -> R:
            self._running[key] = self._loop.time()  # a plain dict: one key a thread
            try:
                return work()
            finally:
                self._running.pop(key, None)

        return self._pool.submit(timed)

    def _recognise_whole(self, asking: int, pcm: bytes, grammar: SpeechGrammar) -> None:
        recogniser, vad = self._recogniser(grammar.language), self._vad

        def heard() -> Recognition:
            if recogniser is None or vad is None:
                raise SpeechUnavailable(f"no recogniser for {grammar.language}", remedy="ivr models get NAME")
            span = speech_span(vad, pcm)
            if span is None:
                return Recognition(
                    Cause.NO_INPUT_TIMEOUT, duration_s=len(pcm) / 2 / TELEPHONE_RATE, engine=recogniser.name
                )
            return recogniser.recognise(samples_of(pcm[2 * span[0] : 2 * span[1]]), grammar)

        self._line.answer(asking, self._start(object(), lambda: RECOGNITION.dump_json(heard())))


def _step_back() -> None:
    """This thread takes what processor time the others leave (on Linux a thread has a priority of its own)."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BEHIND_NICE)


def _compile(recogniser: Recogniser, grammar: SpeechGrammar) -> None:
    unknown = recogniser.compile(grammar)
    if unknown:
        log.warning("grammar.words_unknown", engine=recogniser.name, grammar=grammar.key, count=len(unknown))


def samples_of(pcm: bytes) -> Samples:
    """16-bit PCM as samples of -1..1."""
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768.0)
