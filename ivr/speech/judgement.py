"""From log-probabilities to a verdict: accept, confirm or reject, with a confidence between 0 and 1. Pure.

``v`` is a phrase's log-probability per token along the grammar, ``llr`` its distance to the free transcript's
(0: the recogniser would have written just that), ``margin`` the distance to the next different phrase.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ivr.events import Accept, Cause, Hypothesis, Recognition

ACCEPT_V, ACCEPT_LLR = -0.8, -0.4
CONFIRM_V, CONFIRM_LLR = -1.2, -1.0
_NBEST = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    text: str
    phrase: int | None
    v: float
    llr: float
    length: int


def verdict(v: float, llr: float) -> Accept:
    if v > ACCEPT_V and llr > ACCEPT_LLR:
        return Accept.ACCEPT
    if v > CONFIRM_V and llr > CONFIRM_LLR:
        return Accept.CONFIRM
    return Accept.REJECT


def confidence(v: float, llr: float) -> float:
    """How likely the hypothesis is right; a logistic curve fitted on spoken clips (tests/bench/speech_accuracy.py)."""
    return 1.0 / (1.0 + math.exp(-(4.0 + 2.0 * v + 2.5 * llr)))


def judge(
    found: Sequence[Evidence], transcript: str, free: float, duration_s: float, took_s: float, engine: str
) -> Recognition:
    """The recognition of one utterance. ``found`` is best first; ``free``: the transcript's own score."""
    nbest: list[Hypothesis] = []
    ceiling = 1.0
    for one in found[:_NBEST]:
        ceiling = min(ceiling, confidence(one.v, one.llr))  # n-best is ordered by v: so is confidence
        nbest.append(Hypothesis(one.text, round(ceiling, 3), one.phrase, verdict(one.v, one.llr)))
    matched = bool(nbest) and nbest[0].verdict is not Accept.REJECT
    return Recognition(
        cause=Cause.SUCCESS if matched else Cause.NO_MATCH,
        nbest=tuple(nbest),
        transcript=transcript,
        duration_s=round(duration_s, 3),
        took_s=round(took_s, 4),
        engine=engine,
    )
