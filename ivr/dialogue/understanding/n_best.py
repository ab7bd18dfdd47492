"""The n-best list: a recogniser's hypotheses as readings, and the close rivals that become "did you mean"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ivr.dialogue.spoken.numerals import digit_words
from ivr.dialogue.spoken.values import fold
from ivr.dialogue.understanding.grammar import Meaning, SlotValue
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.reading import Reading, distinct
from ivr.dialogue.understanding.slots import DigitSlot
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
    if hypothesis.phrase is None and digits.isdecimal() and (bare := grammar.digit_slot) is not None:
        intent, name = bare
        slot = grammar.slots[name]
        if isinstance(slot, DigitSlot) and slot.minimum <= len(digits) <= slot.maximum:
            value = SlotValue(digits, digit_words(digits, grammar.language))
            return [Reading(Meaning(intent, {name: value}), digits, hypothesis.confidence)]
        return []
    text, compiled, known = hypothesis.text, grammar.compiled, hypothesis.phrase
    if known is not None and not 0 <= known < len(compiled.meanings):
        known = None
    if known is not None:
        text = compiled.speech.phrases[known]
    exact = [replace(r, confidence=hypothesis.confidence) for r in grammar.read(words_of(text, grammar.language))]
    if exact or known is None:
        return exact
    return [Reading(compiled.meanings[known], text, hypothesis.confidence, sure=False)]
