"""The listening worker (MRCP's speechrecog): every call's session, voice activity of all of them together; recognition
is given to a pool of processes."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from functools import lru_cache

import structlog

from ivr.dialogue.spoken.language import served
from ivr.dialogue.understanding.speech_grammar import ListenRequest, SpeechGrammar
from ivr.events import Cause, EarEvent, RecogniserFailed, Recognition
from ivr.speech import wire
from ivr.speech.known_grammars import KnownGrammars, SharedParts
from ivr.speech.wire import RECOGNITION, Close, Grammar, Listen, Open, Ready, Recognise, Setup, Unsure
from ivr.speech.worker.attempt import Attempt, Outcome
from ivr.speech.worker.endpointing import SileroModel, SileroStream
from ivr.speech.worker.engines import TELEPHONE_RATE
from ivr.speech.worker.manner import Measured
from ivr.speech.worker.openness import Openness
from ivr.speech.worker.prefork import LARGEST, Forked, parse
from ivr.speech.worker.recogniser_process import Order
from ivr.speech.worker.recognition_pool import RecognitionPool
from ivr.speech.worker.recognition_queue import Rank, rank_of
from ivr.speech.worker.utterance import SPECULATE_S, UtteranceDetector
from ivr.workers.frames import REQUEST, Life, refusal
from ivr.workers.link import Link

log = structlog.get_logger()
_TICK_S = 0.01
_REST_S = 0.1  # from tick to tick while nobody says anything; audio ends it
_BUSY_S = 0.25  # of silence before a recognition is begun while every process is busy: it may be for nothing
_GRAMMARS = 128


class Session:
    """One call's ears, as they were ``opened``."""

    def __init__(self, worker: RecognitionWorker, number: int, vad: SileroStream, opened: Open) -> None:
        self.vad = vad
        self._pool = worker.pool
        self._background = opened.background
        self.detector = UtteranceDetector(
            vad,
            lambda event: worker.tell(number, event),
            lambda _, attempt: self._submit(attempt),
            (lambda heard, pcm: worker.tell(number, Unsure(heard, pcm))) if opened.unsure else None,
            openness=worker.openness,
            patience=lambda: SPECULATE_S if worker.pool.idle else _BUSY_S,
            shared=True,
        )

    def _submit(self, attempt: Attempt) -> None:
        self._pool.submit(Spoken(self.detector, attempt, self._background, asyncio.get_running_loop().time()))


class Spoken:
    """A job: what a caller said, or has said so far."""

    order = Order.RECOGNISE

    def __init__(self, detector: UtteranceDetector, attempt: Attempt, background: bool, came: float) -> None:
        self.grammar, self.pcm = attempt.grammar, attempt.pcm
        self._detector = detector
        self._attempt = attempt
        self._background = background
        self._came = came

    @property
    def rank(self) -> Rank:
        if self._background:
            return Rank.BACKGROUND
        if self._attempt.ending is None:
            return Rank.SPECULATIVE
        if self._detector.spoken_since:  # what they have said since is told after this
            return Rank.ENDED
        return rank_of(asyncio.get_running_loop().time() - self._attempt.ending[0])

    @property
    def since(self) -> float:
        return self._attempt.ending[0] if self._attempt.ending is not None else self._came

    @property
    def wanted(self) -> bool:
        return not self._attempt.cancelled()

    def done(self, outcome: Outcome) -> None:
        self._detector.done(self._attempt, outcome)

    def failed(self, why: str) -> None:
        log.error("recognition.failed", error=why)
        failed = Recognition(Cause.ERROR, duration_s=len(self.pcm) / 2 / TELEPHONE_RATE)
        self.done(Outcome(failed, Measured()))


class Asked:
    """A job: a whole recording, for whoever sent the request."""

    order, rank, wanted = Order.SEARCH, Rank.ENDED, True

    def __init__(self, line: Link, asking: int, pcm: bytes, grammar: SpeechGrammar, came: float) -> None:
        self.grammar, self.pcm, self.since = grammar, pcm, came
        self._line = line
        self._asking = asking

    def done(self, outcome: Outcome) -> None:
        self._answer(Life.REPLY, RECOGNITION.dump_json(outcome.recognition))

    def failed(self, why: str) -> None:
        self._answer(Life.REFUSED, refusal(RuntimeError(why)))

    def _answer(self, kind: int, body: bytes) -> None:
        self._line.send(kind, 0, REQUEST.pack(self._asking) + body)


