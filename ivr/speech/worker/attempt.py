"""Attempts at recognising an utterance, what they give, and what is known of the utterances they are of."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.events import Accept, Cause, Recognition
from ivr.speech.worker.manner import Measured
from ivr.speech.worker.openness import Openness

RANKS = (Accept.REJECT, Accept.CONFIRM, Accept.ACCEPT)
ACCEPTED = RANKS.index(Accept.ACCEPT)
_BRIEF = 2  # words or fewer
_DOUBTED = 0.9  # confidence, at most, of what would be accepted otherwise


@dataclass(frozen=True, slots=True)
class Outcome:
    """What recognising one utterance gave: the recognition and the voice's measures."""

    recognition: Recognition
    measured: Measured

    @property
    def spoken(self) -> bool:
        """Whether there were words, and a voice: not a cough, or a lorry."""
        return bool(self.recognition.transcript.strip()) and self.measured.pitch_hz > 0

    @property
    def rank(self) -> int:
        nbest = self.recognition.nbest
        return RANKS.index(nbest[0].verdict) if nbest and self.recognition.cause is Cause.SUCCESS else 0

    @property
    def words(self) -> int:
        """Of the best hypothesis."""
        return len(self.recognition.nbest[0].text.split()) if self.recognition.nbest else 0

    def doubted(self) -> Outcome:
        """The same, asked about instead of accepted."""
        best, *others = self.recognition.nbest
        doubted = replace(best, verdict=Accept.CONFIRM, confidence=min(best.confidence, _DOUBTED))
        others = [replace(each, confidence=min(each.confidence, _DOUBTED)) for each in others]
        return replace(self, recognition=replace(self.recognition, nbest=(doubted, *others)))


@dataclass(frozen=True, slots=True)
class Answered:
    """What was understood and ended, ``at``, though more of it may follow, of up to so many ``words``."""

    at: float
    openness: Openness
    text: str
    words: int

    def trails(self, outcome: Outcome) -> bool:
        """Whether what came so soon after it is the rest of it, rather than a sentence of its own.

        The rest alone is easily taken for a word of the grammar ("queue" for "yeah"): that has to be certain."""
        best = outcome.recognition.nbest[0].text
        accepted = outcome.rank == ACCEPTED
        if not accepted and outcome.words <= _BRIEF:
            return True
        return self.openness.goes_on(self.text, outcome.recognition.transcript, best if accepted else "")


@dataclass(frozen=True, slots=True)
class Doubtful:
    """What ``began`` so soon after ``answered`` that it may be the rest of it, or is too faint to be this caller: told
    only if it is understood, and not as that."""

    began: float
    answered: Answered | None = None


class Attempt:
    """A recognition of ``pcm`` under way. ``cancel``: nobody wants it any more; ``cancelled`` is asked from the
    recognising thread.

    One of a fragment and its continuation is made of both first, and again of the ``continuation`` alone where that
    isn't accepted."""

    def __init__(self, pcm: bytes, grammar: SpeechGrammar, fragment: bytes = b"") -> None:
        self.pcm = fragment + pcm
        self.grammar = grammar
        self.outcome: Outcome | None = None
        self.ending: tuple[float, bool] | None = None  # (speech ended at, capped), once the utterance is over
        self.doubtful: Doubtful | None = None
        self.private = False  # some of it was said where ListenRequest.private was
        self.whole = self.pcm
        self._continuation = pcm if fragment else b""
        self._joined: Outcome | None = None
        event = threading.Event()
        self.cancel, self.cancelled = event.set, event.is_set

    def concluded(self, outcome: Outcome) -> bool:
        """``pcm`` was recognised. False: there is another one to be, now."""
        if self._continuation and outcome.rank < ACCEPTED:
            self._joined, self.pcm, self._continuation = outcome, self._continuation, b""
            return False
        self.outcome = outcome if self._joined is None or outcome.rank > self._joined.rank else self._joined
        return True


@dataclass(frozen=True, slots=True)
class Fragment:
    """What was said until ``ended_at``, and not understood."""

    pcm: bytes
    ended_at: float
    grammar: SpeechGrammar
    private: bool = False
