"""The speech workers, seen from the line: listening processes, one synthesis process, and the prompt cache."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import structlog

from ivr.config import SpeechConfig
from ivr.dialogue.spoken.tags import served
from ivr.errors import SpeechUnavailable
from ivr.events import EarEvent, Heard, RecogniserFailed, Recognition, SpeechEnded, SpeechStarted
from ivr.ports import Clip, Ears, EngineStatus, ListenRequest, SpeechGrammar
from ivr.speech import offers
from ivr.speech.framing import Message
from ivr.speech.processes import Worker
from ivr.speech.prompt_cache import PromptCache, Recordings, clip_key
from ivr.speech.wire_values import pack_grammar, unpack_recognition

log = structlog.get_logger()
_OPEN_S = 2.0  # a new call waits so long for a worker that is being restarted
_RECOGNISE_S = 15.0
_RENDER_S = 20.0
_PACKED = 64
_PARALLEL_RENDERS = 4


class WorkerEars:
    """One call's session in a listening worker."""

    def __init__(self, session: int, worker: Worker, pack: Callable[[SpeechGrammar], tuple[dict[str, Any], bytes]]):
        self.session = session
        self.worker = worker
        self.dropped = 0
        self._pack = pack
        self._events: asyncio.Queue[EarEvent | None] = asyncio.Queue()
        self._closed = False
        self._forget: Callable[[WorkerEars], None] = lambda _: None

    def on_close(self, forget: Callable[[WorkerEars], None]) -> None:
        self._forget = forget

    async def listen(self, request: ListenRequest | None) -> None:
        if self._closed:
            return
        if request is None:
            self.worker.send(self.session, {"op": "listen", "grammar": None})
            return
        head, phrases = self._pack(request.grammar)
        limits = {"hangover_s": request.hangover_s, "max_utterance_s": request.max_utterance_s}
        self.worker.send(self.session, {"op": "listen", "grammar": head, **limits}, phrases)

    def feed(self, pcm: bytes, at: float) -> None:
        if not self._closed and not self.worker.send_audio(self.session, at, pcm):
            self.dropped += 1

    async def events(self) -> AsyncIterator[EarEvent]:
        """Until close, or RecogniserFailed, which is the last."""
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.worker.send(self.session, {"op": "close"})
        self._events.put_nowait(None)
        self._forget(self)

    def take(self, message: Message) -> None:
        head = message.head
        match head["op"]:
            case "started":
                self._events.put_nowait(SpeechStarted(head["at"]))
            case "ended":
                self._events.put_nowait(SpeechEnded(head["at"]))
            case "heard":
                self._events.put_nowait(Heard(unpack_recognition(head["recognition"]), head["at"]))
            case "failed":
                self.fail(str(head["reason"]))

    def fail(self, reason: str) -> None:
        if not self._closed:
            self._closed = True
            self._events.put_nowait(RecogniserFailed(reason))
            self._events.put_nowait(None)
            self._forget(self)


