"""Speech recognition and text-to-speech as the line uses them: worker processes, recordings, the prompt cache."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import lru_cache

import structlog

from ivr.config import SpeechConfig
from ivr.dialogue.spoken.language import served
from ivr.errors import ConfigError, SpeechUnavailable
from ivr.events import EarEvent, RecogniserFailed, Recognition
from ivr.ports import Clip, Ears, EngineStatus, ListenRequest, SpeechGrammar
from ivr.speech import vendors, wire
from ivr.speech.prompt_cache import PromptCache, Recordings, clip_key, recording_key
from ivr.speech.wire import GRAMMAR, Close, Level, Listen, Message, Open, Ready, Recognise, Render, Setup
from ivr.workers.frames import Life
from ivr.workers.process import Role, Worker

log = structlog.get_logger()
_START_S = 90.0  # loading models on a busy machine
_HUNG_S = 5.0  # its calls are deaf meanwhile, and better off with a human
_BEHIND = 256 * 1024  # bytes of unsent audio: 16 s of speech
_OPEN_S = 2.0  # a new call waits so long for a worker that is being restarted
_RECOGNISE_S = 15.0
_RENDER_S = 20.0
_PACKED = 64
_PARALLEL_RENDERS = 4


class SpeechProcess:
    """A worker of ``role`` "listen" or "speak". Its sessions' messages go to ``on_message``; ``on_lost`` ends them."""

    def __init__(
        self,
        role: str,
        setup: Setup,
        on_message: Callable[[int, Message], None] = lambda *_: None,
        on_lost: Callable[[SpeechProcess, str], None] = lambda *_: None,
    ) -> None:
        self.role = role
        self.loaded = Ready((), False)
        self._setup = setup
        self._on_message = on_message
        self._on_lost = on_lost
        self.worker = Worker(
            Role(
                name=role,
                title=f"the {role} worker",
                module=("ivr.speech.worker", role),
                errors=(SpeechUnavailable,),
                remedy="see worker.* in the log",
                start_s=_START_S,
                hung_after_s=_HUNG_S,
            ),
            self,
        )

    @property
    def languages(self) -> list[str]:
        """What its recognisers hear."""
        return [language for engine in self.loaded.engines if not engine.detail for language in engine.languages]

    async def start(self) -> None:
        """Returns when all is loaded that can be; or, with what there is, when that takes too long."""
        await self.worker.start()
        await self.worker.wait_until(lambda: self.loaded.complete, _START_S)

    def send(self, session: int, message: Message) -> None:
        """Never dropped; to a dead worker it is nobody's."""
        kind, body = wire.encode(message)
        self.worker.send(kind, session, body)

    def send_audio(self, session: int, at: float, pcm: bytes) -> bool:
        """False: dropped, the worker is behind or gone."""
        return self.worker.unsent <= _BEHIND and self.worker.send(wire.AUDIO, session, wire.audio(at, pcm))

    async def ask(self, message: Message, *, timeout_s: float) -> bytes:
        """The reply to a request. Raises SpeechUnavailable when it fails, hangs or dies meanwhile."""
        await self.worker.wait_up(timeout_s)
        kind, body = wire.encode(message)
        return await self.worker.request(kind, body=body, timeout_s=timeout_s)

    # --- for the worker (Owner) ------------------------------------------------------------------------------

    def setup(self) -> bytes:
        """What it is to load."""
        return wire.encode(self._setup)[1]

    def ready(self, body: bytes) -> bool:
        """It has loaded more."""
        loaded, _ = wire.decode(Life.READY, body)
        assert isinstance(loaded, Ready)
        self.loaded = loaded
        if loaded.complete:
            log.info("worker.ready", role=self.role, pid=self.worker.pid)
        return bool(loaded.engines) or loaded.complete

    def received(self, kind: int, number: int, body: bytes) -> None:
        """Something happened in a session."""
        self._on_message(number, wire.decode(kind, body)[0])

    def lost(self, reason: str, restart_in_s: float | None) -> None:
        """Its sessions are lost."""
        self.loaded = Ready((), False)
        if restart_in_s is not None:
            log.error("worker.died", role=self.role, pid=self.worker.pid, reason=reason, restart_in_s=restart_in_s)
        self._on_lost(self, reason)


