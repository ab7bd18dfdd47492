"""Utterances of one call: gated audio in; SpeechStarted, SpeechEnded and Heard (with the manner, prosody) out.

All runs on the worker's loop; recognition is handed to ``submit``. The media process sends audio only while its gate
is open: a gap in ``at`` is silence, and so is nothing arriving at all. Recognition starts as soon as somebody falls
silent, and what it gives says which silence ends the utterance (``openness``): what can't go on is answered at once.
The price of that is paid here too: a tail ("... of my queue") that comes after the answer was begun is no utterance of
its own. And what was not understood is heard again together with what follows it soon.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from ivr.dialogue.understanding.speech_grammar import ListenRequest, SpeechGrammar
from ivr.events import Cause, EarEvent, Heard, SpeechEnded, SpeechStarted
from ivr.speech.worker.attempt import ACCEPTED, Answered, Attempt, Doubtful, Fragment, Outcome
from ivr.speech.worker.endpointing import PREROLL_S, WINDOW, WINDOW_S, End, Endpointer, Levels, Start
from ivr.speech.worker.engines import TELEPHONE_RATE
from ivr.speech.worker.foreground import CallerLoudness, foreground
from ivr.speech.worker.manner import Baseline
from ivr.speech.worker.openness import Openness

SPECULATE_S = 0.09  # of silence: what is recognised then is known when an early end is due
_BYTES_A_SECOND = 2 * TELEPHONE_RATE
_SILENCE_S = 0.25  # left after the speech for the recogniser, or added
_KEPT = int((PREROLL_S + 0.2) * _BYTES_A_SECOND) & ~1
_JITTER_S = 0.04  # smaller gaps are scheduling, not silence
_LATE_S = 0.08  # after so long without a frame the gate has closed
_JUMP_S = 1.0  # ``at`` running back further than this is another stream
_TAIL_S = 0.5  # speech so soon after an early end may be what was left of it: people pause for no longer,
_TAIL_LENGTH_S, _TAIL_WORD_S = 0.6, 0.3  # and a rest of so many words, or a "please", takes no longer
_CONTINUED_S = 1.5  # after the end of what was not understood: what comes then may continue it
_FRAGMENT = int(8.0 * _BYTES_A_SECOND)  # longer is no fragment


class Probability(Protocol):
    def probability(self, window: bytes) -> float: ...
    def reset(self) -> None: ...


class UtteranceDetector:
    """``emit`` gets the ear events in order; ``submit`` starts an Attempt and later calls ``done`` on the loop.

    ``unsure``: gets what the recogniser is unsure of and isn't private, and its audio, in place of ``emit``.
    ``openness`` is asked once an utterance, and best kept by grammar. ``patience`` gives the silence after which
    recognising is worth a try: longer while others wait for the processor. ``shared``: whoever feeds it takes each
    ``window``, of many callers at a time, and says how it was ``judged``."""

    def __init__(
        self,
        vad: Probability,
        emit: Callable[[EarEvent], None],
        submit: Callable[[UtteranceDetector, Attempt], None],
        unsure: Callable[[Heard, bytes], None] | None = None,
        *,
        openness: Callable[[SpeechGrammar], Openness] = Openness,
        patience: Callable[[], float] = lambda: SPECULATE_S,
        shared: bool = False,
    ) -> None:
        self._shared = shared
        self.vad = vad
        self._emit = emit
        self._submit = submit
        self._unsure = unsure
        self._openness = openness
        self._patience = patience
        self._request: ListenRequest | None = None
        self._levels = Levels()
        self._endpointer = Endpointer()
        self._audio = bytearray()  # idle: the pre-roll; speaking: the utterance from its pre-roll on
        self._pending = bytearray()  # less than one window
        self._at_end: float | None = None  # time of the sample after the last one
        self._arrived = 0.0
        self._began = 0.0  # the utterance
        self._private = False
        self._attempt: Attempt | None = None
        self._finishing: deque[Attempt] = deque()  # ended utterances, oldest first
        self._answered: Answered | None = None
        self._doubtful: Doubtful | None = None  # what is being said, as long as it is
        self._caller = CallerLoudness()
        self._fragment: Fragment | None = None
        self._baseline = Baseline()

    @property
    def speaking(self) -> bool:
        return self._endpointer.speaking

    @property
    def spoken_since(self) -> bool:
        """Whether more than one utterance that ended waits to be recognised."""
        return len(self._finishing) > 1

    @property
    def grammar(self) -> SpeechGrammar | None:
        """What it listens under now."""
        return self._request.grammar if self._request is not None else None

    def listen(self, request: ListenRequest | None) -> None:
        self._request = request
        if request is None:
            self._abandon()
            self._endpointer.reset()
            self._answered = self._doubtful = self._fragment = None
            self._trim()
            return
        self._endpointer.max_utterance_s = request.max_utterance_s
        self._private = request.private or (self._private and self.speaking)
        if self._attempt is not None and self._attempt.grammar.key != request.grammar.key:
            self._abandon()
        self._await_end()

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
            self._trim()

    def _trim(self) -> None:
        """Only the pre-roll is kept, and what has not been judged yet, however much came at once."""
        del self._audio[: -(_KEPT + len(self._pending))]

    def window(self) -> bytes | None:
        """The next window to be judged."""
        if len(self._pending) < 2 * WINDOW:
            return None
        window = bytes(self._pending[: 2 * WINDOW])
        del self._pending[: 2 * WINDOW]
        return window if self._request is not None else self.window()

    def judged(self, window: bytes, probability: float) -> None:
        """How likely the ``window`` that was taken last is speech."""
        self._step(self._levels.heard(probability, window))
        self._heed()

    def _judge(self) -> None:
        while (window := self.window()) is not None:
            self.judged(window, self.vad.probability(window))

    @property
    def resting(self) -> bool:
        """Nobody is speaking, and nothing waits to be judged: there is nothing to tick for."""
        return not self._endpointer.speaking and len(self._pending) < 2 * WINDOW

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
            fill = min(gap, self._endpointer.hangover_s)
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
            self._start(self._time(edge.ago_s + beyond))
        elif isinstance(edge, End):
            self._end(End(edge.ago_s + beyond, edge.capped))
        elif self._endpointer.speaking:
            tail = self._doubtful.answered if self._doubtful is not None else None
            spoken_s = self._endpointer.length_s - self._endpointer.silence_s
            if tail is not None and spoken_s > _TAIL_LENGTH_S + _TAIL_WORD_S * tail.words:
                self._tell()
            if self._endpointer.silence_s == 0.0:
                self._abandon()  # they went on: what was guessed is out of date
            else:
                self._speculate(0.0)

    def _time(self, ago_s: float) -> float:
        return (self._at_end or 0.0) - ago_s

    def _start(self, began: float) -> None:
        self._began = began
        if self._answered is not None and began - self._answered.at < _TAIL_S:
            self._doubtful = Doubtful(began, self._answered)
            return
        self._answered = None
        self._doubtful = Doubtful(began)
        self._heed()

    def _heed(self) -> None:
        """Once it is as loud as this caller, it is the caller."""
        if self._doubtful is None or self._doubtful.answered is not None:
            return
        loudest_db = self._levels.loudest_db(self._caller.syllable, self._endpointer.length_s)
        if not self._caller.outdoes(loudest_db, self._levels.above_db):
            self._tell()

    def _tell(self) -> None:
        """That speech began, which was in doubt so far."""
        doubtful, self._doubtful = self._doubtful, None
        if doubtful is not None:
            self._emit(SpeechStarted(doubtful.began))

    @property
    def _heeded(self) -> bool:
        """Somebody is speaking, and it was told."""
        return self._endpointer.speaking and self._doubtful is None

    def _speculate(self, unheard_s: float) -> None:
        pause = self._endpointer.silence_s + unheard_s
        if self._attempt is None and self._request is not None and pause >= SPECULATE_S and pause >= self._patience():
            self._begin(self._endpointer.silence_s, self._request.grammar)

    def _begin(self, silence_s: float, grammar: SpeechGrammar) -> Attempt:
        change = int((_SILENCE_S - silence_s) * TELEPHONE_RATE) * 2
        pcm = bytes(self._audio) + bytes(change) if change > 0 else bytes(self._audio[: len(self._audio) + change])
        before = self._fragment
        continued = before is not None and before.grammar.key == grammar.key and self._doubtful is None
        if before is None or not continued or self._began - before.ended_at > _CONTINUED_S:
            before = None
        attempt = self._attempt = Attempt(foreground(pcm), grammar, b"" if before is None else before.pcm)
        attempt.private = before is not None and before.private
        self._submit(self, attempt)
        return attempt

    def _abandon(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None
            self._await_end()

    def _await_end(self) -> None:
        """Set the silence that ends this utterance, by what is known of it so far."""
        request, attempt = self._request, self._attempt
        if request is None:
            return
        wanted = request.hangover_s
        if request.early and attempt is not None and attempt.outcome is not None:
            heard, openness = attempt.outcome, self._openness(attempt.grammar)
            wanted = openness.silence_s(heard.recognition, wanted, heard.measured)
        self._endpointer.hangover_s = wanted

    def _end(self, end: End) -> None:
        assert self._request is not None
        ended_at = self._time(end.ago_s)
        doubtful, self._doubtful = self._doubtful, None
        if doubtful is None:
            self._emit(SpeechEnded(ended_at))
        attempt = self._attempt or self._begin(end.ago_s, self._request.grammar)
        attempt.ending, attempt.doubtful = (ended_at, end.capped), doubtful
        attempt.private, self._private = attempt.private or self._private, self._request.private
        if attempt.outcome is not None and attempt.outcome.rank and doubtful is None:
            best, openness = attempt.outcome.recognition.nbest[0].text, self._openness(attempt.grammar)
            early, rests = self._endpointer.hangover_s < self._request.hangover_s, openness.rests(best)
            if early or (self._request.early and rests):
                words = max(map(len, rests), default=0)
                self._answered = Answered(self._time(0.0), openness, best, words)
        self._attempt = None  # the next utterance makes its own
        self._await_end()
        self._finishing.append(attempt)
        self._trim()
        self._report()

    def done(self, attempt: Attempt, outcome: Outcome) -> None:
        """The recognising thread is ready (called on the loop)."""
        if outcome.rank == ACCEPTED:
            best = outcome.recognition.nbest[0].text
            if self._openness(attempt.grammar).scant(best, outcome.measured):
                outcome = outcome.doubted()
        if not attempt.concluded(outcome):
            self._submit(self, attempt)
            return
        if attempt is self._attempt:
            self._await_end()
            end = self._endpointer.due()
            if end is not None:
                self._end(end)
        self._report()

    def expect(self, caller_db: float) -> None:
        """How loud this caller is, in dB full scale: who is much fainter is somebody else."""
        self._caller.expect(caller_db)

    def _report(self) -> None:
        """Heard for every ended utterance that is recognised, in the order they were spoken."""
        while self._finishing and self._finishing[0].outcome is not None:
            attempt = self._finishing.popleft()
            assert attempt.outcome is not None and attempt.ending is not None
            ended_at, capped = attempt.ending
            recognition = attempt.outcome.recognition
            understood = recognition.cause is Cause.SUCCESS
            if (doubtful := attempt.doubtful) is not None:
                if not self._meant(doubtful, attempt.outcome):
                    continue
                if not self._heeded:  # else that they speak is told already, and they haven't ended
                    self._emit(SpeechStarted(doubtful.began))
                    self._emit(SpeechEnded(ended_at))
            self._caller.heard(attempt.outcome, ended_at)
            best = recognition.nbest[0].text if recognition.nbest and understood else ""
            manner = self._baseline.manner(attempt.outcome.measured, len((best or recognition.transcript).split()))
            cause = recognition.cause
            if cause is Cause.NO_MATCH and not attempt.outcome.spoken:
                cause = Cause.NO_INPUT_TIMEOUT
            elif capped and cause is Cause.NO_MATCH:
                cause = Cause.RECOGNITION_TIMEOUT
            self._fragment = None
            if cause is Cause.NO_MATCH and len(attempt.whole) <= _FRAGMENT:
                self._fragment = Fragment(attempt.whole, ended_at, attempt.grammar, attempt.private)
            heard = Heard(replace(recognition, cause=cause, manner=manner), ended_at)
            if self._unsure is not None and heard.recognition.unsure and not attempt.private:
                self._unsure(heard, attempt.whole)
            else:
                self._emit(heard)

    def _meant(self, doubtful: Doubtful, outcome: Outcome) -> bool:
        """Whether it was said to us, as far as is known."""
        if doubtful.answered is not None and (not outcome.rank or doubtful.answered.trails(outcome)):
            return False
        return self._caller.may_be(outcome, doubtful.began)