class WorkerSpeechService:
    """Implements ``ivr.ports.SpeechService``."""

    def __init__(self, config: SpeechConfig) -> None:
        self._config = config
        self._recordings = Recordings(config.recordings)
        self._cache = PromptCache(config.cache)
        self._sessions: dict[int, WorkerEars] = {}
        self._numbers = itertools.count(1)
        self._packed: OrderedDict[str, tuple[dict[str, Any], bytes]] = OrderedDict()
        self._recogniser_offers = offers.recogniser_offers(config)
        self._synthesiser_offers = offers.synthesiser_offers(config)
        self._failures: dict[str, str] = {}  # synthesiser -> why it failed last
        self._rendering: dict[str, asyncio.Future[Clip]] = {}
        settings = {"recogniser": config.recogniser, "vosk_models": str(config.vosk_models.absolute())}
        self.listeners = [self._listener(settings) for _ in range(config.workers)]
        preload = [o.name for o in self._synthesiser_offers if o.languages][:1]
        self.speaker = Worker("speak", {"preload": preload}, lambda _: None, lambda _: None)

    def _listener(self, settings: dict[str, Any]) -> Worker:
        worker: Worker

        def died(reason: str) -> None:
            for ears in [e for e in self._sessions.values() if e.worker is worker]:
                ears.fail(f"the speech worker died: {reason}")

        worker = Worker("listen", settings, self._take, died)
        return worker

    def _take(self, message: Message) -> None:
        ears = self._sessions.get(message.session)
        if ears is not None:
            ears.take(message)

    async def start(self) -> None:
        """Returns when the workers are ready, or have shown that they cannot be (see the statuses)."""
        for worker in (*self.listeners, self.speaker):
            worker.start()
        await asyncio.gather(*(w.wait_complete() for w in (*self.listeners, self.speaker)))
        for status in (*self.recognisers(), *self.synthesisers()):
            log.info("engine.status", engine=status.name, healthy=status.healthy, detail=status.detail)

    async def stop(self) -> None:
        for ears in list(self._sessions.values()):
            await ears.close()
        await asyncio.gather(*(w.stop() for w in (*self.listeners, self.speaker)))

    async def open(self, call_id: str, language: str) -> Ears:
        if offers.recogniser_for(self._recogniser_offers, language) is None:
            raise SpeechUnavailable(f"no recogniser serves {language}", remedy="ivr models get NAME, or keys only")
        worker = await self._least_loaded(language)
        session = next(self._numbers)
        ears = WorkerEars(session, worker, self._pack)
        ears.on_close(self._forget)
        self._sessions[session] = ears
        worker.send(session, {"op": "open", "language": language})
        log.debug("ears.opened", call_id=call_id, session=session, worker=worker.pid)
        return ears

    def _forget(self, ears: WorkerEars) -> None:
        self._sessions.pop(ears.session, None)

    async def _least_loaded(self, language: str) -> Worker:
        deadline = time.monotonic() + _OPEN_S
        while True:
            able = [w for w in self.listeners if w.alive and served(language, _languages(w))]
            if able:
                break
            left = deadline - time.monotonic()
            if left <= 0 or all(w.complete for w in self.listeners):
                raise SpeechUnavailable(f"no recogniser for {language} runs now", remedy="see worker.* in the log")
            waits = [asyncio.create_task(w.wait_changed()) for w in self.listeners]
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        loads = {id(w): sum(e.worker is w for e in self._sessions.values()) for w in able}
        return min(able, key=lambda w: loads[id(w)])

    def _pack(self, grammar: SpeechGrammar) -> tuple[dict[str, Any], bytes]:
        packed = self._packed.get(grammar.key)
        if packed is None:
            packed = self._packed[grammar.key] = pack_grammar(grammar)
            while len(self._packed) > _PACKED:
                self._packed.popitem(last=False)
        return packed

    async def warm(self, grammars: Sequence[SpeechGrammar]) -> None:
        for grammar in grammars:
            head, phrases = self._pack(grammar)
            for worker in self.listeners:
                worker.send(0, {"op": "warm", "grammar": head}, phrases)

    async def recognise(self, pcm: bytes, grammar: SpeechGrammar) -> Recognition:
        worker = await self._least_loaded(grammar.language)
        head, phrases = self._pack(grammar)
        order = {"op": "recognise", "grammar": head, "phrases_size": len(phrases)}
        reply = await worker.ask(order, phrases + pcm, timeout_s=_RECOGNISE_S)
        return unpack_recognition(reply.head["recognition"])

    async def render(self, text: str, language: str, voice: str = "", recording: str = "") -> Clip:
        recorded = await asyncio.to_thread(self._recordings.clip, text, language, recording)
        if recorded is not None:
            return recorded
        able = offers.synthesisers_for(self._synthesiser_offers, language, voice)
        if not able:
            raise SpeechUnavailable(f"nothing here speaks {language}", remedy="pip install 'ivr[espeak]', or record it")
        problem = ""
        for offer in able:
            try:
                return await self._rendered(text, language, voice, offer)
            except SpeechUnavailable as error:
                problem = str(error)
                self._failures[offer.name] = problem
                log.warning("synthesis.failed", engine=offer.name, language=language, error=problem)
        raise SpeechUnavailable(f"{language}: {problem}")

    async def _rendered(self, text: str, language: str, voice: str, offer: offers.Offer) -> Clip:
        spoken_by = offers.voice_of(offer, voice)
        key = clip_key(text, language, offer.name, offer.version, spoken_by)
        clip = self._cache.recall(key) or await asyncio.to_thread(self._cache.fetch, key)
        if clip is not None:
            return clip
        running = self._rendering.get(key)
        if running is not None:  # the same prompt for two calls at once: make it once
            return await asyncio.shield(running)
        running = self._rendering[key] = asyncio.ensure_future(self._made(key, text, language, spoken_by, offer))
        running.add_done_callback(lambda _: self._rendering.pop(key, None))
        return await asyncio.shield(running)

    async def _made(self, key: str, text: str, language: str, voice: str, offer: offers.Offer) -> Clip:
        order = {"op": "render", "engine": offer.name, "text": text, "language": language, "voice": voice}
        reply = await self.speaker.ask(order, timeout_s=_RENDER_S)
        self._failures.pop(offer.name, None)
        return await asyncio.to_thread(self._cache.store, Clip(key, reply.blob))

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
        running = {e["name"] + ":" + "/".join(e["languages"]): e for w in self.listeners if w.alive for e in w.engines}
        alive = any(w.alive for w in self.listeners)
        statuses = []
        for offer in self._recogniser_offers:
            mine = [e for e in running.values() if e["name"] == offer.name]
            broken = next((str(e["detail"]) for e in mine if not e["ok"]), "")
            detail = offer.detail or broken or ("" if alive else "its worker is not running")
            served = tuple(lang for e in mine if e["ok"] for lang in e["languages"])
            statuses.append(EngineStatus(offer.name, served or offer.languages, bool(served) and not detail, detail))
        return statuses

    def synthesisers(self) -> Sequence[EngineStatus]:
        statuses = []
        for offer in self._synthesiser_offers:
            detail = offer.detail or self._failures.get(offer.name, "")
            if not detail and not self.speaker.alive:
                detail = "its worker is not running"
            statuses.append(EngineStatus(offer.name, offer.languages, bool(offer.languages) and not detail, detail))
        return statuses


def _languages(worker: Worker) -> list[str]:
    return [language for e in worker.engines if e["ok"] for language in e["languages"]]
