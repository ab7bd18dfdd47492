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
from ivr.events import EarEvent, Heard, RecogniserFailed, Recognition, SpeechEnded
from ivr.ports import Clip, Ears, EngineStatus, ListenRequest, SpeechGrammar, SpeechLoad
from ivr.speech import vendors, wire
from ivr.speech.known_grammars import KnownGrammars
from ivr.speech.prompt_cache import PromptCache, Recordings, Said, Saying, clip_key, recording_key
from ivr.speech.prompt_voices import PromptVoices
from ivr.speech.saturation import Saturation
from ivr.speech.second_ear import SecondEar, SecondedReadings
from ivr.speech.wire import (
    GRAMMAR,
    Close,
    Grammar,
    Level,
    Listen,
    Message,
    Open,
    Ready,
    Recognise,
    Render,
    Setup,
    Unsure,
)
from ivr.workers.frames import Life
from ivr.workers.process import Role, Worker

log = structlog.get_logger()
_START_S = 90.0  # loading models on a busy machine
_HUNG_S = 5.0  # its calls are deaf meanwhile, and better off with a human
_BEHIND = 256 * 1024  # bytes of unsent audio: 16 s of speech
# Recognisers are forked, and threads that a library starts by itself don't live on in a child.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
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
        on_lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.role = role
        self.loaded = Ready((), False)
        self._grammars: KnownGrammars[bool] = KnownGrammars()  # that the process keeps
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
                variables=_ONE_THREAD,
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

    def send_grammar(self, grammar: SpeechGrammar, pack: Callable[[SpeechGrammar], bytes]) -> None:
        """Before whatever names it; nothing is sent to a process that knows it."""
        if self._grammars.get(grammar.key):
            return
        kind, body = wire.encode(Grammar(grammar.key, pack(grammar)))
        if self.worker.send(kind, 0, body):
            self._grammars.put(grammar.key, True)

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
        self._grammars.clear()
        if restart_in_s is not None:
            log.error("worker.died", role=self.role, pid=self.worker.pid, reason=reason, restart_in_s=restart_in_s)
        self._on_lost(reason)


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


