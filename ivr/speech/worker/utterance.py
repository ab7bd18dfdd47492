"""Utterances of one call: gated audio in; SpeechStarted, SpeechEnded and Heard (with the manner, prosody) out.

All but ``measure`` runs on the worker's loop; recognition is handed to ``submit``. The media process sends audio only
while its gate is open: a gap in ``at`` is silence, and so is nothing arriving at all. Recognition starts
speculatively a quarter of a second into a silence and is reused when the silence lasts until the hang-over. Manner is
weak evidence, only ever to bring a human sooner; loudness is relative to the caller's own first utterances, so that a
loud telephone is not an angry caller.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.events import Cause, EarEvent, Heard, Manner, Recognition, SpeechEnded, SpeechStarted
from ivr.ports import ListenRequest, SpeechGrammar
from ivr.speech.worker.endpointing import PREROLL_S, WINDOW, WINDOW_S, End, Endpointer, Start
from ivr.speech.worker.engines import TELEPHONE_RATE, Samples

SPECULATE_S = 0.25
_BYTES_A_SECOND = 2 * TELEPHONE_RATE
_TAIL_S = 0.25  # silence left after the speech for the recogniser
_KEPT = int((PREROLL_S + 0.2) * _BYTES_A_SECOND) & ~1
_JITTER_S = 0.04  # smaller gaps are scheduling, not silence
_LATE_S = 0.08  # after so long without a frame the gate has closed
_JUMP_S = 1.0  # ``at`` running back further than this is another stream
_FRAME = 240  # 30 ms
_BASELINE = 3  # utterances that make the caller's own normal
_LOWEST_HZ, _HIGHEST_HZ = 70.0, 400.0
_VOICING = 0.5  # normalised autocorrelation that makes a frame voiced
_FLOOR = 1e-5


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one utterance: levels in dB full scale, pitch in Hz (0: no voiced frame), seconds of speech."""

    level_db: float = 0.0
    snr_db: float = 0.0
    pitch_hz: float = 0.0
    speech_s: float = 0.0


def measure(speech: Samples) -> Measured:
    """``speech``: one utterance at 8 kHz with some silence around it."""
    count = len(speech) // _FRAME
    if count < 2:
        return Measured()
    frames = speech[: count * _FRAME].reshape(count, _FRAME)
    rms = np.sqrt((frames.astype(np.float64) ** 2).mean(1))
    heard = rms[rms > _FLOOR]  # exact silence is a closed gate, not the caller's room
    if len(heard) < 2:
        return Measured()
    noise = float(np.percentile(heard, 10))
    loud = rms > max(float(heard.max()) * 0.1, noise * 1.5)
    if not loud.any():
        loud = rms >= np.median(heard)
    level = float(np.sqrt((rms[loud] ** 2).mean()))
    return Measured(_db(level), max(0.0, _db(level) - _db(noise)), _pitch(frames[loud]), float(loud.sum()) * 0.03)


def _db(value: float) -> float:
    return 20.0 * float(np.log10(max(value, _FLOOR)))


def _pitch(frames: NDArray[np.float32]) -> float:
    """Median over voiced frames of the autocorrelation's first peak between 70 and 400 Hz."""
    frames = frames[:100]
    spectrum = np.fft.rfft(frames - frames.mean(1, keepdims=True), 2 * _FRAME)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, :_FRAME]
    energy = correlation[:, :1]
    shortest, longest = int(TELEPHONE_RATE / _HIGHEST_HZ), int(TELEPHONE_RATE / _LOWEST_HZ)
    taper = 1.0 - np.arange(_FRAME) / _FRAME  # fewer samples overlap at longer lags
    window = (correlation / np.maximum(energy, 1e-9) / taper)[:, shortest:longest]
    peaks = window.max(1)
    # The first lag almost as good as the best one: otherwise a multiple of the period may win (an octave down).
    lags = (window >= 0.9 * peaks[:, None]).argmax(1)
    for row, lag in enumerate(lags):
        while lag + 1 < window.shape[1] and window[row, lag + 1] > window[row, lag]:
            lag += 1
        lags[row] = lag
    voiced = peaks >= _VOICING
    if not voiced.any():
        return 0.0
    return float(np.median(TELEPHONE_RATE / (lags[voiced] + shortest)))


