"""From a recognition to what the caller means: hypotheses and verdicts, the free transcript, risks, doubt, close calls.

The rule of the house: a wrong change is worse than a question. What a recogniser accepted is accepted; whatever else is
understood is understood with doubt, two readings that are close are both offered, and a sentence that denies something
is never taken for its opposite. Only the way to a human is taken on suspicion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ivr.dialogue.spoken.concepts import negated, without_politeness
from ivr.dialogue.spoken.numerals import digit_words
from ivr.dialogue.spoken.values import fold, fold_digits
from ivr.dialogue.understanding.grammar import Meaning, SlotValue
from ivr.dialogue.understanding.grammar_compiler import Match, StateGrammar
from ivr.dialogue.understanding.paraphrase import likely
from ivr.dialogue.understanding.reading import NOTHING, Interpretation, Reading
from ivr.dialogue.understanding.risk import RiskWords
from ivr.dialogue.understanding.slots import DigitSlot
from ivr.events import Accept, Cause, Hypothesis, Recognition

CLOSE = 0.06  # confidences closer than this are a close call
MOST_CHARACTERS = 600
MOST_WORDS = 60  # of an utterance; nobody asks for anything in more


def understand(recognition: Recognition, grammar: StateGrammar, risks: RiskWords) -> Interpretation:
    """What was meant. Pure; never raises for anything a recogniser may say."""
    if recognition.cause in (Cause.ERROR, Cause.NO_INPUT_TIMEOUT):
        return NOTHING
    if not recognition.nbest and recognition.cause is Cause.SUCCESS:
        return _typed(recognition.transcript, grammar, risks)
    heard = _hypotheses(recognition.nbest, grammar)
    words = fold(recognition.transcript[:MOST_CHARACTERS], grammar.language)[:MOST_WORDS]
    if not heard:
        return _free(words, grammar, risks)
    best = heard[0]
    near = [r for r in heard if best.confidence - r.confidence < CLOSE and (r.sure or not best.sure)]
    if (way_out := next((r for r in near if r.leads_out), None)) is not None:
        return Interpretation(way_out, how="grammar")
    if not best.sure and (danger := risks.found(words, grammar)) is not None:
        return Interpretation(danger, how="risk")
    if not best.sure and (exact := _exact(words, grammar)):
        seconded = exact[0]
        if seconded.meaning == best.meaning:
            best = replace(best, sure=True, doubtful=seconded.doubtful)  # two independent ears agree
        elif seconded.leads_out:
            return Interpretation(seconded, how="transcript")
        else:
            return Interpretation(best, replace(seconded, sure=False), "grammar")
    if best.sure and words and negated(words, grammar.language) and not _denies(best, grammar.language):
        best = replace(best, sure=False, doubtful=frozenset(best.meaning.slots))
    rival = next((r for r in near if r.meaning != best.meaning), None)
    return Interpretation(best, rival, "grammar")


def _denies(reading: Reading, language: str) -> bool:
    return reading.meaning.intent == "no" or negated(fold(reading.text, language), language)


def _hypotheses(nbest: Sequence[Hypothesis], grammar: StateGrammar) -> list[Reading]:
    """The recogniser's own readings, rejected ones left out, the same meaning once."""
    readings: list[Reading] = []
    for hypothesis in nbest:
        if hypothesis.verdict is Accept.REJECT:
            continue
        sure = hypothesis.verdict is Accept.ACCEPT
        for reading in _of_hypothesis(hypothesis, grammar):
            if any(known.meaning == reading.meaning for known in readings):
                continue
            doubtful = reading.doubtful if sure else frozenset(reading.meaning.slots)
            readings.append(
                replace(reading, confidence=hypothesis.confidence, sure=sure and reading.sure, doubtful=doubtful)
            )
    return readings


def _of_hypothesis(hypothesis: Hypothesis, grammar: StateGrammar) -> list[Reading]:
    digits = hypothesis.text.replace(" ", "")
    if hypothesis.phrase is None and digits.isdecimal() and (bare := grammar.digit_slot) is not None:
        slot = grammar.slots[bare[1]]
        if isinstance(slot, DigitSlot) and slot.minimum <= len(digits) <= slot.maximum:
            value = SlotValue(digits, digit_words(digits, grammar.language))
            return [Reading(Meaning(bare[0], {bare[1]: value}), digits, hypothesis.confidence)]
        return []
    text = hypothesis.text
    compiled = grammar.compiled
    if hypothesis.phrase is not None and 0 <= hypothesis.phrase < len(compiled.speech.phrases):
        text = compiled.speech.phrases[hypothesis.phrase]
    exact = _exact(fold(text[:MOST_CHARACTERS], grammar.language)[:MOST_WORDS], grammar)
    if exact or hypothesis.phrase is None or not 0 <= hypothesis.phrase < len(compiled.meanings):
        return exact
    return [Reading(compiled.meanings[hypothesis.phrase], text, hypothesis.confidence, sure=False)]


def _exact(words: Sequence[str], grammar: StateGrammar) -> list[Reading]:
    """Readings of exactly these words; several only if they are equally specific."""
    matches = grammar.read(words)
    if not matches:
        return []
    first = matches[0]
    readings = []
    for match in matches:
        if (match.rank, match.literals) == (first.rank, first.literals):
            readings.extend(_readings(match))
    unique: list[Reading] = []
    for reading in readings:
        if all(reading.meaning != known.meaning for known in unique):
            unique.append(reading)
    return unique


def _readings(match: Match) -> list[Reading]:
    first = Reading(match.meaning, match.text, 1.0, doubtful=match.doubtful)
    return [first, *(Reading(rival, match.text, 1.0, False, match.doubtful) for rival in match.rivals)]


def _typed(transcript: str, grammar: StateGrammar, risks: RiskWords) -> Interpretation:
    """Text, not speech: what a phrase covers word for word is certain, the rest is matched by likeness."""
    transcript = transcript[:MOST_CHARACTERS]
    words = fold(transcript, grammar.language)[:MOST_WORDS]
    found = _covered(words, grammar)
    if not found and any(c.isdigit() for c in transcript):
        found = _covered(fold_digits(transcript, grammar.language)[:MOST_WORDS], grammar)
    if found:
        return Interpretation(found[0], found[1] if len(found) > 1 else None, "grammar")
    return _free(words, grammar, risks)


def _covered(words: Sequence[str], grammar: StateGrammar) -> list[Reading]:
    if found := _exact(words, grammar):
        return found
    bare = without_politeness(words, grammar.language)
    if bare == tuple(words):
        return []
    return [replace(reading, confidence=0.95) for reading in _exact(bare, grammar)]


def _free(words: Sequence[str], grammar: StateGrammar, risks: RiskWords) -> Interpretation:
    """The free transcript: heard with doubt whatever it says; a risk or the wish for a human goes first."""
    if not words:
        return NOTHING
    if found := _covered(words, grammar):
        best = replace(found[0], confidence=0.7, sure=False, doubtful=frozenset(found[0].meaning.slots))
        return Interpretation(best, found[1] if len(found) > 1 else None, "transcript")
    if (danger := risks.found(words, grammar)) is not None:
        return Interpretation(danger, how="risk")
    readings = [
        Reading(like.meaning, like.text, like.score, False, frozenset(like.meaning.slots))
        for like in likely(words, grammar)
    ]
    if not readings:
        return NOTHING
    rival = next((r for r in readings[1:] if readings[0].confidence - r.confidence < 0.1), None)
    return Interpretation(readings[0], rival, "likeness")