class WorkerEars:
    """One call's session in a listening worker. ``forget`` is called once they are closed, or have failed."""

    def __init__(
        self,
        session: int,
        worker: SpeechProcess,
        pack: Callable[[SpeechGrammar], bytes],
        forget: Callable[[int], object],
    ) -> None:
        self.session = session
        self.worker = worker
        self.dropped = 0
        self._pack = pack
        self._events: asyncio.Queue[EarEvent | None] = asyncio.Queue()
        self._closed = False
        self._forget = forget

    async def listen(self, request: ListenRequest | None) -> None:
        if self._closed:
            return
        if request is None:
            self.worker.send(self.session, Listen())
            return
        grammar, packed = request.grammar, self._pack(request.grammar)
        how = request.hangover_s, request.max_utterance_s, request.early
        self.worker.send(self.session, Listen(grammar.key, *how, packed))

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
            self._end()

    def take(self, event: EarEvent) -> None:
        """What the worker says of this session, or that it is lost."""
        self._events.put_nowait(event)
        if isinstance(event, RecogniserFailed):
            self._end()

    def _end(self) -> None:
        self._closed = True
        if self.dropped:
            log.warning("ears.audio_dropped", session=self.session, frames=self.dropped)
        self._events.put_nowait(None)
        self._forget(self.session)


