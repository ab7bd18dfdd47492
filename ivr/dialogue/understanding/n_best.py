"""The n-best list and its interpretation: from a recognition (hypotheses, verdicts, transcript) to what is meant.

The rule of the house: a wrong change is worse than a question. What a recogniser accepted is accepted; whatever else is
understood is understood with doubt, two readings that are close are both offered, and a sentence that denies something
is never taken for its opposite. Only the way to a human is taken on suspicion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold, fold_digits
from ivr.dialogue.understanding.grammar import (
    ANSWER,
    HUMAN,
    NOTHING,
    Interpretation,
    Meaning,
    Reading,
    SlotValue,
    distinct,
)
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.inference import AT_ONCE, danger_of, inferred
from ivr.dialogue.understanding.lexicon import negated, without_politeness
from ivr.dialogue.understanding.paraphrase import likely
from ivr.dialogue.understanding.risk import RiskWords
from ivr.dialogue.understanding.slots import digited
from ivr.events import Accept, Cause, Hypothesis, Recognition

CLOSE = 0.06  # confidences of hypotheses closer than this are a close call,
CLOSE_GUESSES = 0.1  # and those of paraphrases
MOST_CHARACTERS = 600
MOST_WORDS = 60  # of an utterance; nobody asks for anything in more


def understand(recognition: Recognition, grammar: StateGrammar, risks: RiskWords) -> Interpretation:
    """What was meant. Pure; never raises for anything a recogniser may say."""
    if recognition.cause in (Cause.ERROR, Cause.NO_INPUT_TIMEOUT):
        return NOTHING
    words = words_of(recognition.transcript, grammar.language)
    if not recognition.nbest and recognition.cause is Cause.SUCCESS:
        return _typed(recognition.transcript, words, grammar, risks)
    heard = readings(recognition.nbest, grammar)
    if not heard:
        return _free(words, grammar, risks)
    best = heard[0]
    if (way_out := next((r for r in rivals(heard) if r.leads_out), None)) is not None:
        return Interpretation(way_out, how="grammar")
    if not best.sure and (danger := risks.found(words, grammar)) is not None:
        return Interpretation(danger, how="risk")
    if not best.sure and (exact := grammar.read(words)):
        seconded = exact[0]
        if seconded.meaning == best.meaning:
            best = replace(best, sure=True, doubtful=seconded.doubtful)  # two independent ears agree
        elif seconded.leads_out:
            return Interpretation(seconded, how="transcript")
        else:
            return Interpretation(best, replace(seconded, sure=False), "grammar")
    denies = best.meaning.intent == "no" or negated(fold(best.text, grammar.language), grammar.language)
    if best.sure and words and negated(words, grammar.language) and not denies:
        best = best.doubted(best.confidence)
    return Interpretation(best, did_you_mean(heard), "grammar")


def dictated(found: Interpretation, recognition: Recognition, grammar: StateGrammar, variable: str) -> Interpretation:
    """Where any words are wanted, they are what was said, with doubt: unless they are, word for word, something that
    the grammar has, or may mean that a human is wanted."""
    text = recognition.transcript.strip()[:MOST_CHARACTERS]
    words = words_of(text, grammar.language)
    led_out = found.best is not None and found.best.leads_out and found.how != "inference"
    if not words or led_out or _covered(words, grammar):
        return found
    meaning = Meaning(ANSWER, {variable: SlotValue(text, text)})
    return Interpretation(Reading.guess(meaning, text, 0.5), how="dictation")


def _typed(transcript: str, words: Sequence[str], grammar: StateGrammar, risks: RiskWords) -> Interpretation:
    """Text, not speech: what a phrase covers word for word is certain, the rest is matched by likeness."""
    found = _covered(words, grammar)
    if not found and any(c.isdigit() for c in transcript[:MOST_CHARACTERS]):
        found = _covered(fold_digits(transcript[:MOST_CHARACTERS], grammar.language)[:MOST_WORDS], grammar)
    if found:
        return Interpretation(found[0], found[1] if len(found) > 1 else None, "grammar")
    return _free(words, grammar, risks)


def _covered(words: Sequence[str], grammar: StateGrammar) -> list[Reading]:
    if found := grammar.read(words):
        return found
    bare = without_politeness(words, grammar.language)
    if bare == tuple(words):
        return []
    return [replace(reading, confidence=0.95) for reading in grammar.read(bare)]


def _free(words: Sequence[str], grammar: StateGrammar, risks: RiskWords) -> Interpretation:
    """The free transcript: heard with doubt whatever it says; a risk or the wish for a human goes first."""
    if not words:
        return NOTHING
    if found := _covered(words, grammar):
        return Interpretation(found[0].doubted(0.7), found[1] if len(found) > 1 else None, "transcript")
    danger = risks.found(words, grammar)
    if danger is not None and _certain(danger, words, grammar):
        return Interpretation(danger, how="risk")
    denied = words[1:] if words[0] in words_for(grammar.language).denials else ()
    if denied and (found := _covered(denied, grammar)):  # "no, what's next"
        return Interpretation(found[0].doubted(0.7), found[1] if len(found) > 1 else None, "transcript")
    if grammar.classifier is not None:
        meant = inferred(words, grammar, grammar.classifier)
        return Interpretation(meant[0], meant[1] if len(meant) > 1 else None, "inference") if meant else NOTHING
    guesses = likely(words, grammar) or [guess for guess in likely(denied, grammar) if guess.request]
    if not guesses:
        return NOTHING
    return Interpretation(guesses[0], did_you_mean(guesses, CLOSE_GUESSES), "likeness")


def _certain(danger: Reading, words: Sequence[str], grammar: StateGrammar) -> bool:
    """Whether words that mean a risk, or the wish for a human, do so in this sentence ("I'm leaving town" does not)."""
    if grammar.classifier is None or danger.meaning.intent == HUMAN:
        return True
    if danger.confidence < 1.0 or negated(words, grammar.language):
        return False
    return danger_of(words, grammar, grammar.classifier) >= AT_ONCE


# -- hypotheses -----------------------------------------------------------------------------------------------


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
