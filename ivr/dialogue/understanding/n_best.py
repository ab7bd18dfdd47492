"""The n-best list: a recogniser's hypotheses as readings, and the close rivals that become "did you mean"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.grammar import Meaning, Reading, distinct
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.slots import digited
from ivr.events import Accept, Hypothesis

CLOSE = 0.06  # confidences of hypotheses closer than this are a close call,
CLOSE_GUESSES = 0.1  # and those of paraphrases
MOST_CHARACTERS = 600
MOST_WORDS = 60  # of an utterance; nobody asks for anything in more


def readings(nbest: Sequence[Hypothesis], grammar: StateGrammar) -> list[Reading]:
    """The recogniser's own readings, best first; rejected ones left out, the same meaning once."""
    return distinct(
        reading if hypothesis.verdict is Accept.ACCEPT else reading.doubted(hypothesis.confidence)
        for hypothesis in nbest
        if hypothesis.verdict is not Accept.REJECT
        for reading in _of(hypothesis, grammar)
    )


def rivals(heard: Sequence[Reading], close: float = CLOSE) -> Iterator[Reading]:
    """The best and what is nearly as likely, in order. What is sure has no rival in what isn't."""
    best = heard[0]
    return (r for r in heard if best.confidence - r.confidence < close and (r.sure or not best.sure))


def did_you_mean(heard: Sequence[Reading], close: float = CLOSE) -> Reading | None:
    """A close rival of the best that means something else: the caller decides between the two."""
    return next((r for r in rivals(heard, close) if r.meaning != heard[0].meaning), None)


def words_of(text: str, language: str) -> tuple[str, ...]:
    """What was said, as comparable words; not endlessly many."""
    return fold(text[:MOST_CHARACTERS], language)[:MOST_WORDS]


def _of(hypothesis: Hypothesis, grammar: StateGrammar) -> list[Reading]:
    digits = hypothesis.text.replace(" ", "")
    if hypothesis.phrase is None and digits.isdecimal() and grammar.digit_slot is not None:
        intent, name, slot = grammar.digit_slot
        value = digited(digits, grammar.language)
        fits = slot.minimum <= len(digits) <= slot.maximum
        return [Reading(Meaning(intent, {name: value}), digits, hypothesis.confidence)] if fits else []
    fixed, known, text = grammar.outline.fixed, hypothesis.phrase, hypothesis.text
    if known is not None and not 0 <= known < len(fixed.phrases):
        known = None
    if known is not None:
        text = fixed.phrases[known]
    exact = [replace(r, confidence=hypothesis.confidence) for r in grammar.read(words_of(text, grammar.language))]
    if exact or known is None:
        return exact
    return [Reading(fixed.meanings[known], text, hypothesis.confidence, sure=False)]