class RecognitionWorker:
    """Answers the line's messages, all on one loop. ``prefork``: the socket to the process that forks recognisers."""

    def __init__(self, line: Link, prefork: socket.socket) -> None:
        self.pool = RecognitionPool(lambda body: line.send(Life.LOG, 0, body), self._in_use)
        self._line = line
        self._prefork = prefork
        self._ready = Ready((), False)
        self._vad = SileroModel()
        self._sessions: dict[int, Session] = {}
        self._grammars: KnownGrammars[SpeechGrammar] = KnownGrammars()
        self._shared = SharedParts()
        self.openness = lru_cache(_GRAMMARS)(Openness)
        self._heard = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(prefork, self._forked)

    async def run(self) -> None:
        """Judge what callers say as it comes, and tick the detectors against deadlines; rarely while nobody says
        anything."""
        due = self._loop.time()
        while True:
            resting = not self.pool.busy and all(session.detector.resting for session in self._sessions.values())
            await self._heard_within(_REST_S if resting else due - self._loop.time())
            sessions = list(self._sessions.values())
            judge(sessions)  # what a media tick brought of all callers came together
            now = self._loop.time()
            if now >= due:
                due = max(due, now - _TICK_S) + _TICK_S
                for session in sessions:
                    session.detector.tick(now)
                self.pool.tick(now)

    async def _heard_within(self, seconds: float) -> None:
        self._heard.clear()
        waking = self._loop.call_later(seconds, self._heard.set)
        await self._heard.wait()
        waking.cancel()

    def received(self, kind: int, number: int, body: bytes) -> None:
        """One frame of the line's."""
        if kind == wire.AUDIO:
            self._heard.set()
            if (session := self._sessions.get(number)) is not None:
                session.detector.feed(*wire.parse_audio(body), self._loop.time())
            return
        message, asking = wire.decode(kind, body)
        match message:
            case Setup(nice=nice):
                self._prefork.send(body)
                os.nice(nice)
            case Open() as opened:
                self._open(number, opened)
            case Grammar(key, blob):
                self._grammars.put(key, self._shared.parsed(blob))
            case Listen() as listen:
                self._listen(number, listen)
            case Close():
                if (session := self._sessions.pop(number, None)) is not None:
                    session.detector.close()
            case Recognise(key, pcm):
                self._heard.set()
                self.pool.submit(Asked(self._line, asking, pcm, self._known(key), self._loop.time()))

    def close(self) -> None:
        """The line is gone."""
        self._loop.remove_reader(self._prefork)
        self._prefork.close()
        self.pool.close()

    def tell(self, session: int, message: EarEvent | Unsure | Ready) -> None:
        kind, body = wire.encode(message)
        self._line.send(kind, session, body)

    def _forked(self) -> None:
        """Something came from prefork."""
        packet, ends, _, _ = socket.recv_fds(self._prefork, LARGEST, 1)
        if not packet:  # without it the dead have no successors: the line starts another worker
            self._loop.remove_reader(self._prefork)
            self._line.close()
            return
        message = parse(packet)
        if isinstance(message, Forked):
            self.pool.join(socket.socket(fileno=ends[0]), message)
        else:
            self._ready = message
            self.tell(0, message)

    def _in_use(self) -> Iterator[SpeechGrammar]:
        """What callers may be speaking under now."""
        for session in self._sessions.values():
            if (grammar := session.detector.grammar) is not None:
                yield grammar

    def _open(self, number: int, opened: Open) -> None:
        language = opened.language
        if not any(served(language, engine.languages) for engine in self._ready.engines if not engine.detail):
            self.tell(number, RecogniserFailed(f"no recogniser for {language}"))
            return
        self._sessions[number] = Session(self, number, SileroStream(self._vad), opened)

    def _known(self, key: str) -> SpeechGrammar:
        """The grammar of that key; before anything else, whoever asks: the line keeps the same account."""
        grammar = self._grammars.get(key)
        if grammar is None:
            raise LookupError(f"the grammar {key} was never sent")
        return grammar

    def _listen(self, number: int, listen: Listen) -> None:
        grammar = self._known(listen.key) if listen.key else None
        session = self._sessions.get(number)
        if session is None:
            return
        if grammar is None:
            session.detector.listen(None)
            return
        self.pool.prepare(grammar)
        how = listen.hangover_s, listen.max_utterance_s, listen.early, listen.private
        session.detector.listen(ListenRequest(grammar, *how))


def judge(sessions: Sequence[Session]) -> None:
    """The windows that came, of all callers in as few runs as who has most of them has."""
    while True:
        asked = [(session, window) for session in sessions if (window := session.detector.window()) is not None]
        if not asked:
            return
        sessions = [session for session, _ in asked]
        found = SileroStream.probabilities([session.vad for session in sessions], [window for _, window in asked])
        for (session, window), probability in zip(asked, found, strict=True):
            session.detector.judged(window, probability)
