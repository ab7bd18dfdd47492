"""The listening worker: voice activity for all its calls on the loop, recognition in a small thread pool."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import structlog

from ivr.dialogue.spoken.tags import served
from ivr.errors import IvrError, SpeechUnavailable
from ivr.events import Cause, EarEvent, Heard, RecogniserFailed, Recognition, SpeechEnded, SpeechStarted
from ivr.ports import ListenRequest, SpeechGrammar
from ivr.speech.framing import Message, Sound
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from ivr.speech.recognisers.vosk import VoskRecogniser, model_directories
from ivr.speech.wire_values import pack_recognition, unpack_grammar
from ivr.speech.worker.engines import TELEPHONE_RATE, Cancelled, Recogniser, Samples
from ivr.speech.worker.manner import Measured, measure
from ivr.speech.worker.silero import SileroModel, SileroStream, speech_span
from ivr.speech.worker.utterance import Attempt, Listener, Outcome

log = structlog.get_logger()
R = TypeVar("R")
_TICK_S = 0.02
_THREADS = max(2, os.cpu_count() or 2)
_HUNG_S = 8.0  # a recognition that takes longer will not return: the worker gives itself up
_GRAMMARS = 128


class Sender(Protocol):
    def send(self, session: int, head: dict[str, Any], blob: bytes = b"") -> None: ...


def build_recognisers(kind: str, vosk_models: Path) -> list[Recogniser]:
    """In the order of preference: Moonshine for English first, then a Vosk model a language."""
    found: list[Recogniser] = []
    if kind in ("auto", "moonshine"):
        found.append(MoonshineRecogniser())
    if kind in ("auto", "vosk"):
        for language, directory in model_directories(vosk_models).items():
            if kind == "vosk" or not served(language, ("en",)):
                found.append(VoskRecogniser(directory, language))
    return found


class Hearing:
    """Answers the line's messages. Every method but those given to threads runs on the loop."""

    def __init__(self, link: Sender) -> None:
        self._link = link
        self._pool = ThreadPoolExecutor(_THREADS, "recognise")
        self._recognisers: list[Recogniser] = []
        self._vad: SileroModel | None = None
        self._sessions: dict[int, tuple[Listener, Recogniser]] = {}
        self._grammars: OrderedDict[str, SpeechGrammar] = OrderedDict()
        self._running: dict[object, float] = {}  # began (monotonic)
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Tick the listeners against deadlines; give the worker up when a recognition hangs."""
        due = self._loop.time()
        while True:
            due = max(due + _TICK_S, self._loop.time())
            await asyncio.sleep(due - self._loop.time())
            now = time.monotonic()
            for listener, _ in list(self._sessions.values()):
                listener.tick(now)
            began = list(self._running.values())  # one step: the threads change it meanwhile
            if began and now - min(began) > _HUNG_S:
                os._exit(70)  # the line sees the socket close, tells the calls and starts another worker

    def sound(self, sound: Sound) -> None:
        known = self._sessions.get(sound.session)
        if known is not None:
            known[0].feed(sound.at, sound.pcm, time.monotonic())

    def message(self, message: Message) -> None:
        head, session = message.head, message.session
        match head["op"]:
            case "configure":
                self._pool.submit(self._load, head["recogniser"], Path(head["vosk_models"]))
            case "open":
                self._open(session, head["language"])
            case "listen":
                self._listen(session, head, message.blob)
            case "close":
                known = self._sessions.pop(session, None)
                if known is not None:
                    known[0].close()
            case "warm":
                self._compile(self._grammar(head["grammar"], message.blob))
            case "recognise":
                split = int(head["phrases_size"])
                grammar = self._grammar(head["grammar"], message.blob[:split])
                self._recognise_whole(head["id"], message.blob[split:], grammar)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _load(self, kind: str, vosk_models: Path) -> None:
        """In a thread: models take their time."""
        loaded: list[Recogniser] = []
        engines: list[dict[str, Any]] = []
        vad = SileroModel()
        for recogniser in build_recognisers(kind, vosk_models):
            detail = ""
            try:
                recogniser.load()
                loaded.append(recogniser)
            except (IvrError, OSError, RuntimeError) as error:
                detail = str(error)
            engines.append(
                {"name": recogniser.name, "languages": list(recogniser.languages), "ok": not detail, "detail": detail}
            )
            # Each language is served as soon as it can be: a big model must not keep the others waiting.
            self._loop.call_soon_threadsafe(self._loaded, list(loaded), vad, list(engines), False)
        self._loop.call_soon_threadsafe(self._loaded, loaded, vad, engines, True)

    def _loaded(
        self, recognisers: list[Recogniser], vad: SileroModel, engines: list[dict[str, Any]], complete: bool
    ) -> None:
        self._recognisers, self._vad = recognisers, vad
        self._link.send(0, {"op": "ready", "engines": engines, "complete": complete})

    def _recogniser(self, language: str) -> Recogniser | None:
        exact = [r for r in self._recognisers if language in r.languages]
        near = [r for r in self._recognisers if served(language, r.languages)]
        return next(iter([*exact, *near]), None)

    def _open(self, session: int, language: str) -> None:
        recogniser = self._recogniser(language)
        if recogniser is None or self._vad is None:
            self._event(session, RecogniserFailed(f"no recogniser for {language}"))
            return
        listener = Listener(SileroStream(self._vad), lambda event: self._event(session, event), self._submit)
        self._sessions[session] = listener, recogniser

    def _grammar(self, head: Mapping[str, Any], blob: bytes) -> SpeechGrammar:
        known = self._grammars.get(head["key"])
        if known is None:
            known = self._grammars[head["key"]] = unpack_grammar(head, blob)
            while len(self._grammars) > _GRAMMARS:
                self._grammars.popitem(last=False)
        self._grammars.move_to_end(head["key"])
        return known

    def _listen(self, session: int, head: Mapping[str, Any], blob: bytes) -> None:
        listener, _ = self._sessions.get(session, (None, None))
        if listener is None:
            return
        if head["grammar"] is None:
            listener.listen(None)
            return
        grammar = self._grammar(head["grammar"], blob)
        self._compile(grammar)
        listener.listen(ListenRequest(grammar, head["hangover_s"], head["max_utterance_s"]))

    def _compile(self, grammar: SpeechGrammar) -> None:
        recogniser = self._recogniser(grammar.language)
        if recogniser is not None:
            self._pool.submit(_compile, recogniser, grammar)

    def _submit(self, listener: Listener, attempt: Attempt) -> None:
        recogniser = next((r for known, r in self._sessions.values() if known is listener), None)
        if recogniser is None:
            return

        def work() -> Outcome:
            speech = samples_of(attempt.pcm)
            return Outcome(recogniser.recognise(speech, attempt.grammar, attempt.cancelled), measure(speech))

        def ready(future: Future[Outcome]) -> None:
            outcome = self._outcome(future, recogniser, len(attempt.pcm))
            if outcome is not None:
                listener.done(attempt, outcome)

        self._start(attempt, work, ready, attempt.cancelled)

    def _start(
        self,
        key: object,
        work: Callable[[], R],
        ready: Callable[[Future[R]], None],
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        def timed() -> R:
            if cancelled is not None and cancelled():
                raise Cancelled
            self._running[key] = time.monotonic()  # a plain dict: one key a thread
            try:
                return work()
            finally:
                self._running.pop(key, None)

        future = self._pool.submit(timed)
        future.add_done_callback(lambda f: self._loop.call_soon_threadsafe(ready, f))

    @staticmethod
    def _outcome(future: Future[Outcome], recogniser: Recogniser, size: int) -> Outcome | None:
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, Cancelled):
            return None
        log.error("recognition.failed", engine=recogniser.name, error=repr(error))
        failed = Recognition(Cause.ERROR, duration_s=size / 2 / TELEPHONE_RATE, engine=recogniser.name)
        return Outcome(failed, Measured(0.0, 0.0, 0.0, 0.0))

    def _recognise_whole(self, number: int, pcm: bytes, grammar: SpeechGrammar) -> None:
        recogniser, vad = self._recogniser(grammar.language), self._vad

        def work() -> Recognition:
            if recogniser is None or vad is None:
                raise SpeechUnavailable(f"no recogniser for {grammar.language}", remedy="ivr models get NAME")
            span = speech_span(vad, pcm)
            if span is None:
                return Recognition(
                    Cause.NO_INPUT_TIMEOUT, duration_s=len(pcm) / 2 / TELEPHONE_RATE, engine=recogniser.name
                )
            return recogniser.recognise(samples_of(pcm[2 * span[0] : 2 * span[1]]), grammar)

        def ready(future: Future[Recognition]) -> None:
            error = future.exception()
            if error is None:
                self._link.send(0, {"op": "reply", "id": number, "recognition": pack_recognition(future.result())})
            else:
                self._link.send(0, {"op": "reply", "id": number, "error": str(error) or repr(error)})

        self._start(object(), work, ready)

    def _event(self, session: int, event: EarEvent) -> None:
        match event:
            case SpeechStarted(at):
                self._link.send(session, {"op": "started", "at": at})
            case SpeechEnded(at):
                self._link.send(session, {"op": "ended", "at": at})
            case Heard(recognition, at):
                self._link.send(session, {"op": "heard", "at": at, "recognition": pack_recognition(recognition)})
            case RecogniserFailed(reason):
                self._link.send(session, {"op": "failed", "reason": reason})


def _compile(recogniser: Recogniser, grammar: SpeechGrammar) -> None:
    unknown = recogniser.compile(grammar)
    if unknown:
        log.warning("grammar.words_unknown", engine=recogniser.name, grammar=grammar.key, count=len(unknown))


def samples_of(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768.0)
