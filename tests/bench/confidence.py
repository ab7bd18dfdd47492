"""Fits how sure a recogniser may be, and checks it: ``python -m tests.bench.confidence [fit|check] [--each 1]``.

``fit`` prints the two curves of ivr/speech/recognisers/judgement.py as they come out of the tuning part, with their
calibration error and AUC; ``check`` prints what the curves there do on the other part, which nothing was fitted on.
Right means the right meaning, as understanding takes the hypothesis. A wrong acceptance in ``check`` fails.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ivr.dialogue.understanding.grammar import Meaning
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.n_best import did_you_mean, readings
from ivr.events import Accept, Hypothesis, Recognition
from ivr.speech.recognisers.judgement import (
    DIGITS,
    WORDS,
    Curve,
    Evidence,
    acceptable,
    alike,
    confidence,
    judge,
    margin,
)
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from tests.bench.confidence_corpus import CONDITIONS, Answer, corpus, spoken

NAMES = ("constant", "v", "llr", "margin", "likeness", "bias")
Vector = NDArray[np.float64]
_RIDGE = 0.02
_RIGHT_OF_ASKED = 0.3  # of what is asked about at the lowest confidence, this share is right
_SAFETY = 0.3  # nats above the surest wrong one, to accept,
_LEAST_WORDS, _LEAST_DIGITS = 0.97, 0.9  # and never less sure than this


@dataclass(frozen=True, slots=True)
class Observation:
    """A clip, and what spoke for each candidate."""

    answer: Answer
    voice: str
    condition: str
    evidence: tuple[Evidence, ...]
    transcript: str
    duration_s: float

    @property
    def digits(self) -> bool:
        return bool(self.evidence) and self.evidence[0].digits

    def recognition(self) -> Recognition:
        return judge(self.evidence, self.transcript, self.duration_s, 0.0, "moonshine")


def observe(part: str, each: int) -> tuple[list[Observation], dict[str, StateGrammar]]:
    recogniser = MoonshineRecogniser()
    recogniser.load()
    known = corpus(part)
    found = []
    for clip in spoken(part, known.answers, each):
        heard = recogniser.evidence(clip.samples, known.speech[clip.answer.state])
        duration_s = len(clip.samples) / 8000
        found.append(
            Observation(clip.answer, clip.voice, clip.condition, tuple(heard.evidence), heard.transcript, duration_s)
        )
    return found, known.grammars


def meaning(text: str, phrase: int | None, grammar: StateGrammar) -> Meaning | None:
    if text.isdecimal() and grammar.run_slot is not None:
        return Meaning("digits " + text)
    read = readings([Hypothesis(text, 1.0, phrase, Accept.ACCEPT)], grammar)
    return read[0].meaning if read else None


# -- fitting ----------------------------------------------------------------------------------------------------------


def features(one: Evidence, others: Sequence[Evidence], transcript: str) -> list[float]:
    words = [0.0, 0.0] if one.digits else [alike(one, transcript), one.bias]  # neither says anything of digits
    return [1.0, one.v, one.llr, margin(one, others), *words]


def logistic(x: Vector, y: Vector) -> Vector:
    """Weights by Newton's method, ridge on all but the constant."""
    weights = np.zeros(x.shape[1])
    ridge = _RIDGE * len(x) * np.diag([0.0, *[1.0] * (x.shape[1] - 1)]) / 10
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (p - y) + ridge @ weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + ridge + 1e-9 * np.eye(x.shape[1])
        step = np.linalg.solve(curvature, slope)
        weights -= step
        if float(np.abs(step).max()) < 1e-8:
            break
    return weights


def auc(sure: Vector, right: Vector) -> float:
    """The chance that a right one is surer than a wrong one."""
    good, bad = sure[right > 0], sure[right == 0]
    return float(((good[:, None] > bad) + 0.5 * (good[:, None] == bad)).mean()) if len(good) and len(bad) else 1.0


def calibration_error(sure: Vector, right: Vector, bins: int = 10) -> float:
    """Mean distance of confidence and share of right ones, over parts of equal size."""
    parts = np.array_split(np.argsort(sure), bins)
    return float(sum(len(p) * abs(sure[p].mean() - right[p].mean()) for p in parts if len(p)) / max(len(sure), 1))


def tops(
    observations: Iterable[Observation], grammars: dict[str, StateGrammar], digits: bool
) -> list[tuple[Observation, bool]]:
    """The best candidate of each clip, and whether it is right."""
    out = []
    for o in observations:
        if o.evidence and o.digits == digits:
            best = o.evidence[0]
            found = meaning(best.text, best.phrase, grammars[o.answer.state])
            out.append((o, found is not None and found == o.answer.meaning))
    return out


def fitted(observations: Sequence[Observation], grammars: dict[str, StateGrammar], digits: bool) -> Curve:
    """The curve, and the thresholds: nothing wrong is accepted, and of what is asked about enough is right."""
    rows = tops(observations, grammars, digits)
    best = [o.evidence[0] for o, _ in rows]
    x = np.array([features(o.evidence[0], o.evidence, o.transcript) for o, _ in rows])
    y = np.array([float(right) for _, right in rows])
    weights = logistic(x, y)
    sure = 1 / (1 + np.exp(-x @ weights))
    name = "digits" if digits else "words"
    print(f"{name}: {len(rows)} clips, {y.mean():.1%} right on top; {quality(sure, y)}")
    may = np.array([acceptable(o.evidence[0], margin(o.evidence[0], o.evidence), agreed(o)) for o, _ in rows])
    single = np.array([" " not in one.text for one in best])
    for i in [i for i in np.argsort(-sure) if may[i] and not y[i]][:6]:
        o = rows[i][0]
        heard = f"{o.answer.text!r} as {best[i].text!r} (free: {o.transcript!r})"
        print(f"   surest wrong: {sure[i]:.3f} {o.voice} {o.condition} {heard}")
    named = dict(zip(NAMES, (round(float(w), 2) for w in weights), strict=True))
    wrong, least = (y == 0) & may, _LEAST_DIGITS if digits else _LEAST_WORDS
    accept, alone = (above(sure[wrong & of], least) for of in (single if digits else ~single, single))
    curve = Curve(**named, accept=accept, alone=max(accept, alone), confirm=worth_asking(sure, y))
    print(f"   {name.upper()} = {curve}")
    return curve


