"""A message that a caller leaves (VoiceXML: record): what they say after a tone, until they pause or press a key."""

from __future__ import annotations

import array
import asyncio
import math
from collections.abc import Mapping

import structlog

from ivr.call.inbox import Inbox
from ivr.call.journal import Recorder
from ivr.call.registry import CallServices
from ivr.dialogue.engine.contract import ActionDone, Perform
from ivr.errors import IvrError, SpeechUnavailable
from ivr.events import CALLER_ID, MESSAGE_LEAVE, ActionResult, Audio, Heard, Recognition
from ivr.media.wav import wav_file
from ivr.phones.transcription import free_grammar
from ivr.ports import ActionCall, Clip, ListenRequest, MediaLeg
from ivr.record import Performed

log = structlog.get_logger(__name__)

LONGEST_S = 180.0
FIRST_S = 8.0  # to begin
SILENCE_S = 4.0  # ends it
LEAST_S = 0.8  # of sound: less is a cough
LAST_WORDS_S = 2.5  # to write down what was said last
KEEP_S = 5.0  # for it to be kept, also once the caller has hung up
END_KEYS = "#"
HUMAN_KEY = "0"

_RATE, _SAMPLE = 8000, 2
_FRAME = _RATE // 50 * _SAMPLE
_PAUSE_S = 1.2  # of silence, in which an utterance ends
_TONE_HZ, _TONE_S, _LEVEL = 1000.0, 0.4, 5000
_TOKEN = 3_000_000  # far from everybody else's


def _tone() -> Clip:
    count = int(_TONE_S * _RATE)
    swell = (min(i, count - i, 80) / 80 for i in range(count))
    samples = (int(_LEVEL * s * math.sin(2 * math.pi * _TONE_HZ * i / _RATE)) for i, s in enumerate(swell))
    return Clip("tone:message", array.array("h", samples).tobytes())


TONE = _tone()


