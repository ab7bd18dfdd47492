"""Speech recognition and text-to-speech as the line uses them: sessions of the listening worker, prompts."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import structlog

from ivr.config import SpeechConfig
from ivr.dialogue.spoken.language import served
from ivr.errors import SpeechUnavailable
from ivr.events import EarEvent, Heard, RecogniserFailed, Recognition, SpeechEnded
from ivr.ports import Clip, Ears, EngineStatus, SpeechGrammar, SpeechLoad
from ivr.speech import vendors, wire
from ivr.speech.ears import WorkerEars
from ivr.speech.prompt_renderer import PromptRenderer
from ivr.speech.saturation import Saturation
from ivr.speech.second_ear import SecondEar
from ivr.speech.speech_process import SpeechProcess
from ivr.speech.wire import GRAMMAR, Message, Open, Recognise, Setup, Unsure

log = structlog.get_logger()
_OPEN_S = 2.0  # a new call waits so long for a worker that is being restarted
_RECOGNISE_S = 15.0
_PACKED = 64


class WorkerSpeechService:
    """Implements ``ivr.ports.SpeechService``."""

    def __init__(self, config: SpeechConfig) -> None:
        self._sessions: dict[int, WorkerEars] = {}
        self._numbers = itertools.count(1)
        self._pack: Callable[[SpeechGrammar], bytes] = lru_cache(_PACKED)(GRAMMAR.dump_json)
        self._recogniser_offers = vendors.recogniser_offers(config)
        self._background: set[int] = set()  # sessions that nobody waits for
        self._saturation = Saturation(config.most_talkers, config.keys_led, config.late_s, time.monotonic)
        self._second_ear = SecondEar(config.second_ear)
        setup = Setup(
            config.recogniser,
            str(config.vosk_models.absolute()),
            processes=config.processes,
            nice=config.nice,
            sherpa_models=str(config.sherpa_models.absolute()),
        )
        self.listener = SpeechProcess("listen", setup, self._take, self._lost)
        self._prompts = PromptRenderer(config)
        self.speaker = self._prompts.speaker

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
        await asyncio.gather(self._prompts.aclose(), self.listener.worker.stop())

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
        return await self._prompts.render(text, language, voice, recording, keep=keep)

    async def recording(self, name: str, language: str) -> Clip | None:
        return await self._prompts.recording(name, language)

    async def render_all(
        self, prompts: Sequence[tuple[str, str, str]], progress: Callable[[int, int], None] | None = None
    ) -> Sequence[Clip]:
        return await self._prompts.render_all(prompts, progress)

    @property
    def unkept(self) -> str:
        """Why what is rendered can't be kept for the next start; "" while it is."""
        return self._prompts.unkept

    @property
    def stood_in(self) -> int:
        """How many fixed prompts the voice here speaks in the place of one elsewhere, for now."""
        return self._prompts.stood_in

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
        return [*([second_ear] if second_ear is not None else []), *self._prompts.endpoints()]

    def synthesisers(self) -> Sequence[EngineStatus]:
        return self._prompts.statuses()