class Baseline:
    """One caller's normal."""

    def __init__(self) -> None:
        self._levels: list[float] = []

    def manner(self, measured: Measured, words: int) -> Manner:
        """The manner of an utterance of ``words`` words; the first ones also make the baseline."""
        if measured.speech_s <= 0:
            return Manner()
        loudness = measured.level_db - float(np.mean(self._levels)) if self._levels else 0.0
        if len(self._levels) < _BASELINE:
            self._levels.append(measured.level_db)
        return Manner(
            loudness_db=round(loudness, 1),
            words_per_second=round(words / max(measured.speech_s, 0.2), 2),
            pitch_hz=round(measured.pitch_hz, 1),
            snr_db=round(measured.snr_db, 1),
        )


class Probability(Protocol):
    def probability(self, window: bytes) -> float: ...
    def reset(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What recognising one utterance gave: the recognition and the voice's measures."""

    recognition: Recognition
    measured: Measured


class Attempt:
    """A recognition under way. ``cancel``: nobody wants it any more; ``cancelled`` is asked from the recognising
    thread."""

    def __init__(self, pcm: bytes, grammar: SpeechGrammar) -> None:
        self.pcm = pcm
        self.grammar = grammar
        self.outcome: Outcome | None = None
        self.ending: tuple[float, bool] | None = None  # (speech ended at, capped), once the utterance is over
        event = threading.Event()
        self.cancel, self.cancelled = event.set, event.is_set


class UtteranceDetector:
    """``emit`` gets the ear events in order; ``submit`` starts an Attempt and later calls ``done`` on the loop.

    ``unsure``: gets what the recogniser is unsure of, and its audio, in place of ``emit``. ``shared``: whoever feeds it
    takes each ``window``, of many callers at a time, and says how it was ``judged``."""

    def __init__(
        self,
        vad: Probability,
        emit: Callable[[EarEvent], None],
        submit: Callable[[UtteranceDetector, Attempt], None],
        unsure: Callable[[Heard, bytes], None] | None = None,
        *,
        shared: bool = False,
    ) -> None:
        self._shared = shared
        self.vad = vad
        self._emit = emit
        self._submit = submit
        self._unsure = unsure
        self._request: ListenRequest | None = None
        self._endpointer = Endpointer()
        self._audio = bytearray()  # idle: the pre-roll; speaking: the utterance from its pre-roll on
        self._pending = bytearray()  # less than one window
        self._at_end: float | None = None  # time of the sample after the last one
        self._arrived = 0.0
        self._attempt: Attempt | None = None
        self._finishing: deque[Attempt] = deque()  # ended utterances, oldest first
        self._baseline = Baseline()

    @property
    def speaking(self) -> bool:
        return self._endpointer.speaking

    @property
    def grammar(self) -> SpeechGrammar | None:
        """What it listens under now."""
        return self._request.grammar if self._request is not None else None

    def listen(self, request: ListenRequest | None) -> None:
        self._request = request
        if request is None:
            self._abandon()
            self._endpointer.reset()
            del self._audio[:-_KEPT]
            return
        self._endpointer.hangover_s = request.hangover_s
        self._endpointer.max_utterance_s = request.max_utterance_s
        if self._attempt is not None and self._attempt.grammar.key != request.grammar.key:
            self._abandon()

    def feed(self, at: float, pcm: bytes, now: float) -> None:
        """``now``: the worker's clock on arrival, for noticing that nothing arrives any more."""
        self._arrived = now
        if self._at_end is not None:
            gap = at - self._at_end
            if gap > _JITTER_S or gap < -_JUMP_S:
                self._judge()  # what came before the gap
                self._silence(gap if gap > 0 else _JUMP_S)
            elif gap < -_JITTER_S:  # the gate's pre-roll repeats what we have
                skip = min(len(pcm), int(-gap * TELEPHONE_RATE) * 2)
                pcm, at = pcm[skip:], at + skip / _BYTES_A_SECOND
                if not pcm:
                    return
        self._at_end = at + len(pcm) / _BYTES_A_SECOND
        self._audio += pcm
        self._pending += pcm
        if not self._shared:
            self._judge()
        if not self._endpointer.speaking:
            del self._audio[:-_KEPT]

    def window(self) -> bytes | None:
        """The next window to be judged."""
        if len(self._pending) < 2 * WINDOW:
            return None
        window = bytes(self._pending[: 2 * WINDOW])
        del self._pending[: 2 * WINDOW]
        return window if self._request is not None else self.window()

    def judged(self, window: bytes, probability: float) -> None:
        """How likely the ``window`` that was taken last is speech."""
        self._step(probability)

    def _judge(self) -> None:
        while (window := self.window()) is not None:
            self.judged(window, self.vad.probability(window))

    def tick(self, now: float) -> None:
        """Time passes: the closed gate sends nothing, which is silence too."""
        unheard = now - self._arrived
        if not self._endpointer.speaking or unheard <= _LATE_S:
            return
        self._speculate(unheard)
        end = self._endpointer.due(unheard)
        if end is not None:
            # The hang-over's silence was never received: speech ended within what was.
            self._end(End(max(0.0, end.ago_s - unheard), end.capped))

    def close(self) -> None:
        self._request = None
        self._abandon()
        for attempt in self._finishing:
            attempt.cancel()
        self._finishing.clear()

    def _silence(self, gap: float) -> None:
        """A gap in the stream, before the audio after it is taken in."""
        if self._endpointer.speaking and self._request is not None:
            fill = min(gap, self._request.hangover_s)
            end = self._endpointer.push(0.0, gap)
            if isinstance(end, End):
                self._end(End(max(0.0, end.ago_s - gap), end.capped))
            else:
                self._audio += bytes(int(fill * TELEPHONE_RATE) * 2)
                self._speculate(0.0)
        if not self._endpointer.speaking:
            self._audio.clear()
        self._pending.clear()
        self.vad.reset()

    def _step(self, probability: float) -> None:
        edge = self._endpointer.push(probability, WINDOW_S)
        beyond = len(self._pending) / _BYTES_A_SECOND  # received, but not in a window yet
        if isinstance(edge, Start):
            keep = int((edge.ago_s + beyond + PREROLL_S) * TELEPHONE_RATE) * 2
            del self._audio[:-keep]
            self._emit(SpeechStarted(self._time(edge.ago_s + beyond)))
        elif isinstance(edge, End):
            self._end(End(edge.ago_s + beyond, edge.capped))
        elif self._endpointer.speaking:
            if self._endpointer.silence_s == 0.0:
                self._abandon()  # they went on: what was guessed is out of date
            else:
                self._speculate(0.0)

    def _time(self, ago_s: float) -> float:
        return (self._at_end or 0.0) - ago_s

    def _speculate(self, unheard_s: float) -> None:
        pause = self._endpointer.silence_s + unheard_s
        if self._attempt is None and self._request is not None and pause >= SPECULATE_S:
            self._begin(self._endpointer.silence_s, self._request.grammar)

    def _begin(self, silence_s: float, grammar: SpeechGrammar) -> Attempt:
        surplus = int(max(0.0, silence_s - _TAIL_S) * TELEPHONE_RATE) * 2
        attempt = self._attempt = Attempt(bytes(self._audio[: len(self._audio) - surplus]), grammar)
        self._submit(self, attempt)
        return attempt

    def _abandon(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None

    def _end(self, end: End) -> None:
        assert self._request is not None
        ended_at = self._time(end.ago_s)
        self._emit(SpeechEnded(ended_at))
        attempt = self._attempt or self._begin(end.ago_s, self._request.grammar)
        attempt.ending = ended_at, end.capped
        self._attempt = None  # the next utterance makes its own
        self._finishing.append(attempt)
        del self._audio[:-_KEPT]
        self._report()

    def done(self, attempt: Attempt, outcome: Outcome) -> None:
        """The recognising thread is ready (called on the loop)."""
        attempt.outcome = outcome
        self._report()

    def _report(self) -> None:
        """Heard for every ended utterance that is recognised, in the order they were spoken."""
        while self._finishing and self._finishing[0].outcome is not None:
            attempt = self._finishing.popleft()
            assert attempt.outcome is not None and attempt.ending is not None
            ended_at, capped = attempt.ending
            recognition = attempt.outcome.recognition
            best = recognition.nbest[0].text if recognition.nbest and recognition.cause is Cause.SUCCESS else ""
            manner = self._baseline.manner(attempt.outcome.measured, len((best or recognition.transcript).split()))
            cause = recognition.cause
            if capped and cause is Cause.NO_MATCH:
                cause = Cause.RECOGNITION_TIMEOUT
            heard = Heard(replace(recognition, cause=cause, manner=manner), ended_at)
            if self._unsure is not None and heard.recognition.unsure:
                self._unsure(heard, attempt.pcm)
            else:
                self._emit(heard)
