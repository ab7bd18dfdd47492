"""Awaited recognition: what a caller says, from its first sound until it is read, however late the recogniser is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from ivr.call.ears import CallEars
from ivr.call.inbox import EarsBehind, Inbox
from ivr.call.input_timers import InputTimers
from ivr.call.pending import PendingRecognitions
from ivr.call.voice_burst import QUIET_S, VoiceBurst
from ivr.events import Heard, SpeechStarted
from ivr.ports import Clock

log = structlog.get_logger(__name__)

ABREAST_S = 0.3  # ears that take longer to take in what was said are saturated
UNENDED_S = 0.3  # and those that heard a beginning, and tell no end for so much longer
STALE_S = 1.0  # a beginning of speech told later than this stops no prompt


class AwaitedRecognition:
    """One call's. ``under_way``: the caller speaks, or waits for what they said to be read.

    Saturated ears tell neither beginning nor end of what is said in time: the caller's own pause does, and posts
    EarsBehind. ``spawn`` runs a task of the call; ``hangover_s`` is what the ears listen with just now."""

    def __init__(
        self,
        ears: CallEars,
        timers: InputTimers,
        inbox: Inbox,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        hangover_s: Callable[[], float],
    ) -> None:
        self._ears = ears
        self._timers = timers
        self._inbox = inbox
        self._clock = clock
        self._hangover_s = hangover_s
        self._pending = PendingRecognitions()
        self._burst = VoiceBurst(lambda: spawn(self._burst_ended()))
        self._behind = False  # the ears are, and the caller has been told to wait
        self.under_way = False

    def frame(self, pcm: bytes) -> None:
        """What came through the media's voice gate."""
        self._burst.frame(pcm)

    def begun(self, started: SpeechStarted) -> bool:
        """Speech began; False: it is what they said before they were told to wait, and stops no prompt."""
        self.under_way = True
        self._timers.stop("no-input")
        return not (self._behind and started.at and self._clock.monotonic() - started.at > STALE_S)

    def ended(self) -> None:
        """An utterance has ended; its reading is late from RECOGNITION_LATE_S on."""
        self._pending.spoken()
        if not self._behind:  # else the steps are being taken already
            self._timers.await_recognition()

    def unheard(self) -> bool:
        """EarsBehind came: whether the caller waits for it, and did not before."""
        if self._behind or self._pending:
            return False
        self._behind = self.under_way = True
        self._timers.stop("no-input")
        return True

    def keyed(self) -> None:
        """Who keys does not wait for what they said."""
        if self._pending or self._behind:
            self._pending.keyed(unended=self._behind)
            self._timers.stop("recognition")
            self.given_up()

    def read(self, heard: Heard) -> bool:
        """A reading has come: whether it is still wanted."""
        wanted = self._pending.read()
        self.under_way = bool(self._pending)
        if not self._pending:
            self._timers.stop("recognition")
            self._behind = False
        recognition = heard.recognition
        best = recognition.nbest[0] if recognition.nbest else None
        log.info(
            "recognition.done",
            cause=recognition.cause.value,
            engine=recognition.engine,
            confidence=best and round(best.confidence, 3),
            verdict=best and best.verdict.value,
            hypotheses=len(recognition.nbest),
            seconded=len(recognition.seconded),
            speech_s=round(recognition.duration_s, 2),
            took_s=round(recognition.took_s, 3),
            since_speech_s=round(self._clock.monotonic() - heard.speech_ended_at, 3),
        )
        return wanted

    def lost(self) -> bool:
        """The recogniser is gone, or the audio it was reading: whether that cost the caller what they said."""
        cost = self.under_way
        self.given_up()
        self._pending.lost()
        self._timers.stop("recognition")
        return cost

    def given_up(self) -> None:
        """Nobody waits any more for what was said."""
        self.under_way = self._behind = False

    def stop(self) -> None:
        """The call is over."""
        self._burst.stop()
        self._hangover_s = float  # 0.0: nothing is listened with any more

    async def _burst_ended(self) -> None:
        if await self._ears.abreast(ABREAST_S):
            await self._clock.sleep(max(UNENDED_S, self._hangover_s() - QUIET_S + UNENDED_S))
            if not self.under_way or self._pending or self._burst.going_on:
                return
        self._inbox.put_nowait(EarsBehind())
