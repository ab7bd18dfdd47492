"""Confidence scoring: what speaks for and against each hypothesis, to a confidence (0..1) and a verdict. Pure.

``v`` is a phrase's log-probability per token along the grammar; ``llr`` its distance to the free transcript's (0: the
recogniser would have written just that); ``margin`` how far it ranks above the best phrase that means something else;
``likeness`` of the transcript to it; ``bias`` what the decoder would give it without hearing anything, per token.
Weights and thresholds are fitted on one set of clips and hold on another: ``python -m tests.bench.confidence``. A wrong
acceptance costs more than a question, so that acceptance also demands a clear margin (Alien is not Aliens), more of one
word alone than of a sentence, and that what was written freely does not fit much better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rapidfuzz import fuzz

from ivr.dialogue.spoken.similarity import bare_words, gist, likeness
from ivr.events import Accept, Cause, Hypothesis, Recognition
from ivr.speech.recognisers.trie import digits_in


@dataclass(frozen=True, slots=True)
class Curve:
    """A logistic curve over the evidence, and the confidences from which on a hypothesis is accepted (one word
    ``alone``: much else sounds like it) or asked about."""

    constant: float
    v: float
    llr: float
    margin: float
    likeness: float
    bias: float
    accept: float
    alone: float
    confirm: float


# Fitted by tests/bench/confidence.py, which prints these lines.
WORDS = Curve(
    constant=-3.75, v=1.32, llr=1.43, margin=1.92, likeness=0.73, bias=-1.5, accept=0.97, alone=0.978, confirm=0.25
)
DIGITS = Curve(
    constant=1.75, v=1.87, llr=1.29, margin=4.08, likeness=0.0, bias=0.0, accept=0.9, alone=0.9, confirm=0.32
)
CLEAR = 0.3  # margin to accept,
WRITTEN = -0.6  # and llr
_DISTANT = 1.5  # a margin beyond this adds nothing: in a grammar of two phrases there is always one
_RIVAL = 0.15  # a margin below which the second is offered, too,
_BEHIND = 0.03  # and how far behind the first it then is
_PLAIN = -0.25  # v
_DIGITS_WRITTEN, _DIGITS_UNWRITTEN = -0.7, -0.35  # v to accept digits that the free transcript holds, or doesn't
_HALF = 0.5  # of the digits are in the transcript
_LOOP = 4  # digits, and only one or two different ones
_DIGIT_S = 0.14  # nobody says digits faster
_NBEST = 5
Sense = tuple[int, frozenset[tuple[str, tuple[str, ...]]]]  # what it means, and with which values


@dataclass(frozen=True, slots=True)
class Evidence:
    """One finished path. ``phrase``: its index; None for filled templates and digit strings. ``twin``: another phrase
    sounds just like it. ``digits``: ``text`` is a digit string. ``bias``: its score over silence, a token;
    ``above``: how much better than by ``v`` it ranks for that and for how likely its values are. ``sense``:
    None where nobody knows."""

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


def acceptable(one: Evidence, clear: float, like: float) -> bool:
    """Whether it may be accepted at all, however sure. Digits that nobody wrote freely must be heard well."""
    if one.digits and one.v < (_DIGITS_WRITTEN if like >= _HALF else _DIGITS_UNWRITTEN):
        return False
    return clear >= CLEAR and one.llr >= WRITTEN and not one.twin


def plain(one: Evidence, like: float) -> bool:
    """Heard well, and word for word what would be written freely: "Yep." (0 wrong of 273 such clips, fit and check)."""
    return not one.digits and like >= 1.0 and one.v >= _PLAIN


def possible(one: Evidence, like: float, duration_s: float) -> bool:
    """Digits score high on nearly anything: not faster than anyone speaks, nor a loop that only the grammar hears."""
    if not one.digits:
        return True
    loop = len(one.text) >= _LOOP and len(set(one.text)) <= 2 and like < _HALF
    return len(one.text) * _DIGIT_S <= duration_s and not loop


def verdict(curve: Curve, one: Evidence, sure: float, clear: float, like: float) -> Accept:
    enough = curve.accept if " " in one.text else curve.alone
    if (sure >= enough or plain(one, like)) and acceptable(one, clear, like):
        return Accept.ACCEPT
    return Accept.CONFIRM if sure >= curve.confirm else Accept.REJECT


def judge(found: Sequence[Evidence], transcript: str, duration_s: float, took_s: float, engine: str) -> Recognition:
    """The recognition of one utterance, its n-best list judged. ``found`` is best first: only the first is ever
    accepted, and confidences fall. Where the first is asked about, a close second that means something else is, too."""
    heard = bool(bare_words(transcript))  # it would have written nothing: there was no speech
    judged: list[tuple[Evidence, Hypothesis]] = []
    for one in found[:_NBEST]:
        curve = DIGITS if one.digits else WORDS
        clear, like = margin(one, found), alike(one, transcript)
        sure, opinion = 0.0, Accept.REJECT
        if heard and possible(one, like, duration_s):
            sure = confidence(curve, one, clear, like)
            opinion = verdict(curve, one, sure, clear, like)
        accepted = opinion is Accept.ACCEPT
        sure = max(sure, curve.accept) if accepted else min(sure, curve.accept - 0.01)
        judged.append((one, Hypothesis(one.text, sure, one.phrase, opinion)))
    judged.sort(key=lambda pair: pair[1].verdict is Accept.REJECT)  # the order is kept within
    nbest: list[Hypothesis] = []
    for one, h in judged:
        sure, opinion = h.confidence, h.verdict
        if nbest:
            if nbest[0].verdict is Accept.CONFIRM and h.confidence > 0.0 and _close(judged[0][0], one):
                sure, opinion = max(sure, nbest[0].confidence - _BEHIND), Accept.CONFIRM
            sure = min(sure, nbest[-1].confidence)
        nbest.append(replace(h, confidence=round(sure, 3), verdict=opinion))
    return concluded(nbest, transcript, duration_s, took_s, engine)


def certain(found: Sequence[Evidence], transcript: str, duration_s: float) -> bool:
    """Whether the best is accepted, so that there is nothing to gain by listening again."""
    nbest = judge(found, transcript, duration_s, 0.0, "").nbest
    return bool(nbest) and nbest[0].verdict is Accept.ACCEPT


def _close(best: Evidence, one: Evidence) -> bool:
    return best.rank - one.rank < _RIVAL and not one.means(best)


def concluded(
    nbest: Sequence[Hypothesis], transcript: str, duration_s: float, took_s: float, engine: str
) -> Recognition:
    """An n-best list, judged and in order, as a recognition: no match where not even the first is worth asking for."""
    matched = bool(nbest) and nbest[0].verdict is not Accept.REJECT
    cause = Cause.SUCCESS if matched else Cause.NO_MATCH
    return Recognition(cause, tuple(nbest), transcript, round(duration_s, 3), round(took_s, 4), engine)
