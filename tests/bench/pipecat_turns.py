"""A pipecat-ai conversation as a peer of the line: ``PYTHON -m tests.bench.pipecat_turns CLIPS.json OUT.json``.

PYTHON is that of the extra ``bench``, where pipecat is. The pipeline is the one that its documentation shows:
transport, recogniser, user aggregator with Silero's voice activity and the turn model that it ships (or, told so, its
time-out instead of that model), all at their defaults, an answer, synthesiser, transport. Recogniser and synthesiser
are the line's (the same weights, grammar and code); in the language model's place stands a processor that answers at
once. One conversation a process, as its documentation deploys it. No SIP, no RTP, no jitter buffer: frames of 20 ms go
in by this module's own transport, when they would come.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.transcriptions.language import Language
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from ivr.speech.synthesisers.hibari import HibariSynthesiser
from ivr.speech.worker.engines import TELEPHONE_RATE
from tests.bench.speech_corpus import grammar

RATE = 16000  # of pipecat's input; telephone clips come with twice their samples
FRAME_S = 0.02
_AUDIBLE = 260  # of 16 bits, about -42 dB; as for callers of the line
_QUIET_S = 1.0  # after an answer, before the next sentence
_PATIENCE_S = 6.0
_ANSWERS = ("It is at the top of your queue now. What else can I do?", "Next comes Vertigo. Anything else?")


@dataclass(frozen=True, slots=True)
class Clip:
    """``pcm``: 16 bits at RATE; ``last``: the number of the last frame that can be heard."""

    text: str
    pcm: bytes
    last: int

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Clip:
        """From 8 kHz."""
        telephone = np.frombuffer(Path(told["file"]).read_bytes(), "<i2").astype(np.float32)
        wide = soxr.resample(telephone, TELEPHONE_RATE, RATE)
        return cls(told["text"], np.clip(wide, -32768, 32767).astype("<i2").tobytes(), told["last"])


class Microphone(BaseInputTransport):  # type: ignore[misc]
    """The caller: frames when they are due."""

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def put(self, pcm: bytes) -> None:
        await self.push_audio_frame(InputAudioRawFrame(audio=pcm, sample_rate=RATE, num_channels=1))


class Loudspeaker(BaseOutputTransport):  # type: ignore[misc]
    """Takes what is said at the pace of speech, and notes when there was something to hear."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self.heard_at: float | None = None
        self.loud_at = 0.0
        self._free_at = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        now = time.monotonic()
        samples = np.frombuffer(frame.audio, "<i2")
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _AUDIBLE)
        if len(loud):
            at = now + loud[0] / frame.sample_rate
            self.heard_at = at if self.heard_at is None else self.heard_at
            self.loud_at = now + len(samples) / frame.sample_rate
        self._free_at = max(self._free_at, now) + len(samples) / frame.sample_rate
        await asyncio.sleep(max(0.0, self._free_at - len(samples) / frame.sample_rate - time.monotonic()))
        return True


class Engines:
    """The line's, loaded before anything is measured."""

    def __init__(self) -> None:
        self.recogniser = MoonshineRecogniser()
        self.recogniser.load()
        self.grammar, _ = grammar("fit")
        self.recogniser.compile(self.grammar)
        self.synthesiser = HibariSynthesiser()
        self.synthesiser.load()


class Ear(SegmentedSTTService):  # type: ignore[misc]
    """The line's recogniser, constrained to a grammar of the line's size."""

    def __init__(self, engines: Engines) -> None:
        super().__init__(sample_rate=RATE, settings=STTSettings(model="moonshine-tiny", language=Language.EN))
        self._engines = engines
        self.understood: list[str] = []

    @property
    def wants_wav_segments(self) -> bool:
        return False

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame, None]:
        wide = np.frombuffer(audio, "<i2").astype(np.float32) / np.float32(32768)
        samples = soxr.resample(wide, RATE, TELEPHONE_RATE).astype(np.float32)
        result = await asyncio.to_thread(self._engines.recogniser.recognise, samples, self._engines.grammar)
        text = result.nbest[0].text if result.nbest else result.transcript
        if text:
            self.understood.append(text)
            yield TranscriptionFrame(text, self._user_id, time_now_iso8601(), Language.EN, finalized=True)


class Answer(FrameProcessor):  # type: ignore[misc]
    """In the language model's place: says one sentence after another, at once."""

    def __init__(self) -> None:
        super().__init__()
        self._said = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        self._said += 1
        await self.push_frame(LLMFullResponseStartFrame())
        await self.push_frame(LLMTextFrame(_ANSWERS[self._said % len(_ANSWERS)]))
        await self.push_frame(LLMFullResponseEndFrame())


