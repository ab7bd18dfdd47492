"""Ears: one call's session in the listening worker, with what a second ear says of the unsure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import structlog

from ivr.events import EarEvent, Heard, RecogniserFailed
from ivr.ports import ListenRequest, SpeechGrammar
from ivr.speech.second_ear import SecondEar, SecondedReadings
from ivr.speech.speech_process import SpeechProcess
from ivr.speech.wire import Close, Listen, Unsure

log = structlog.get_logger(__name__)


class WorkerEars:
    """One call's session in a listening worker. ``forget`` is called once they are closed, or have failed."""

    def __init__(
        self,
        session: int,
        worker: SpeechProcess,
        pack: Callable[[SpeechGrammar], bytes],
        forget: Callable[[int], object],
        second_ear: SecondEar,
        language: str,
    ) -> None:
        self.session = session
        self.worker = worker
        self.dropped = 0
        self.resting = False  # somebody else has the call
        self._pack = pack
        self._events: asyncio.Queue[EarEvent | None] = asyncio.Queue()
        self._closed = False
        self._forget = forget
        self._readings = SecondedReadings(second_ear, language, self._events.put_nowait)
        self._grammar: SpeechGrammar | None = None  # listened for now

    async def listen(self, request: ListenRequest | None) -> None:
        if self._closed:
            return
        self.resting = request is None
        if request is None:
            self.worker.send(self.session, Listen())
            return
        self._grammar = request.grammar
        self.worker.send_grammar(request.grammar, self._pack)
        how = request.hangover_s, request.max_utterance_s, request.early, request.private
        self.worker.send(self.session, Listen(request.grammar.key, *how))

    def feed(self, pcm: bytes, at: float) -> None:
        """20 ms of audio; dropped and counted when the worker is behind."""
        if not self._closed and not self.worker.send_audio(self.session, at, pcm):
            self.dropped += 1

    async def abreast(self, within_s: float) -> bool:
        """The worker answers in order: its pong comes once all audio before the ping was taken in."""
        return self._closed or await self.worker.worker.answers(within_s)

    async def events(self) -> AsyncIterator[EarEvent]:
        """Until close, or RecogniserFailed, which is the last."""
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        if not self._closed:
            self.worker.send(self.session, Close())
            self._readings.close()
            self._end()

    def take(self, event: EarEvent | Unsure) -> None:
        """What the worker says of this session, or that it is lost."""
        match event:
            case Unsure(heard, pcm):
                self._readings.take(heard, pcm, self._grammar)
            case Heard():
                self._readings.take(event)
            case RecogniserFailed():
                self._readings.give_up()
                self._events.put_nowait(event)
                self._end()
            case _:
                self._events.put_nowait(event)

    def _end(self) -> None:
        self._closed = True
        if self.dropped:
            log.warning("ears.audio_dropped", session=self.session, frames=self.dropped)
        self._events.put_nowait(None)
        self._forget(self.session)
