"""The n-best list and its interpretation: from a recognition (hypotheses, verdicts, transcript) to what is meant.

The rule of the house: a wrong change is worse than a question. What a recogniser accepted is accepted; whatever else is
understood is understood with doubt, two readings that are close are both offered, and a sentence that denies something
is never taken for its opposite. Only the wish for a human is taken on suspicion; a risk in doubt is asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold, fold_digits
from ivr.dialogue.understanding.classifier import NONE
from ivr.dialogue.understanding.code_slot import CodeSlot
from ivr.dialogue.understanding.concepts import negated, without_politeness
from ivr.dialogue.understanding.contrast import denied
from ivr.dialogue.understanding.grammar import ANSWER, NOTHING, Interpretation, Meaning, Reading, SlotValue, distinct
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.inference import AT_ONCE, danger_of, heard_ranking, inferred, wants_human
from ivr.dialogue.understanding.mishearing import corroborated
from ivr.dialogue.understanding.paraphrase import likely
from ivr.dialogue.understanding.phone_slot import PhoneSlot
from ivr.dialogue.understanding.range_slots import BOUNDED
from ivr.dialogue.understanding.risk import RiskWords
from ivr.dialogue.understanding.second_ear import weighed
from ivr.dialogue.understanding.slots import DateSlot, DigitSlot, NumberSlot
from ivr.dialogue.understanding.speech_grammar import CharacterRun
from ivr.events import Accept, Cause, Hypothesis, Recognition

CLOSE = 0.06  # confidences of hypotheses closer than this are a close call,
CLOSE_GUESSES = 0.1  # and those of paraphrases
_BARE = frozenset(("yes", "no"))
_WEAK = ("nothing", "inference")
_COUNTED = (NumberSlot, DigitSlot, PhoneSlot, CodeSlot, DateSlot, *BOUNDED)
MOST_CHARACTERS = 600
MOST_REPAIRED = 15  # words that may be taken back
MOST_WORDS = 60  # of an utterance; nobody asks for anything in more


def understand(recognition: Recognition, grammar: StateGrammar, risks: RiskWords) -> Interpretation:
    """What was meant. Pure; never raises for anything a recogniser may say."""
    found = _heard(recognition, grammar, risks)
    words = words_of(recognition.transcript, grammar.language)
    if recognition.seconded:
        second = recognition.seconded[0]
        read = _typed(second, words_of(second, grammar.language), grammar, risks)
        denied = found.best is not None and negated(words, grammar.language) and not _denies(found.best, grammar)
        found = weighed(found, read, denied=denied)
    if any(each is not None and each.human for each in (found.best, found.rival)) and risks.waived(words, grammar):
        return replace(found, best=_unwished(found.best), rival=_unwished(found.rival))
    return found


def _unwished(reading: Reading | None) -> Reading | None:
    """A human who may not be wanted is asked about."""
    return replace(reading, sure=False, inferred=True) if reading is not None and reading.human else reading


def _heard(recognition: Recognition, grammar: StateGrammar, risks: RiskWords) -> Interpretation:
    if recognition.cause in (Cause.ERROR, Cause.NO_INPUT_TIMEOUT):
        return NOTHING
    words = words_of(recognition.transcript, grammar.language)
    if not recognition.nbest and recognition.cause is Cause.SUCCESS:
        return _typed(recognition.transcript, words, grammar, risks)
    heard = readings(recognition.nbest, grammar)
    if not heard:
        found = _free(words, grammar, risks, heard=recognition)
        return _corroborated(found, recognition.nbest, words, grammar) if found.how in _WEAK else found
    best = heard[0]
    if (human := next((r for r in rivals(heard) if r.human), None)) is not None:
        return Interpretation(human, how="grammar")
    rival = did_you_mean(heard)
    if not best.sure:
        if (wish := _wish(words, grammar, risks)) is not None:
            return Interpretation(wish, how="risk")
        if (danger := risks.said(words, grammar)) is not None:
            both = danger.meaning == best.meaning and _certain(danger, words, grammar)
            certain = both or danger.meaning.intent in risks.at_once
            return Interpretation(danger if certain else danger.doubted(danger.confidence), how="risk")
        if exact := grammar.read(words) or _agreeing(_covered(words, grammar), best):
            seconded = exact[0]
            if seconded.meaning == best.meaning:
                sure = not recognition.transcribed and _told_apart(best.meaning, grammar)  # two ears agree
                best = replace(best, sure=sure, doubtful=seconded.doubtful if sure else best.doubtful)
            else:
                return Interpretation(best, replace(seconded, sure=False), "grammar")
        elif words and grammar.classifier is not None:
            return _compared(best, rival, inferred(words, grammar, grammar.classifier, heard=True), "inference")
        elif (hint := risks.hinted(words, grammar)) is not None and hint.meaning != best.meaning:
            return Interpretation(best, hint, "risk")
        elif words:
            return _compared(best, rival, likely(words, grammar), "likeness")
    if best.sure and words and negated(words, grammar.language) and not _denies(best, grammar):
        opposed = not best.universal and best.meaning.intent not in _BARE and _denied_itself(words, grammar)
        best = replace(best.doubted(best.confidence), inferred=opposed)  # one of two ears heard the opposite
    if best.sure and _one_of_many(best, words, grammar):
        best = best.doubted(best.confidence)
    if best.sure and best.risk and risks.contradicts(best, words, grammar):
        best = best.doubted(best.confidence)
    return Interpretation(best, rival, "grammar")


def _compared(best: Reading, rival: Reading | None, meant: Sequence[Reading], how: str) -> Interpretation:
    """What the recogniser heard with doubt, beside what its free transcript may mean: where both are the same request
    it is what was heard, with its slots; else the caller decides between the two, the likelier first."""
    other = meant[0] if meant else None
    if other is None or other.meaning.intent == best.meaning.intent:
        return Interpretation(best, rival, "grammar")
    if other.leads_out or other.confidence > best.confidence:
        return Interpretation(other, best, how)
    return Interpretation(best, other, how)


def _one_of_many(best: Reading, words: Sequence[str], grammar: StateGrammar) -> bool:
    """A yes or a no of a single word, where the free transcript has more, and not only that: noise has a yes in it."""
    if best.meaning.intent not in _BARE or " " in best.text or len(words) < 2:
        return False
    return not any(reading.meaning.intent == best.meaning.intent for reading in _covered(words, grammar))


def _agreeing(covered: Sequence[Reading], best: Reading) -> Sequence[Reading]:
    """What a phrase has but for politeness, where it is sure and just what was heard: "Yes, that's the one"; not
    "oh yeah" for "mm hmm"."""
    same = covered and covered[0].sure and covered[0].meaning == best.meaning and covered[0].text == best.text
    return covered if same else ()


def _told_apart(meaning: Meaning, grammar: StateGrammar) -> bool:
    """Whether the free transcript is a second ear for this: not where a number decides, which both mishear alike."""
    return not any(isinstance(grammar.slots.get(name), _COUNTED) for name in meaning.slots)


def _denies(reading: Reading, grammar: StateGrammar) -> bool:
    return reading.meaning.intent == "no" or negated(fold(reading.text, grammar.language), grammar.language)


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
    """What a phrase has word for word, or does once politeness, hesitation and what was taken back are left out."""
    if found := grammar.read(words):
        return found
    spoken = words_for(grammar.language)
    bare = without_politeness(words, grammar.language)
    if bare == tuple(words) or not (found := grammar.read(bare)):
        fluent = tuple(word for word in words if word not in spoken.hesitations)
        bare = without_politeness(fluent, grammar.language)
        found = (grammar.read(bare) if fluent != tuple(words) else []) or _repaired(fluent, grammar)
        found = found or _twice(fluent, grammar) or _contrasted(fluent, grammar)
    vague = not spoken.maybes.isdisjoint(words)
    return [
        reading.doubted(0.6) if vague and reading.meaning.intent == "yes" else replace(reading, confidence=0.95)
        for reading in found
    ]


def _twice(words: Sequence[str], grammar: StateGrammar) -> list[Reading]:
    """A yes, or a no, said in two ways: "absolutely, do it"."""
    for at in range(1, len(words)):
        first, second = grammar.read(words[:at]), grammar.read(words[at:])
        if first and second and first[0].meaning == second[0].meaning and first[0].meaning.intent in _BARE:
            return [replace(first[0], text=" ".join(words))]
    return []


def _contrasted(words: Sequence[str], grammar: StateGrammar) -> list[Reading]:
    """ "not Vertigo, Casablanca": what is left without a value that is denied, where it has another in its place."""
    for no in denied(words, grammar.slots, grammar.language):
        meant = [
            reading.doubted(0.8)
            for reading in grammar.read(without_politeness(no.without(words), grammar.language))
            if any(n in no.values and v.value != no.values[n].value for n, v in reading.meaning.slots.items())
        ]
        if meant:
            return meant
    return []


def _repaired(words: Sequence[str], grammar: StateGrammar) -> list[Reading]:
    """ "move Casablanca, no, I mean Vertigo, to the top": what comes after the last repair, by itself or in place of
    what it is most likely to replace, the latest words that make a phrase."""
    at, end = _last_repair(words, grammar.language)
    said, meant = tuple(words[:at]), without_politeness(tuple(words[end:]), grammar.language)
    if not meant or not end or not words_for(grammar.language).denies.isdisjoint(said):  # "don't actually …"
        return []
    if found := grammar.read(meant):
        return found
    said = without_politeness(said, grammar.language)
    for width in range(len(said), -1, -1) if len(said) < MOST_REPAIRED else ():
        if found := grammar.read((*said[:width], *meant)):
            return found
    for start in range(len(said) - 1, -1, -1) if len(said) < MOST_REPAIRED else ():
        for stop in range(start + 1, len(said)):
            if found := grammar.read((*said[:start], *meant, *said[stop:])):
                return [reading.doubted(0.8) for reading in found]
    return []


def _last_repair(words: Sequence[str], language: str) -> tuple[int, int]:
    """From where to where it goes; (0, 0) where there is none. Of those that end together the longest."""
    found = [
        (at + len(repair), -at)
        for repair in words_for(language).repairs
        for at in range(len(words) - len(repair) + 1)
        if tuple(words[at : at + len(repair)]) == repair
    ]
    end, begin = max(found, default=(0, 0))
    return -begin, end


def _free(
    words: Sequence[str], grammar: StateGrammar, risks: RiskWords, *, heard: Recognition | None = None
) -> Interpretation:
    """Free speech: in doubt, but for the wish for a human, which goes first, and for whole phrases of risks that were
    typed, not heard."""
    if not words:
        return NOTHING
    if found := _covered(words, grammar):
        if found[0].meaning.intent in risks.at_once:
            return Interpretation(found[0], how="transcript")
        return Interpretation(found[0].doubted(0.7), found[1] if len(found) > 1 else None, "transcript")
    if (wish := _wish(words, grammar, risks)) is not None:
        return Interpretation(wish, how="risk")
    danger = risks.said(words, grammar)
    if danger is not None and (
        danger.meaning.intent in risks.at_once or (heard is None and _certain(danger, words, grammar))
    ):
        return Interpretation(danger, how="risk")
    if danger is not None:
        return Interpretation(danger.doubted(danger.confidence), how="risk")
    denied = words[1:] if words[0] in words_for(grammar.language).denials else ()
    if denied and (found := _covered(denied, grammar)):  # "no, what's next"
        first = replace(found[0].doubted(0.7), inferred=_denied_itself(words, grammar))
        return Interpretation(first, found[1] if len(found) > 1 else None, "transcript")
    if grammar.classifier is not None:
        others = [(words_of(text, grammar.language), share) for text, share in heard.alternatives] if heard else []
        meant = inferred(words, grammar, grammar.classifier, heard=heard is not None, alternatives=others)
        return Interpretation(meant[0], meant[1] if len(meant) > 1 else None, "inference") if meant else NOTHING
    return _guessed(words, denied, grammar, risks.hinted(words, grammar))


def _denied_itself(words: Sequence[str], grammar: StateGrammar) -> bool:
    """Whether what is said is denied, rather than something else before it: "no, what's next" denies nothing of that.
    Where the word for both is one, a verb after it makes the difference: "no deshaga eso"."""
    spoken = words_for(grammar.language)
    if words[0] not in spoken.denials:
        return negated(words, grammar.language)
    verb = grammar.concepts.of(words[1]) if len(words) > 1 and words[0] in spoken.hedges else ""
    return (verb.isupper() and verb != "HEAR") or negated(words[1:], grammar.language)


def _corroborated(
    found: Interpretation, nbest: Sequence[Hypothesis], words: Sequence[str], grammar: StateGrammar
) -> Interpretation:
    """What the recogniser heard under its grammar and would not ask about, where the free transcript speaks for it and
    nothing else was made of that, or the same without its title."""
    best = found.best
    if grammar.classifier is None or not words or (best is not None and (best.meaning.slots or best.universal)):
        return found
    chances = {each.intent: each.chance for each in heard_ranking(words, grammar, grammar.classifier)}
    rejected = [reading for hypothesis in nbest for reading in _of(hypothesis, grammar)]
    reading = corroborated(rejected, words, grammar, chances, chances.get(NONE, 0.0))
    if reading is None or (best is not None and best.meaning.intent != reading.meaning.intent):
        return found
    return Interpretation(reading, how="inference")


def _guessed(
    words: Sequence[str], denied: Sequence[str], grammar: StateGrammar, hint: Reading | None
) -> Interpretation:
    """The last resort: what the words are like. ``hint`` is a risk that may be meant; a request beside it is offered
    first, anything else gives way to it."""
    guesses = likely(words, grammar) or [guess for guess in likely(denied, grammar) if guess.request]
    if hint is not None and not (guesses and guesses[0].human):
        whole = (guess for guess in guesses if not (guess.universal or guess.lacks))
        beside = next((guess for guess in whole if guess.meaning.intent not in _BARE), None)
        return Interpretation(hint, how="risk") if beside is None else Interpretation(beside, hint, "risk")
    if not guesses:
        return NOTHING
    return Interpretation(guesses[0], did_you_mean(guesses, CLOSE_GUESSES), "likeness")


def _wish(words: Sequence[str], grammar: StateGrammar, risks: RiskWords) -> Reading | None:
    """The wish for a human that was said. Where a word of it may mean something else a classifier tells, who weighs the
    sentence among all others; without one it is asked about."""
    wish = risks.wished(words, grammar)
    if wish is None or not wish.inferred or grammar.classifier is None:
        return wish
    return replace(wish, sure=True, inferred=False) if wants_human(words, grammar, grammar.classifier) else None


def _certain(danger: Reading, words: Sequence[str], grammar: StateGrammar) -> bool:
    """Whether a whole phrase of a risk means it in this sentence, as far as a classifier can tell."""
    return grammar.classifier is None or danger_of(words, grammar, grammar.classifier) >= AT_ONCE


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
    return next((r for r in rivals(heard, close) if r.meaning != heard[0].meaning and not r.lacks), None)


def words_of(text: str, language: str) -> tuple[str, ...]:
    """What was said, as comparable words; not endlessly many."""
    return fold(text[:MOST_CHARACTERS], language)[:MOST_WORDS]


def _of(hypothesis: Hypothesis, grammar: StateGrammar) -> list[Reading]:
    run = hypothesis.text.replace(" ", "")
    if hypothesis.phrase is None and CharacterRun.spells(run) and grammar.run_slot is not None:
        intent, name, slot = grammar.run_slot
        if not slot.fits(run):
            return []
        blurred = frozenset() if run.isdecimal() else frozenset({name})  # B, D, P and T are much the same by telephone
        return [Reading(Meaning(intent, {name: slot.value(run)}), run, hypothesis.confidence, doubtful=blurred)]
    fixed, known, text = grammar.outline.fixed, hypothesis.phrase, hypothesis.text
    if known is not None and not 0 <= known < len(fixed.phrases):
        known = None
    if known is not None:
        text = fixed.phrases[known]
    exact = [replace(r, confidence=hypothesis.confidence) for r in grammar.read(words_of(text, grammar.language))]
    if exact or known is None:
        return exact
    return [Reading(fixed.meanings[known], text, hypothesis.confidence, sure=False)]