class MessageRecording:
    """One caller's, one after the other. Meanwhile nothing that they say is taken for an answer; ``0`` is still a
    human, and then nothing is sent."""

    def __init__(self, call_id: str, media: MediaLeg, services: CallServices, recorder: Recorder, inbox: Inbox) -> None:
        self._call_id = call_id
        self._media = media
        self._services = services
        self._recorder = recorder
        self._inbox = inbox
        self._pcm = bytearray()
        self._words: list[str] = []
        self._clarity: list[float] = []  # of each of them, as far as the recogniser says
        self._begins: list[tuple[float, int]] = []  # of each piece of sound, and where it is in the recording
        self._heard_until = 0.0  # what was said before is written down
        self._last = 0.0  # the end of the last sound, on the media's clock
        self._quiet_since = 0.0
        self._begin = asyncio.Event()
        self._end = asyncio.Event()
        self._dropped = False
        self._keeping: asyncio.Task[ActionResult] | None = None
        self.active = False

    def may_begin(self) -> None:
        """The caller has heard what to do."""
        self._begin.set()

    def prepare(self) -> None:
        """From now on what the caller says is no answer any more."""
        self._pcm.clear()
        self._words.clear()
        self._clarity.clear()
        self._begins.clear()
        self._heard_until = 0.0
        self._end.clear()
        self._begin.clear()
        self._dropped, self.active = False, True

    async def run(self, perform: Perform, facts: Mapping[str, object], language: str) -> None:
        """After ``prepare``: records, and has the action done with it. Raises nothing but cancellation: the
        caller is gone then, and what they said is sent all the same."""
        started = self._services.clock.monotonic()
        try:
            await self._begin.wait()
            if not self._dropped:
                await self._media.play([TONE], token=_TOKEN)
                await self._until_over()
            self.active = False
            if not self._dropped:
                result = await self._kept(perform, facts, language)
                took_s = round(self._services.clock.monotonic() - started, 4)
                self._recorder.record(Performed(perform.name, result.outcome, took_s))
                self._inbox.put_nowait(ActionDone(perform.token, result))
        except asyncio.CancelledError:
            if self.active and not self._dropped and self._seconds >= LEAST_S:
                self._keeping = asyncio.create_task(self._kept(perform, facts, language))
            raise
        finally:
            self.active = False

    async def close(self) -> None:
        """What a caller said who hung up then is kept before the call is over."""
        if self._keeping is not None:
            await asyncio.wait({self._keeping}, timeout=KEEP_S)

    async def _until_over(self) -> None:
        clock = self._services.clock
        began = self._quiet_since = clock.monotonic() + _TONE_S
        while not self._end.is_set():
            now = clock.monotonic()
            spoken = self._seconds > 0
            left = min(began + LONGEST_S, self._quiet_since + (SILENCE_S if spoken else FIRST_S)) - now
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self._end.wait()
            except TimeoutError:
                continue

    @property
    def _seconds(self) -> float:
        return len(self._pcm) / (_RATE * _SAMPLE)

    # -- what comes in --------------------------------------------------------------------------------------------

    def feed(self, audio: Audio) -> None:
        """Pauses that the voice gate left out are silence again, as far as a second."""
        if not self.active or not self._begin.is_set() or self._seconds >= LONGEST_S:
            return
        if self._pcm and (gap_s := min(audio.at - self._last, 1.0)) > 0.02:
            self._pcm += bytes(_SAMPLE * int(gap_s * _RATE))
        self._begins.append((audio.at, len(self._pcm)))
        self._pcm += audio.pcm
        self._last = audio.at + len(audio.pcm) / (_RATE * _SAMPLE)
        self._quiet_since = self._services.clock.monotonic()

    def heard(self, heard: Heard) -> bool:
        """Whether it is part of the message."""
        if not self.active:
            return False
        self._write(heard.recognition)
        self._heard_until = max(self._heard_until, heard.speech_ended_at)
        self._quiet_since = self._services.clock.monotonic()
        return True

    def _write(self, recognition: Recognition) -> None:
        if recognition.transcript:
            self._words.append(recognition.transcript)
            if recognition.clarity is not None:
                self._clarity.append(recognition.clarity)

    async def key(self, key: str) -> bool:
        """Whether the key was for the message: pound ends it. Zero gives it up, for the human that it brings."""
        if not self.active:
            return False
        if key == HUMAN_KEY:  # before the tone too, which is not played then
            self._dropped, self.active = True, False
            self._end.set()
            self._begin.set()
            return False
        if not self._begin.is_set():
            return False
        if key in END_KEYS:
            self._end.set()
        return True

    # -- what becomes of it ------------------------------------------------------------------------------------------

    async def _kept(self, perform: Perform, facts: Mapping[str, object], language: str) -> ActionResult:
        services, recording = self._services, ""
        try:
            async with asyncio.timeout(KEEP_S):
                await self._last_words(language)
                if self._seconds >= LEAST_S:
                    if services.messages is None:
                        raise IvrError("no messages are kept here", remedy="see that the database runs")
                    caller_id = str(facts.get(CALLER_ID) or "")
                    recording = await services.messages.keep(self._call_id, wav_file(bytes(self._pcm)), caller_id)
                arguments = {**perform.arguments, **self._told(perform.name, recording)}
                call = ActionCall(perform.name, arguments, perform.key, self._call_id, facts, language)
                result = await services.actions.perform(call)
        except (IvrError, TimeoutError, OSError) as error:
            log.error("message.unkept", error=str(error) or "timeout", seconds=round(self._seconds, 1))
            return ActionResult("failed")
        log.info("message.left", outcome=result.outcome, seconds=round(self._seconds, 1))
        return result

    def _told(self, action: str, recording: str) -> Mapping[str, object]:
        """What the action learns of it."""
        words = " ".join(self._words)
        if action == MESSAGE_LEAVE:
            return {"recording": recording, "transcript": words}
        sureness = round(100 * sum(self._clarity) / len(self._clarity)) if self._clarity else 0
        return {"recording": recording, "words": words, "seconds": round(self._seconds), "sureness": sureness}

    async def _last_words(self, language: str) -> None:
        """Writes down what was not recognised before the caller pressed the key, or hung up."""
        begin = next((where for at, where in self._begins if at >= self._heard_until), len(self._pcm))
        if len(self._pcm) - begin < LEAST_S * _RATE * _SAMPLE:
            return
        rest = bytes(self._pcm[begin:]) + bytes(int(_PAUSE_S * _RATE) * _SAMPLE)
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                ears = await self._services.speech.open(self._call_id, language)
                try:
                    await ears.listen(ListenRequest(free_grammar(language), 0.7, LONGEST_S, early=False, private=True))
                    for at in range(0, len(rest), _FRAME):
                        ears.feed(rest[at : at + _FRAME], at / (_RATE * _SAMPLE))
                        if at % (50 * _FRAME) == 0:
                            await ears.abreast(1.0)
                    async for event in ears.events():
                        if isinstance(event, Heard):
                            self._write(event.recognition)
                            if event.speech_ended_at >= len(rest) / (_RATE * _SAMPLE) - 2 * _PAUSE_S:
                                break
                finally:
                    await ears.close()
        except (SpeechUnavailable, TimeoutError) as error:
            log.info("message.unheard", seconds=round(len(rest) / (_RATE * _SAMPLE), 1), error=str(error) or "timeout")
