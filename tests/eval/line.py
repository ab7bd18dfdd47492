"""The line's way from RTP to meaning, on a simulated clock: everything but the network and the processes is its own.

Packets go through the media process's receiving half (jitter buffer, concealment, voice gate) and a listening worker's
utterance detector with its voice activity; what it wants recognised is recognised, and what it tells goes to the
dialogue, which then listens for something else. Recognition takes ``took_s`` on that clock, however long it took.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from ivr.call.ears import CallEars
from ivr.call.inbox import Inbox
from ivr.call.own_words import own_words
from ivr.dialogue.engine.contract import Listen
from ivr.events import EarEvent, Heard, Recognition, SpeechStarted
from ivr.media.description import PCMA, PCMU, MediaDescription
from ivr.media.process.codec import coder, power
from ivr.media.process.echo import EchoGuard
from ivr.media.process.receiver import Receiver
from ivr.media.process.rtp import Packet, build
from ivr.ports import Ears, ListenRequest, MediaLeg, SpeechService
from ivr.speech.worker.attempt import Attempt, Outcome
from ivr.speech.worker.endpointing import SileroModel, SileroStream
from ivr.speech.worker.engines import Cancelled, Recogniser
from ivr.speech.worker.manner import measure
from ivr.speech.worker.recogniser_process import samples_of
from ivr.speech.worker.utterance import UtteranceDetector
from tests.eval.conditions import FRAME, Clip
from tests.eval.meaning import Turn

FRAME_S = 0.02
NEVER_S = 3.0  # after the last sound: what was not decided by then kept the caller waiting
_FAR = ("192.0.2.1", 4000)
_FORMATS = {"PCMU": PCMU, "PCMA": PCMA}
_AFTER_S = 1.2  # of quiet, once all is told: nothing more will come


class Hearer(Protocol):
    """What the dialogue's half needs to be."""

    @property
    def listen(self) -> Listen: ...
    def hears(self, recognition: Recognition) -> Turn: ...


@dataclass(slots=True)
class Trial:
    """What came of one clip. Times in seconds from its beginning; CPU of the recognitions alone."""

    turns: list[Turn] = field(default_factory=list)
    heard: list[tuple[float, Recognition]] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    attempts: int = 0
    cpu_s: float = 0.0

    def cut(self, clip: Clip) -> bool:
        """Whether the line took a turn while the caller was still speaking."""
        return any(at < clip.ended_s for at, _ in self.heard)

    def delay_s(self, clip: Clip) -> float | None:
        """From the last sound to the line's knowing what was said; None where it never did."""
        after = [at for at, _ in self.heard if at >= clip.ended_s]
        return after[-1] - clip.ended_s if after else None

    def never_ended(self, clip: Clip) -> bool:
        """It heard a beginning, and for a long time no end."""
        delay = self.delay_s(clip)
        return bool(self.started) and not self.cut(clip) and (delay is None or delay > NEVER_S)


class Line:
    """``recogniser``: loaded."""

    def __init__(self, recogniser: Recogniser, took_s: float = 0.1) -> None:
        self.recogniser = recogniser
        self._activity = SileroModel()
        self._took_s = took_s

    async def hear(self, clip: Clip, caller: Hearer) -> Trial:
        """One clip, said to the line where the caller is."""
        return await _Session(self, clip, caller).run()

    def stream(self) -> SileroStream:
        return SileroStream(self._activity)

    def recognise(self, attempt: Attempt) -> Outcome | None:
        """None for what nobody waits for any more."""
        self.recogniser.compile(attempt.grammar)
        speech = samples_of(attempt.pcm)
        try:
            return Outcome(self.recogniser.recognise(speech, attempt.grammar, attempt.cancelled), measure(speech))
        except Cancelled:
            return None