class WorkerSpeechService:
    """Implements ``ivr.ports.SpeechService``."""

    def __init__(self, config: SpeechConfig) -> None:
        self._recordings = Recordings(config.recordings)
        self._cache = PromptCache(config.cache)
        self._said = Said()
        self._sessions: dict[int, WorkerEars] = {}
        self._numbers = itertools.count(1)
        self._pack: Callable[[SpeechGrammar], bytes] = lru_cache(_PACKED)(GRAMMAR.dump_json)
        self._recogniser_offers = vendors.recogniser_offers(config)
        self._synthesiser_offers = vendors.synthesiser_offers(config)
        self._failures: dict[str, str] = {}  # synthesiser -> why it failed last
        self._making: dict[str, asyncio.Future[Clip]] = {}
        self._background: set[int] = set()  # sessions that nobody waits for
        self._saturation = Saturation(config.most_talkers, config.keys_led, config.late_s, time.monotonic)
        self._second_ear = SecondEar(config.second_ear)
        self._prompt_voices = PromptVoices(config.prompt_voices, self._cache, lambda wav: self._asked(Level(wav)))
        setup = Setup(
            config.recogniser, str(config.vosk_models.absolute()), processes=config.processes, nice=config.nice
        )
        self.listener = SpeechProcess("listen", setup, self._take, self._lost)
        preload = tuple(o.name for o in self._synthesiser_offers if o.languages)[:1]
        self.speaker = SpeechProcess("speak", Setup(preload=preload, nice=config.nice))

    def _lost(self, reason: str) -> None:
        for ears in list(self._sessions.values()):
            ears.take(RecogniserFailed(f"the speech worker died: {reason}"))

    def _take(self, session: int, message: Message) -> None:
        ears = self._sessions.get(session)
        if ears is None or not isinstance(message, EarEvent | Unsure):
            return
        if session not in self._background:
            if isinstance(message, SpeechEnded):
                self._saturation.spoken(session)
            elif isinstance(message, Heard | Unsure):
                self._saturation.read(session)
        ears.take(message)

    def apply(self, config: SpeechConfig) -> None:
        """What of it may change while calls go on: the second ear."""
        self._second_ear.apply(config.second_ear)

    async def start(self) -> None:
        """Returns when the workers are ready, or have shown that they cannot be (see the statuses)."""
        await asyncio.gather(*(w.start() for w in (self.listener, self.speaker)))
        for status in (*self.recognisers(), *self.synthesisers()):
            log.info("engine.status", engine=status.name, healthy=status.healthy, detail=status.detail)

    async def start_speaking(self) -> None:
        """Only what renders prompts."""
        await self.speaker.start()

    async def stop(self) -> None:
        for ears in list(self._sessions.values()):
            await ears.close()
        await self._second_ear.aclose()
        await self._prompt_voices.aclose()
        await asyncio.gather(*(w.worker.stop() for w in (self.listener, self.speaker)))

    async def open(self, call_id: str, language: str, *, background: bool = False) -> Ears:
        if vendors.recogniser_for(self._recogniser_offers, language) is None:
            raise SpeechUnavailable(f"no recogniser serves {language}", remedy="ivr models get NAME, or keys only")
        await self._hearing(language)
        worker, session = self.listener, next(self._numbers)
        ears = WorkerEars(session, worker, self._pack, self._forget, self._second_ear, language)
        self._sessions[session] = ears
        if background:
            self._background.add(session)
        worker.send(session, Open(language, background, not background and self._second_ear.serves(language)))
        log.debug("ears.opened", call_id=call_id, session=session, worker=worker.worker.pid)
        return ears

    def _forget(self, session: int) -> None:
        del self._sessions[session]
        self._background.discard(session)
        self._saturation.gone(session)

    def load(self, calls: int) -> SpeechLoad:
        resting = sum(e.resting for e in self._sessions.values() if e.session not in self._background)
        return self._saturation.load(calls - resting)

    async def _hearing(self, language: str) -> None:
        """Until the worker hears ``language``, where it is being restarted. Raises SpeechUnavailable."""
        listener = self.listener

        def settled() -> bool:
            return served(language, listener.languages) or listener.loaded.complete

        await listener.worker.wait_until(settled, _OPEN_S)
        if not listener.worker.up or not served(language, listener.languages):
            raise SpeechUnavailable(f"no recogniser for {language} runs now", remedy="see worker.* in the log")

    async def recognise(self, pcm: bytes, grammar: SpeechGrammar) -> Recognition:
        await self._hearing(grammar.language)
        self.listener.send_grammar(grammar, self._pack)
        reply = await self.listener.ask(Recognise(grammar.key, pcm), timeout_s=_RECOGNISE_S)
        return wire.RECOGNITION.validate_json(reply)

    async def render(
        self, text: str, language: str, voice: str = "", recording: str = "", *, keep: bool = True
    ) -> Clip:
        saying = Saying(text, language, voice, recording)
        edition = await self._edition()
        clip = self._cache.recall(self._said.key(saying, edition))
        if clip is not None:
            return clip
        clip, again = await self._clip(saying, keep=keep)
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

    async def _clip(self, saying: Saying, *, keep: bool) -> tuple[Clip, bool]:
        """The clip, and whether it would be the same again: not where another voice stands in."""
        text, language, voice = saying.text, saying.language, saying.voice
        recorded = await self._recorded(text, language, saying.recording)
        if recorded is not None:
            return recorded, True
        if keep and (fixed := await self._prompt_voices.clip(text, language, voice, make=False)) is not None:
            return fixed, True
        able = vendors.synthesisers_for(self._synthesiser_offers, language, voice)
        if not able:
            raise SpeechUnavailable(f"nothing here speaks {language}", remedy="pip install 'ivr[espeak]', or record it")
        problem = ""
        for offer in able:
            try:
                spoken_by = vendors.voice_of(offer, voice)
                order = Render(offer.name, text, language, spoken_by)
                if not keep:
                    return await self._spoken("", order), False  # without a key it is shared with nobody
                key = clip_key(text, language, offer.name, offer.version, spoken_by)
                return await self._made(key, order), not problem and not self._prompt_voices.speaks(language, voice)
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
            making.add_done_callback(lambda made: self._over(key, made))
        return await asyncio.shield(making)

    def _over(self, key: str, made: asyncio.Future[Clip]) -> None:
        """Whoever asked may be gone: that it failed is then nobody's news."""
        self._making.pop(key, None)
        if not made.cancelled():
            made.exception()

    async def _make(self, key: str, order: Render | Level) -> Clip:
        return await asyncio.to_thread(self._cache.store, await self._spoken(key, order))

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
        return clip or await self.render(text, language, voice)

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

    def recognisers(self) -> Sequence[EngineStatus]:
        running, alive = self.listener.loaded.engines, self.listener.worker.up
        statuses = []
        for offer in self._recogniser_offers:
            mine = [e for e in running if e.name == offer.name]
            broken = next((e.detail for e in mine if e.detail), "")
            detail = offer.detail or broken or ("" if alive else "its worker is not running")
            heard = tuple(language for e in mine if not e.detail for language in e.languages)
            statuses.append(EngineStatus(offer.name, heard or offer.languages, bool(heard) and not detail, detail))
        return statuses

    def endpoints(self) -> Sequence[EngineStatus]:
        second_ear = self._second_ear.status()
        return [*([second_ear] if second_ear is not None else []), *self._prompt_voices.statuses()]

    def synthesisers(self) -> Sequence[EngineStatus]:
        statuses = []
        for offer in self._synthesiser_offers:
            detail = offer.detail or self._failures.get(offer.name, "")
            if not detail and not self.speaker.worker.up:
                detail = "its worker is not running"
            statuses.append(EngineStatus(offer.name, offer.languages, bool(offer.languages) and not detail, detail))
        return statuses