class Voice(TTSService):  # type: ignore[misc]
    """The line's synthesiser, a sentence at a time, as pipecat asks for it."""

    def __init__(self, engines: Engines) -> None:
        settings = TTSSettings(model="hibari", voice="", language=Language.EN)
        super().__init__(push_start_frame=True, push_stop_frames=True, settings=settings)
        self._engines = engines

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame, None]:
        samples, rate = await asyncio.to_thread(self._engines.synthesiser.speak, text, "en-US", "")
        pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        yield TTSAudioRawFrame(audio=pcm, sample_rate=rate, num_channels=1, context_id=context_id)


@dataclass(slots=True)
class Conversation:
    microphone: Microphone
    loudspeaker: Loudspeaker
    ear: Ear
    worker: PipelineWorker

    async def talk(self, clips: Sequence[Clip], turns: int, every_s: float) -> list[float | None]:
        """Seconds from each last sound to the first of the answer; None where none came. Each but the first is said
        ``every_s`` after the one before."""
        waits: list[float | None] = []
        pace = Pace(self.microphone)
        await pace.silence(1.0)
        for number in range(turns):
            next_at = time.monotonic() + every_s
            clip = clips[number % len(clips)]
            self.loudspeaker.heard_at = None
            ended = await pace.say(clip)
            while self.loudspeaker.heard_at is None and time.monotonic() - ended < _PATIENCE_S:
                await pace.silence(FRAME_S)
            heard = self.loudspeaker.heard_at
            waits.append(None if heard is None else heard - ended)
            told = f"{waits[-1]:.2f} s" if heard is not None else "no answer"
            print(f"pipecat turn {number + 1} of {turns}: {clip.text!r}: {told}", file=sys.stderr, flush=True)
            while time.monotonic() < next_at or time.monotonic() - self.loudspeaker.loud_at < _QUIET_S:
                await pace.silence(FRAME_S)
        return waits


class Pace:
    """20 ms after 20 ms."""

    def __init__(self, microphone: Microphone) -> None:
        self._microphone = microphone
        self._due = time.monotonic()
        self._noise = np.random.default_rng(1)

    async def _frame(self, pcm: bytes) -> None:
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))
        await self._microphone.put(pcm)
        self._due += FRAME_S

    async def silence(self, seconds: float) -> None:
        """The noise of a telephone line."""
        for _ in range(max(1, round(seconds / FRAME_S))):
            await self._frame(self._noise.normal(0, 8, round(RATE * FRAME_S)).astype("<i2").tobytes())

    async def say(self, clip: Clip) -> float:
        """When its last sound was out."""
        size = 2 * round(RATE * FRAME_S)
        for number, at in enumerate(range(0, len(clip.pcm) - size + 1, size)):
            await self._frame(clip.pcm[at : at + size])
            if number == clip.last:
                return self._due
        return self._due


def conversation(turn_model: bool) -> Conversation:
    engines = Engines()
    strategies = UserTurnStrategies() if turn_model else UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy()])
    params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
    microphone, loudspeaker, ear = Microphone(params), Loudspeaker(params), Ear(engines)
    aggregators = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer(), user_turn_strategies=strategies),
    )
    stages = [microphone, ear, aggregators.user(), Answer(), Voice(engines), loudspeaker, aggregators.assistant()]
    worker = PipelineWorker(
        Pipeline(stages), params=PipelineParams(audio_in_sample_rate=RATE), enable_rtvi=False, idle_timeout_secs=None
    )
    return Conversation(microphone, loudspeaker, ear, worker)


async def converse(clips: Sequence[Clip], turns: int, turn_model: bool, every_s: float) -> dict[str, Any]:
    one = conversation(turn_model)
    started = asyncio.Event()

    async def note(_worker: object, _frame: object) -> None:
        started.set()

    one.worker.add_event_handler("on_pipeline_started", note)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(one.worker)
    running = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(60):
            await started.wait()
        await one.talk(clips, 1, 0.0)  # whatever loads when it is first used
        cpu, began = time.process_time(), time.monotonic()
        waits = await one.talk(clips, turns, every_s)
        cpu, took = time.process_time() - cpu, time.monotonic() - began
    finally:
        await one.worker.cancel()
        await running
    return {
        "version": version("pipecat-ai"),
        "ends": f"stop_secs {SileroVADAnalyzer().params.stop_secs:g}, its {'turn model' if turn_model else 'time-out'}",
        "waits": waits,
        "cpu_s": cpu,
        "seconds": took,
        "understood": one.ear.understood,
        "memory_mb": memory_mb(),
    }


def memory_mb() -> float:
    told = Path("/proc/self/smaps_rollup").read_text()
    return next(int(row.split()[1]) for row in told.splitlines() if row.startswith("Pss:")) / 1024


def main() -> int:
    asked, out = Path(sys.argv[1]), Path(sys.argv[2])
    told = json.loads(asked.read_text(encoding="utf-8"))
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    clips = [Clip.read(each) for each in told["clips"]]
    found = asyncio.run(converse(clips, told["turns"], told["turn_model"], told["every_s"]))
    out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