class _Session:
    """One clip on its way. The ears are the call's own, over a session that is the detector."""

    def __init__(self, line: Line, clip: Clip, caller: Hearer) -> None:
        self._line = line
        self._clip = clip
        self._caller = caller
        self._now = 0.0
        self._due: list[tuple[float, Attempt, Outcome]] = []
        self._events: list[tuple[float, EarEvent]] = []
        self._trial = Trial()
        self._detector = UtteranceDetector(line.stream(), self._told, self._submitted)
        media = cast(MediaLeg, _DeafMedia())
        self._ears = CallEars(media, cast(SpeechService, _OneSession(self._detector)), "evaluation", Inbox())
        self._echo = EchoGuard()
        self._over = ""  # what the line was saying when speech began last
        self._receiver = Receiver([clip.law], lambda change, source: None, echo=self._echo)
        self._receiver.listening = True
        self._receiver.aim(MediaDescription(_FAR[0], _FAR[1], (_FORMATS[clip.law],)), 0.0)

    def _told(self, event: EarEvent) -> None:
        self._events.append((self._now, event))

    def _submitted(self, detector: UtteranceDetector, attempt: Attempt) -> None:
        self._trial.attempts += 1
        began = time.thread_time()
        outcome = self._line.recognise(attempt)
        self._trial.cpu_s += time.thread_time() - began
        if outcome is not None:
            self._due.append((self._now + self._line._took_s, attempt, outcome))

    async def run(self) -> Trial:
        await self._listen(self._caller.listen)
        quiet_since = 0.0
        for number, payload in enumerate(self._clip.packets):
            self._now = number * FRAME_S + FRAME_S  # a packet is sent when its last sample was spoken
            self._frame(number, payload)
            self._deliver()
            self._detector.tick(self._now)
            await self._take()
            if self._detector.speaking or self._due or self._now < self._clip.ended_s:
                quiet_since = self._now
            elif self._now - quiet_since > _AFTER_S:
                break
        while self._due:
            self._now += FRAME_S
            self._deliver()
            await self._take()
        return self._trial

    def _frame(self, number: int, payload: bytes | None) -> None:
        receiver = self._receiver
        self._echo.played(self._clip.playing[number] if number < len(self._clip.playing) else 0.0)
        if payload is not None:
            kind = _FORMATS[self._clip.law].payload_type
            packet = Packet(kind, False, number & 0xFFFF, number * FRAME, 77, payload)
            receiver.datagram(build(packet), _FAR, self._now)
        if receiver.tick() and receiver.payload is not None:
            decoded = coder(self._clip.law).decode(receiver.payload)
            receiver.decoded(decoded, power(decoded))
        for at, pcm in receiver.speech(self._now):
            self._detector.feed(at, pcm, self._now)

    def _deliver(self) -> None:
        for due in [each for each in self._due if each[0] <= self._now]:
            self._due.remove(due)
            _, attempt, outcome = due
            if not attempt.cancelled():
                self._detector.done(attempt, outcome)

    async def _take(self) -> None:
        """The dialogue's half: each reading leads to a turn, after which something else is listened for."""
        events, self._events = self._events, []
        for at, event in events:
            if isinstance(event, SpeechStarted):
                self._trial.started.append(at)
                self._over = self._clip.prompt if at < len(self._clip.playing) * FRAME_S else ""
            elif isinstance(event, Heard) and not own_words(self._over, event.recognition):
                self._trial.heard.append((at, event.recognition))
                self._trial.turns.append(self._caller.hears(event.recognition))
                await self._listen(self._caller.listen)

    async def _listen(self, listen: Listen) -> None:
        deaf_because = await self._ears.listen(listen)
        assert not deaf_because, deaf_because


class _DeafMedia:
    async def listen(self, on: bool) -> None:
        """The receiver always does."""


class _OneSession:
    """A speech service whose every session is the one detector."""

    def __init__(self, detector: UtteranceDetector) -> None:
        self._detector = detector

    async def open(self, call_id: str, language: str, *, background: bool = False) -> Ears:
        return cast(Ears, self)

    async def listen(self, request: ListenRequest | None) -> None:
        self._detector.listen(request)

    async def events(self) -> AsyncIterator[EarEvent]:
        return
        yield

    async def close(self) -> None:
        self._detector.close()


def best_of(trial: Trial) -> Sequence[str]:
    """For a person who looks into it: what was heard, best first, and the free transcript."""
    return [f"{h.nbest[0].text if h.nbest else '–'} ({h.transcript})" for _, h in trial.heard]
