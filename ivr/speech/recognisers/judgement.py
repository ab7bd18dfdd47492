"""Confidence scoring: what speaks for and against each hypothesis, to a confidence (0..1) and a verdict. Pure.

``v`` is a phrase's log-probability per token along the grammar; ``llr`` its distance to the free transcript's (0: the
recogniser would have written just that); ``margin`` how far it ranks above the best phrase that means something else;
``likeness`` of the transcript to it; ``bias`` what the decoder would give it without hearing anything, per token. Weights
and thresholds are fitted on one set of clips and hold on another: ``python -m tests.bench.confidence``. A wrong
acceptance costs more than a question, so that acceptance also demands a clear margin (Alien is not Aliens).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from ivr.dialogue.spoken.similarity import bare_words, gist, likeness
from ivr.events import Accept, Cause, Hypothesis, Recognition
from ivr.speech.recognisers.trie import digits_in


@dataclass(frozen=True, slots=True)
class Curve:
    """A logistic curve over the evidence, and the confidences from which on a hypothesis is accepted or asked about."""

    constant: float
    v: float
    llr: float
    margin: float
    likeness: float
    bias: float
    accept: float
    confirm: float


# Fitted by tests/bench/confidence.py, which prints these lines.
WORDS = Curve(constant=-0.63, v=1.28, llr=0.85, margin=0.85, likeness=0.47, bias=-0.87, accept=0.95, confirm=0.35)
DIGITS = Curve(constant=1.85, v=1.76, llr=0.73, margin=2.36, likeness=1.0, bias=0.0, accept=0.93, confirm=0.5)
CLEAR = 0.3  # margin to accept
_DISTANT = 1.5  # a margin beyond this adds nothing: in a grammar of two phrases there is always one
_RIVAL = 0.15  # a margin below which the second is offered, too,
_BEHIND = 0.03  # and how far behind the first it then is
_DIGIT_S = 0.14  # nobody says digits faster
_NBEST = 5
Sense = tuple[int, frozenset[tuple[str, tuple[str, ...]]]]  # what it means, and with which values


@dataclass(frozen=True, slots=True)
class Evidence:
    """One finished path. ``phrase``: its index; None for filled templates and digit strings. ``twin``: another phrase
    sounds just like it. ``digits``: ``text`` is a digit string. ``bias``: its score over silence, a token;
    ``above``: how much better than by ``v`` it ranks for that. ``sense``: None where nobody knows."""

    text: str
    phrase: int | None
    v: float
    llr: float
    twin: bool = False
    digits: bool = False
    bias: float = 0.0
    above: float = 0.0
    sense: Sense | None = None

    @property
    def rank(self) -> float:
        return self.v + self.above

    def means(self, other: Evidence) -> bool:
        """Whether both say the same."""
        if self.sense is not None and self.sense == other.sense:
            return True
        return gist(self.text) == gist(other.text)


def margin(one: Evidence, others: Sequence[Evidence]) -> float:
    """How far ``one`` lies above the best of ``others`` that says something else; at most 1.5."""
    rivals = [o.rank for o in others if o is not one and not o.means(one)]
    return min(_DISTANT, one.rank - max(rivals)) if rivals else _DISTANT


def alike(one: Evidence, transcript: str) -> float:
    """How much of it the free transcript holds, 0..1; of digits, in figures or words."""
    if one.digits:
        return fuzz.ratio(one.text, digits_in(transcript)[0]) / 100.0
    return likeness(bare_words(transcript), one.text) / 100.0


def confidence(curve: Curve, one: Evidence, clear: float, like: float) -> float:
    """The chance that a hypothesis is right."""
    z = curve.constant + curve.v * one.v + curve.llr * one.llr + curve.margin * clear
    z += curve.likeness * like + curve.bias * one.bias
    return 1.0 / (1.0 + math.exp(-z))


def verdict(curve: Curve, one: Evidence, sure: float, clear: float, duration_s: float) -> Accept:
    if one.digits and len(one.text) * _DIGIT_S > duration_s:
        return Accept.REJECT
    if sure >= curve.accept and clear >= CLEAR and not one.twin:
        return Accept.ACCEPT
    return Accept.CONFIRM if sure >= curve.confirm else Accept.REJECT


def judge(found: Sequence[Evidence], transcript: str, duration_s: float, took_s: float, engine: str) -> Recognition:
    """The recognition of one utterance, its n-best list judged. ``found`` is best first: only the first is ever
    accepted, and its confidence bounds the others'. Where that is asked about, a close second is asked about, too."""
    heard = bool(bare_words(transcript))  # it would have written nothing: there was no speech
    nbest: list[Hypothesis] = []
    for one in found[:_NBEST]:
        curve = DIGITS if one.digits else WORDS
        clear = margin(one, found)
        sure = confidence(curve, one, clear, alike(one, transcript)) if heard else 0.0
        opinion = verdict(curve, one, sure, clear, duration_s) if heard else Accept.REJECT
        if nbest:
            best = nbest[0]
            if best.verdict is Accept.CONFIRM and found[0].rank - one.rank < _RIVAL and not one.means(found[0]):
                sure, opinion = max(sure, best.confidence - _BEHIND), Accept.CONFIRM
            if opinion is Accept.ACCEPT or best.verdict is Accept.REJECT:
                opinion = best.verdict if best.verdict is Accept.REJECT else Accept.CONFIRM
            sure = min(sure, nbest[-1].confidence)
        elif opinion is not Accept.ACCEPT:
            sure = min(sure, curve.accept - 0.01)
        nbest.append(Hypothesis(one.text, round(sure, 3), one.phrase, opinion))
    return concluded(nbest, transcript, duration_s, took_s, engine)


def concluded(
    nbest: Sequence[Hypothesis], transcript: str, duration_s: float, took_s: float, engine: str
) -> Recognition:
    """An n-best list, judged and in order, as a recognition: no match where not even the first is worth asking for."""
    matched = bool(nbest) and nbest[0].verdict is not Accept.REJECT
    cause = Cause.SUCCESS if matched else Cause.NO_MATCH
    return Recognition(cause, tuple(nbest), transcript, round(duration_s, 3), round(took_s, 4), engine)
