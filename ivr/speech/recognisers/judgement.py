"""Confidence scoring: log-probabilities to accept, confirm or reject, with a confidence between 0 and 1. Pure.

``v`` is a phrase's log-probability per token along the grammar; ``llr`` its distance to the free transcript's (0: the
recogniser would have written just that); ``margin`` the distance to the best phrase that means something else. The
curve and the thresholds were fitted on one set of clips and hold on another (tests/bench/speech_accuracy.py): a wrong
acceptance costs more than a question, so that acceptance also demands a clear margin (Alien is not Aliens).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rapidfuzz import fuzz

from ivr.dialogue.spoken.similarity import bare_words, gist, likeness
from ivr.events import Accept, Cause, Hypothesis, Recognition
from ivr.speech.recognisers.trie import digits_in

ACCEPT = 0.93
CONFIRM = 0.5
_MARGIN = 0.3  # to accept
_LIKENESS = 50.0  # to accept: a transcript that holds less of the phrase was about something else
_LLR_ACCEPT, _LLR_CONFIRM = -0.9, -1.3
_WEIGHTS = (1.85, 1.76, 0.73, 2.36)  # constant, v, llr, margin
_CLEAR = 1.5  # a margin beyond this adds nothing: in a grammar of two phrases there is always one
_DIGIT_S = 0.14  # nobody says digits faster
_NBEST = 5
_RANKS = (Accept.ACCEPT, Accept.CONFIRM, Accept.REJECT)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One finished path. ``phrase``: its index; None for filled templates and digit strings. ``twin``: another phrase
    sounds just like it. ``digits``: ``text`` is a digit string."""

    text: str
    phrase: int | None
    v: float
    llr: float
    twin: bool = False
    digits: bool = False


def margin(one: Evidence, others: Sequence[Evidence]) -> float:
    """How far ``one`` lies above the best of ``others`` that says something else; at most 1.5."""
    rivals = [o.v for o in others if o is not one and gist(o.text) != gist(one.text)]
    return min(_CLEAR, one.v - max(rivals)) if rivals else _CLEAR


def confidence(v: float, llr: float, clear: float) -> float:
    """The chance that a hypothesis is right."""
    constant, of_v, of_llr, of_margin = _WEIGHTS
    return 1.0 / (1.0 + math.exp(-(constant + of_v * v + of_llr * llr + of_margin * clear)))


def verdict(sure: float, llr: float, clear: float) -> Accept:
    if sure >= ACCEPT and clear >= _MARGIN and llr >= _LLR_ACCEPT:
        return Accept.ACCEPT
    if sure >= CONFIRM and llr >= _LLR_CONFIRM:
        return Accept.CONFIRM
    return Accept.REJECT


def digits_verdict(one: Evidence, clear: float, transcript: str, duration_s: float) -> tuple[float, Accept]:
    """Digit strings score high on nearly anything (a loop repeats itself): the free transcript must hold digits too."""
    sure = confidence(one.v, one.llr, clear)
    written, alone = digits_in(transcript)
    agreement = fuzz.ratio(one.text, written) / 100.0
    if len(one.text) * _DIGIT_S > duration_s or agreement < 0.5:
        return min(sure, 0.3), Accept.REJECT
    if one.text == written and alone and one.llr > -0.6:
        return max(sure, ACCEPT), Accept.ACCEPT
    if one.v > -0.35 and one.llr > -0.15 and clear >= _MARGIN and agreement > 0.8:
        return sure, Accept.ACCEPT
    return min(sure, ACCEPT - 0.01), verdict(min(sure, ACCEPT - 0.01), one.llr, clear)


def judge(found: Sequence[Evidence], transcript: str, duration_s: float, took_s: float, engine: str) -> Recognition:
    """The recognition of one utterance, its n-best list judged and ordered. ``found`` is best first."""
    words = bare_words(transcript)
    judged: list[Hypothesis] = []
    for one in found[:_NBEST]:
        clear = margin(one, found)
        if one.digits:
            sure, opinion = digits_verdict(one, clear, transcript, duration_s)
        else:
            sure = confidence(one.v, one.llr, clear)
            opinion = verdict(sure, one.llr, clear)
            if opinion is Accept.ACCEPT and (one.twin or likeness(words, one.text) < _LIKENESS):
                sure, opinion = min(sure, ACCEPT - 0.01), Accept.CONFIRM
        if not words:  # it would have written nothing: there was no speech
            sure, opinion = min(sure, 0.1), Accept.REJECT
        judged.append(Hypothesis(one.text, round(sure, 3), one.phrase, opinion))
    judged.sort(key=lambda h: (_RANKS.index(h.verdict), -h.confidence))
    nbest: list[Hypothesis] = []
    for h in judged:  # an accepted hypothesis outranks; its confidence then bounds the others'
        nbest.append(replace(h, confidence=min(h.confidence, nbest[-1].confidence)) if nbest else h)
    return concluded(nbest, transcript, duration_s, took_s, engine)


def concluded(
    nbest: Sequence[Hypothesis], transcript: str, duration_s: float, took_s: float, engine: str
) -> Recognition:
    """An n-best list, judged and in order, as a recognition: no match where not even the first is worth asking for."""
    matched = bool(nbest) and nbest[0].verdict is not Accept.REJECT
    cause = Cause.SUCCESS if matched else Cause.NO_MATCH
    return Recognition(cause, tuple(nbest), transcript, round(duration_s, 3), round(took_s, 4), engine)