def agreed(o: Observation) -> float:
    return alike(o.evidence[0], o.transcript)


def above(wrong: Vector, least: float) -> float:
    """A confidence that lies above all of these, and by something; at least ``least``."""
    surest = float(wrong.max()) if len(wrong) else 0.0
    odds = np.log(max(surest, 1e-3) / (1 - min(surest, 0.9999))) + _SAFETY
    return round(max(least, float(1 / (1 + np.exp(-odds)))), 3)


def worth_asking(sure: Vector, right: Vector) -> float:
    """The lowest confidence around which enough are right."""
    order, window = np.argsort(sure), max(8, len(sure) // 20)
    for i in range(len(order) - window):
        if right[order[i : i + window]].mean() >= _RIGHT_OF_ASKED:
            return round(float(sure[order[i : i + window]].mean()), 2)
    return 0.5


def quality(sure: Vector, right: Vector) -> str:
    return f"calibration error {calibration_error(sure, right):.3f}, AUC {auc(sure, right):.3f}"


# -- checking ---------------------------------------------------------------------------------------------------------


def outcome(o: Observation, grammar: StateGrammar) -> str:
    """done | asked | second | asked wrong | nothing | WRONG"""
    result = o.recognition()
    kept = [h for h in result.nbest if h.verdict is not Accept.REJECT]
    if not kept:
        return "nothing"
    first = meaning(kept[0].text, kept[0].phrase, grammar)
    right = first is not None and first == o.answer.meaning
    if kept[0].verdict is Accept.ACCEPT:
        return "done" if right else "WRONG"
    if right:
        return "asked"
    offered = rival(kept, grammar)
    return "second" if offered is not None and offered == o.answer.meaning else "asked wrong"


def rival(kept: Sequence[Hypothesis], grammar: StateGrammar) -> Meaning | None:
    heard = readings(kept, grammar)
    found = did_you_mean(heard) if heard else None
    if found is None:
        return None
    return Meaning("digits " + found.text) if found.text.isdecimal() and grammar.run_slot is not None else found.meaning


def report(observations: Sequence[Observation], grammars: dict[str, StateGrammar]) -> int:
    groups: list[tuple[str, Callable[[Observation], bool]]] = [
        ("words", lambda o: o.answer.meaning is not None and not o.answer.state.startswith("digits")),
        ("yes/no", lambda o: o.answer.meaning is not None and o.answer.state == "confirm"),
        ("digits", lambda o: o.answer.meaning is not None and o.answer.state.startswith("digits")),
        ("outside", lambda o: o.answer.meaning is None),
    ]
    kinds = ("done", "asked", "second", "asked wrong", "nothing", "WRONG")
    print(f"{'':18}{'n':>5}{'task':>7}" + "".join(f"{kind:>13}" for kind in kinds))
    for name, belongs in groups:
        for condition in CONDITIONS:
            rows = [o for o in observations if o.condition == condition and belongs(o)]
            count = Counter(outcome(o, grammars[o.answer.state]) for o in rows)
            task = count["done"] + count["asked"]
            shares = [100 * count[kind] / max(len(rows), 1) for kind in kinds]
            print(
                f"{name:9}{condition:9}{len(rows):5}{100 * task / max(len(rows), 1):7.1f}"
                + "".join(f"{s:13.1f}" for s in shares)
            )
    wrong = [o for o in observations if outcome(o, grammars[o.answer.state]) == "WRONG"]
    for o in wrong:
        print(f"WRONG: {o.voice} {o.condition} {o.answer.text!r} as {o.evidence[0].text!r} (free: {o.transcript!r})")
    return len(wrong)


def calibrated(observations: Sequence[Observation], grammars: dict[str, StateGrammar]) -> None:
    for name, digits, curve in (("words", False, WORDS), ("digits", True, DIGITS)):
        rows = tops(observations, grammars, digits)
        best = [(o, o.evidence[0]) for o, _ in rows]
        sure = [confidence(curve, one, margin(one, o.evidence), alike(one, o.transcript)) for o, one in best]
        right = np.array([float(r) for _, r in rows])
        print(f"{name}, the curve as it is: {quality(np.array(sure), right)}, n {len(rows)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("fit", "check"), nargs="?", default="check")
    parser.add_argument("--each", type=int, default=1, help="conditions that each voice says a sentence in")
    parser.add_argument("--observed", type=Path, help="keep what was observed in this file, and take it from there")
    options = parser.parse_args()
    if options.observed is not None and options.observed.is_file():
        observations, grammars = pickle.loads(options.observed.read_bytes()), corpus(options.part).grammars
    else:
        observations, grammars = observe(options.part, options.each)
        if options.observed is not None:
            options.observed.write_bytes(pickle.dumps(observations))
    print(f"{options.part}: {len(observations)} clips; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if options.part == "fit":
        fitted(observations, grammars, digits=False)
        fitted(observations, grammars, digits=True)
    calibrated(observations, grammars)
    return 1 if report(observations, grammars) and options.part == "check" else 0


if __name__ == "__main__":
    sys.exit(main())
