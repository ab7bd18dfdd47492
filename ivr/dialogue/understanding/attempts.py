"""Repeated attempts: what was heard when the same was asked before is evidence for what is heard now. Pure.

An attempt that led nowhere (no match, or a no to what was made of it) is followed by another of the same caller's, most
often in the same words. A hypothesis of both is surer than in either; what the caller said no to is not offered again.
Nothing becomes certain that way: only what a recogniser accepts of itself is accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from ivr.dialogue.understanding.grammar import ANSWER, NOTHING, Interpretation, Meaning
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.n_best import readings
from ivr.events import Accept, Cause, Hypothesis, Recognition

_EARLIER = 0.6  # how much of what an earlier attempt made likely counts now: two mishearings of a voice go together
_ASKED = 0.5  # from this confidence on two attempts together are asked about
_NBEST = 5


@dataclass(frozen=True, slots=True)
class Attempt:
    """An answer at ``where`` that may not have been the last: each meaning it may have had, the likeliest first, with
    its confidence; what it was taken for with doubt; and what of that the caller has said no to."""

    where: str
    heard: tuple[tuple[Meaning, float], ...] = ()
    taken: tuple[Meaning, ...] = ()
    denied: tuple[Meaning, ...] = ()

    def denying(self) -> Attempt:
        """The caller says no to what was made of it."""
        return replace(self, denied=(*self.denied, *self.taken), taken=())


def attempt(
    where: str, recognition: Recognition, found: Interpretation, grammar: StateGrammar, before: Attempt | None
) -> Attempt | None:
    """What to keep of an answer to a question; None where it was sure. What was denied ``before`` at the same place
    stays so until then."""
    taken = tuple(r.meaning for r in (found.best, found.rival) if r is not None)
    if found.best is not None and found.rival is None and found.best.sure and not found.best.doubtful:
        return None
    heard = tuple(
        (meaning, h.confidence) for h, meaning in _meanings(recognition.nbest, grammar) if meaning is not None
    )
    denied = before.denied if before is not None and before.where == where else ()
    return Attempt(where, heard, taken, denied)


def fused(before: Attempt | None, where: str, recognition: Recognition, grammar: StateGrammar) -> Recognition:
    """``recognition`` of an answer at ``where``: with what the attempt before makes likely, without what was denied."""
    if before is None or recognition.cause not in (Cause.SUCCESS, Cause.NO_MATCH) or not recognition.nbest:
        return recognition
    known = list(_meanings(recognition.nbest, grammar))
    kept = [(h, meaning) for h, meaning in known if not is_denied(meaning, before.denied)]
    if before.where == where and not (kept and kept[0][0].verdict is Accept.ACCEPT):
        earlier = [(m, c) for m, c in before.heard if not is_denied(m, before.denied)]
        kept = [(_surer(h, _confidence(meaning, earlier)), meaning) for h, meaning in kept]
        kept.sort(key=lambda pair: -pair[0].confidence)
    nbest = tuple(h for h, _ in kept[:_NBEST])
    if nbest == recognition.nbest:
        return recognition
    matched = bool(nbest) and nbest[0].verdict is not Accept.REJECT
    return replace(recognition, nbest=nbest, cause=Cause.SUCCESS if matched else Cause.NO_MATCH)


def undenied(found: Interpretation, denied: Collection[Meaning]) -> Interpretation:
    """Without what was said no to: then the rival is what is left, with doubt."""
    left = [r for r in (found.best, found.rival) if r is not None and not is_denied(r.meaning, denied)]
    if len(left) == sum(r is not None for r in (found.best, found.rival)):
        return found
    return replace(found, best=left[0].doubted(left[0].confidence), rival=None) if left else NOTHING


def is_denied(meaning: Meaning | None, denied: Collection[Meaning]) -> bool:
    """Also as the bare answer to the question that follows ("Alien", of "remove Alien")."""
    if meaning is None:
        return False
    if meaning.intent == ANSWER and len(meaning.slots) == 1:
        (answer,) = (slot.value for slot in meaning.slots.values())
        alone = [value for no in denied if len(no.slots) == 1 for value in no.slots.values()]
        if any(value.value == answer for value in alone):
            return True
    return meaning in denied


def _meanings(nbest: Sequence[Hypothesis], grammar: StateGrammar) -> Iterator[tuple[Hypothesis, Meaning | None]]:
    for h in nbest:
        read = readings([replace(h, verdict=Accept.ACCEPT)], grammar)
        yield h, read[0].meaning if read else None


def _confidence(meaning: Meaning | None, earlier: Sequence[tuple[Meaning, float]]) -> float:
    return max((c for m, c in earlier if m == meaning), default=0.0)


def _surer(h: Hypothesis, earlier: float) -> Hypothesis:
    if not earlier:
        return h
    together = round(1.0 - (1.0 - h.confidence) * (1.0 - _EARLIER * earlier), 3)
    raised = h.verdict is Accept.REJECT and together >= _ASKED
    return replace(h, confidence=together, verdict=Accept.CONFIRM if raised else h.verdict)