class WorkerSpeechService:
    """Implements ``ivr.ports.SpeechService``."""

    def __init__(self, config: SpeechConfig) -> None:
        self._recordings = Recordings(config.recordings)
        self._cache = PromptCache(config.cache)
        self._sessions: dict[int, WorkerEars] = {}
        self._numbers = itertools.count(1)
        self._pack: Callable[[SpeechGrammar], bytes] = lru_cache(_PACKED)(GRAMMAR.dump_json)
        self._recogniser_offers = vendors.recogniser_offers(config)
        self._synthesiser_offers = vendors.synthesiser_offers(config)
        self._failures: dict[str, str] = {}  # synthesiser -> why it failed last
        self._making: dict[str, asyncio.Future[Clip]] = {}
        setup = Setup(config.recogniser, str(config.vosk_models.absolute()))
        self.listeners = [SpeechProcess("listen", setup, self._take, self._lost) for _ in range(config.workers)]
        preload = tuple(o.name for o in self._synthesiser_offers if o.languages)[:1]
        self.speaker = SpeechProcess("speak", Setup(preload=preload))

    def _lost(self, worker: SpeechProcess, reason: str) -> None:
        for ears in [e for e in self._sessions.values() if e.worker is worker]:
            ears.take(RecogniserFailed(f"the speech worker died: {reason}"))

    def _take(self, session: int, message: Message) -> None:
        ears = self._sessions.get(session)
        if ears is not None and isinstance(message, EarEvent):
            ears.take(message)

    async def start(self) -> None:
        """Returns when the workers are ready, or have shown that they cannot be (see the statuses)."""
        await asyncio.gather(*(w.start() for w in (*self.listeners, self.speaker)))
        for status in (*self.recognisers(), *self.synthesisers()):
            log.info("engine.status", engine=status.name, healthy=status.healthy, detail=status.detail)

    async def stop(self) -> None:
        for ears in list(self._sessions.values()):
            await ears.close()
        await asyncio.gather(*(w.worker.stop() for w in (*self.listeners, self.speaker)))

    async def open(self, call_id: str, language: str, *, background: bool = False) -> Ears:
        if vendors.recogniser_for(self._recogniser_offers, language) is None:
            raise SpeechUnavailable(f"no recogniser serves {language}", remedy="ivr models get NAME, or keys only")
        worker = await self._least_loaded(language)
        session = next(self._numbers)
        ears = self._sessions[session] = WorkerEars(session, worker, self._pack, self._sessions.pop)
        worker.send(session, Open(language, background))
        log.debug("ears.opened", call_id=call_id, session=session, worker=worker.worker.pid)
        return ears

    async def _least_loaded(self, language: str) -> SpeechProcess:
        deadline = time.monotonic() + _OPEN_S
        while True:
            able = [w for w in self.listeners if w.worker.up and served(language, w.languages)]
            if able:
                break
            left = deadline - time.monotonic()
            if left <= 0 or all(w.loaded.complete for w in self.listeners):
                raise SpeechUnavailable(f"no recogniser for {language} runs now", remedy="see worker.* in the log")
            waits = [asyncio.create_task(w.worker.wait_changed()) for w in self.listeners]
            try:
                await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        return min(able, key=lambda w: sum(e.worker is w for e in self._sessions.values()))

    async def recognise(self, pcm: bytes, grammar: SpeechGrammar) -> Recognition:
        worker = await self._least_loaded(grammar.language)
        packed = self._pack(grammar)
        reply = await worker.ask(Recognise(grammar.key, len(packed), packed + pcm), timeout_s=_RECOGNISE_S)
        return wire.RECOGNITION.validate_json(reply)

    async def render(
        self, text: str, language: str, voice: str = "", recording: str = "", *, keep: bool = True
    ) -> Clip:
        recorded = await self._recorded(text, language, recording)
        if recorded is not None:
            return recorded
        able = vendors.synthesisers_for(self._synthesiser_offers, language, voice)
        if not able:
            raise SpeechUnavailable(f"nothing here speaks {language}", remedy="pip install 'ivr[espeak]', or record it")
        problem = ""
        for offer in able:
            try:
                spoken_by = vendors.voice_of(offer, voice)
                order = Render(offer.name, text, language, spoken_by)
                if not keep:
                    return await self._spoken("", order)  # without a key it is shared with nobody
                return await self._made(clip_key(text, language, offer.name, offer.version, spoken_by), order)
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

    async def _made(self, key: str, order: Render | Level) -> Clip:
        """The clip of ``key`` from the cache, else made; the same one for two calls at once is made once."""
        clip = self._cache.recall(key) or await asyncio.to_thread(self._cache.fetch, key)
        if clip is not None:
            return clip
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.ensure_future(self._make(key, order))
            making.add_done_callback(lambda _: self._making.pop(key, None))
        return await asyncio.shield(making)

    async def _make(self, key: str, order: Render | Level) -> Clip:
        return await asyncio.to_thread(self._cache.store, await self._spoken(key, order))

    async def _spoken(self, key: str, order: Render | Level) -> Clip:
        pcm = await self.speaker.ask(order, timeout_s=_RENDER_S)
        if isinstance(order, Render):
            self._failures.pop(order.engine, None)
        return Clip(key, pcm)

    async def render_all(
        self, prompts: Sequence[tuple[str, str, str]], progress: Callable[[int, int], None] | None = None
    ) -> Sequence[Clip]:
        gate = asyncio.Semaphore(_PARALLEL_RENDERS)
        done = 0

        async def one(prompt: tuple[str, str, str]) -> Clip:
            nonlocal done
            async with gate:
                clip = await self.render(*prompt)
            done += 1
            if progress is not None:
                progress(done, len(prompts))
            return clip

        async with asyncio.TaskGroup() as tasks:
            made = [tasks.create_task(one(p)) for p in prompts]
        return [task.result() for task in made]

    def recognisers(self) -> Sequence[EngineStatus]:
        running = {(e.name, e.languages): e for w in self.listeners for e in w.loaded.engines}
        alive = any(w.worker.up for w in self.listeners)
        statuses = []
        for offer in self._recogniser_offers:
            mine = [e for e in running.values() if e.name == offer.name]
            broken = next((e.detail for e in mine if e.detail), "")
            detail = offer.detail or broken or ("" if alive else "its worker is not running")
            heard = tuple(language for e in mine if not e.detail for language in e.languages)
            statuses.append(EngineStatus(offer.name, heard or offer.languages, bool(heard) and not detail, detail))
        return statuses

    def synthesisers(self) -> Sequence[EngineStatus]:
        statuses = []
        for offer in self._synthesiser_offers:
            detail = offer.detail or self._failures.get(offer.name, "")
            if not detail and not self.speaker.worker.up:
                detail = "its worker is not running"
            statuses.append(EngineStatus(offer.name, offer.languages, bool(offer.languages) and not detail, detail))
        return statuses
