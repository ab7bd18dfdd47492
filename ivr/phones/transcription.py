"""Live transcription of one side of a conversation: finished sentences, recognised behind callers who talk to the line.

Never in anybody's way: the worker recognises it at a lower priority, no more than a second is sent ahead of what it has
taken in, and what waits for longer than it may be late is left out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.errors import SpeechUnavailable
from ivr.events import Cause, Heard, RecogniserFailed, Recognition
from ivr.ports import Ears, ListenRequest, SpeechService
from ivr.recording.g711 import to_pcm

log = structlog.get_logger(__name__)

FRAME = 160  # samples, 20 ms
RATE = 8000
STEP = 5 * FRAME
BEHIND_S = 1.3  # a tap tells of whole seconds
LATE_S = 5.0
MOST_WAITING = 30  # seconds; the oldest are left out
ABREAST_S = 2.0
NOISY_DB = 10.0
AGAIN_S = 5.0  # until a recogniser that was gone is asked for again


@dataclass(frozen=True, slots=True)
class Sentence:
    """``late``: it was recognised long after it was said."""

    text: str
    unsure: bool
    late: bool


def free_grammar(language: str) -> SpeechGrammar:
    """Anything may be said."""
    return SpeechGrammar(f"anything, {language}", language, ())


class Transcription:
    """``on_sentence`` is told of each; ``trouble``: why there are none, "" while there may be some; ``changed`` is told
    when that is another."""

    def __init__(
        self,
        speech: SpeechService,
        call_id: str,
        language: str,
        on_sentence: Callable[[Sentence], None],
        changed: Callable[[], None],
    ) -> None:
        self._speech = speech
        self._call_id = call_id
        self._language = language
        self._on_sentence = on_sentence
        self._changed = changed
        self._waiting: deque[tuple[bytes, float]] = deque(maxlen=MOST_WAITING)
        self._more = asyncio.Event()
        self.trouble = ""

    def feed(self, pcmu: bytes, at: float) -> None:
        """``at``: of the first sample, on the loop's clock."""
        self._waiting.append((pcmu, at))
        self._more.set()

    async def run(self) -> None:
        """Until cancelled: a recogniser that is gone is asked for again."""
        while True:
            try:
                ears = await self._speech.open(self._call_id, self._language, background=True)
            except SpeechUnavailable as error:
                self._now(str(error))
            else:
                self._now("")
                self._now(await self._listened(ears))
            await asyncio.sleep(AGAIN_S)

    def _now(self, trouble: str) -> None:
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble:
            log.warning("transcription.unavailable", call_id=self._call_id, language=self._language, error=trouble)
        self._changed()

    async def _listened(self, ears: Ears) -> str:
        """Until the recogniser fails; why."""
        feeding = asyncio.create_task(self._send(ears))
        try:
            await ears.listen(ListenRequest(free_grammar(self._language), 0.7, 15.0, early=False, private=True))
            async for event in ears.events():
                if isinstance(event, RecogniserFailed):
                    return event.reason or "the recogniser failed"
                if isinstance(event, Heard):
                    self._heard(event.recognition, event.speech_ended_at)
            return "the recogniser is gone"
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await ears.close()

    async def _send(self, ears: Ears) -> None:
        """As it was said, a second and a bit later: in bursts, every second would end in a pause."""
        loop = asyncio.get_running_loop()
        while True:
            self._more.clear()
            while self._waiting:
                pcmu, at = self._waiting.popleft()
                pcm = to_pcm(pcmu)
                for begin in range(0, len(pcmu), STEP):
                    await asyncio.sleep(at + begin / RATE + BEHIND_S - loop.time())
                    for first in range(begin, min(begin + STEP, len(pcmu)), FRAME):
                        ears.feed(pcm[2 * first : 2 * (first + FRAME)], at + first / RATE)
                while not await ears.abreast(ABREAST_S):
                    log.info("transcription.behind", call_id=self._call_id, seconds=len(self._waiting))
            await self._more.wait()

    def _heard(self, recognition: Recognition, ended_at: float) -> None:
        text = recognition.transcript.strip()
        if not text:
            return
        noisy = recognition.cause is Cause.ERROR or 0 < recognition.manner.snr_db < NOISY_DB
        late = asyncio.get_running_loop().time() - ended_at > LATE_S
        self._on_sentence(Sentence(text, noisy, late))
