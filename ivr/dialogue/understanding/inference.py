"""Inference: what a sentence that no phrase covers may mean, by a classifier fitted on the flows' own phrases.

A classifier knows no slots, no order and no opposites. So titles are taken out before it is asked, and what it says is
weighed by what the slots of each intent allow, by denials and by antonyms. All that comes of it is in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import prod

from ivr.dialogue.flows.phrases import Variant
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.understanding.alternatives import Alternative, likeliest
from ivr.dialogue.understanding.classifier import NONE, IntentClassifier
from ivr.dialogue.understanding.concepts import negated, renumbered, without_politeness
from ivr.dialogue.understanding.grammar import (
    ANSWER,
    HUMAN,
    INSTEAD,
    LANGUAGE,
    OPTION,
    PICK,
    REQUEST,
    RISK,
    Meaning,
    Reading,
    SlotValue,
)
from ivr.dialogue.understanding.grammar_compiler import StateGrammar, comparable, rendered
from ivr.dialogue.understanding.mishearing import repaired
from ivr.dialogue.understanding.out_of_vocabulary import said_in_part
from ivr.dialogue.understanding.paraphrase import LACKING, Found
from ivr.dialogue.understanding.slot_filling import (
    SAID_EXACTLY,
    LearnedIntent,
    bare_value,
    filling,
    of_a_short_list,
    other_values,
    partial_filling,
    title_views,
)
from ivr.dialogue.understanding.slots import TitleSlot
from ivr.dialogue.understanding.speech_grammar import slot_name, slot_names
from ivr.dialogue.understanding.training import sentence

OPPOSITES = (("TOP", "END"), ("UP", "DOWN"), ("TOP", "DOWN"), ("END", "UP"), ("BEFORE", "AFTER"), ("ADD", "REMOVE"))
OPPOSED, DENIED, UNFILLED, MISFILLED = 0.1, 0.4, 0.25, 0.01  # what is left of a chance
OWN_TITLE = 0.5  # what is left of the chance that a sentence is nothing when it names a title of the member's own
REPAIRED = 0.75  # how much what a misheard sentence may have been weighs beside it, where they sound the same
TITLED = (0.8, 0.6)  # what is left of the thresholds for a meaning that has all its titles
UNCLEAR = 2.0  # how steeply a title that is only like what was said makes a meaning less probable
NEGLIGIBLE = 0.001  # chances below are not looked into
HUMAN_AT_ONCE = 0.5  # the chance of a wish for a human at which one is got, unasked: what wishes for else is far below
AT_ONCE = 0.5  # the chance of risks at which a whole phrase of one is taken for it, unasked
RISK_ENOUGH = 0.35  # and at which, boosted, one is asked about without
BOOST = 1.5  # a risk that is asked about costs less than one that is missed
BEGUN = 0.2  # what a phrase that was begun word for word has of the likeliest meaning's chance, at least
CLOSE, CERTAIN = 0.5, 0.75  # a second at least so likely beside the first, which is not this likely, is its rival
BARE = ("yes", "no")  # no rivals of a risk: whether it is one is asked, and they answer that
DENYING = ("no", "help", "repeat", HUMAN)  # may be meant by sentences that deny


@dataclass(frozen=True, slots=True)
class _Inferable:
    """What is kept of an outline: its intents by the class that each is learned as, as they are and after a no."""

    plain: Mapping[str, LearnedIntent]
    instead: Mapping[str, LearnedIntent]
    bare: str  # the slot of the value that is asked for; "" where none is


@dataclass(frozen=True, slots=True)
class Inference:
    """One meaning and how probable it is. ``words``: what has it, where that may be other than what was written."""

    chance: float
    intent: str
    slots: Mapping[str, SlotValue] = field(default_factory=dict)
    variant: Variant = ()
    lacks: bool = False
    words: tuple[str, ...] = ()

    def reading(self, words: Sequence[str], grammar: StateGrammar) -> Reading:
        text = (
            rendered(self.variant, self.slots, words_for(grammar.language).something)
            if self.variant
            else " ".join(words)
        )
        found = Reading.guess(Meaning(self.intent, self.slots), text, round(min(self.chance, 1.0), 4))
        wanted = self.intent == HUMAN and self.chance >= HUMAN_AT_ONCE and wishes(words, grammar)
        part = (self.lacks or _open(self, grammar)) and said_in_part(words, self.intent, grammar)
        return replace(found, lacks=self.lacks or part, inferred=not (wanted or part))


def inferred(
    words: Sequence[str],
    grammar: StateGrammar,
    classifier: IntentClassifier,
    *,
    heard: bool = False,
    alternatives: Sequence[Alternative] = (),
) -> list[Reading]:
    """The likeliest reading; with it a close rival where there is one. [] where nothing fits well enough.

    ``heard``: by a recogniser, so that words may be others: those of ``alternatives``, where it tells any."""
    found = _settled(words, ranking(words, grammar, classifier), grammar, classifier, BOOST)
    if found or not heard:
        return found
    likely = likeliest(alternatives, grammar, classifier.taught) or [(tuple(words), 1.0)]
    found = _settled(words, _summed(likely, grammar, classifier), grammar, classifier, 1.0)
    if found and found[0].universal:
        return []  # on a mishearing nothing leads out
    return [replace(each, inferred=True) for each in found] if alternatives else found


def _settled(
    words: Sequence[str],
    ranked: Sequence[Inference],
    grammar: StateGrammar,
    classifier: IntentClassifier,
    boost: float,
) -> list[Reading]:
    known = _inferable(grammar)
    none = next((each.chance for each in ranked if each.intent == NONE), 0.0)
    risks = [each for each in ranked if each.intent.startswith(RISK)]
    rest = [each for each in ranked if each.intent != NONE and not each.intent.startswith(RISK)]
    if risks:
        danger = sum(each.chance for each in risks)
        rest.append(Inference(danger * boost, risks[0].intent))
        rest.sort(key=lambda each: -each.chance)
    if not rest:
        return []
    words = rest[0].words or words
    best, limits = rest[0], classifier.thresholds(frozenset(known.plain))
    if best.intent.startswith(RISK) and best.chance < RISK_ENOUGH:
        return []
    titled = best.slots and not best.lacks and any(isinstance(grammar.slots.get(n), TitleSlot) for n in best.slots)
    accept, odds = TITLED if titled else (1.0, 1.0)
    if best.chance < accept * limits.accept or best.chance < odds * limits.odds * none:
        return []
    if best.lacks and 2 * sum(word not in classifier.taught.known for word in words) >= len(words):
        return []  # neither what it is about nor most of its words are known: "flibber the gibbet quickly"
    begun = (each for each in rest[:2] if each.lacks and each.chance >= BEGUN * best.chance)
    if part := next((each for each in begun if said_in_part(words, each.intent, grammar)), None):
        return [part.reading(words, grammar)]
    found = [best.reading(words, grammar)]
    rivals = [each for each in rest[1:2] if not (best.intent.startswith(RISK) and each.intent in BARE)]
    if rivals and rivals[0].chance > CLOSE * best.chance and best.chance < CERTAIN:
        found.append(rivals[0].reading(words, grammar))
    return found


def _open(found: Inference, grammar: StateGrammar) -> bool:
    """Whether other phrases of the intent have its titles and more ("move Vertigo", and no place)."""
    known = _inferable(grammar).plain.get(learned_as(found.intent))
    titled = any(isinstance(grammar.slots.get(name), TitleSlot) for name in found.slots)
    return titled and known is not None and any(set(shape) > set(found.slots) for shape in known.shapes)


def danger_of(words: Sequence[str], grammar: StateGrammar, classifier: IntentClassifier) -> float:
    """How probably the sentence means any risk, 0..1."""
    return sum(each.chance for each in ranking(words, grammar, classifier) if each.intent.startswith(RISK))


def wishes(words: Sequence[str], grammar: StateGrammar) -> bool:
    """Whether somebody asks for something: "can I …", "get me …", not "there's …"."""
    return not words_for(grammar.language).wishes.isdisjoint(words)


def wants_human(words: Sequence[str], grammar: StateGrammar, classifier: IntentClassifier) -> bool:
    """Whether a sentence that names a human asks for one."""
    chance = next((each.chance for each in ranking(words, grammar, classifier) if each.intent == HUMAN), 0.0)
    return chance >= HUMAN_AT_ONCE and wishes(words, grammar)


def ranking(words: Sequence[str], grammar: StateGrammar, classifier: IntentClassifier) -> list[Inference]:
    """Every meaning that is possible here, and NONE, the likeliest first; their chances sum to 1."""
    known, language = _inferable(grammar), grammar.language
    words = renumbered(words, language)
    best: dict[str, Inference] = {}
    _weigh(best, without_politeness(words, language), known.plain, grammar, classifier)
    if len(words) > 1 and known.instead and words[0] in words_for(language).denials:
        _weigh(best, without_politeness(words[1:], language), known.instead, grammar, classifier)
    if known.bare and (value := bare_value(words, known.bare, grammar)) is not None:
        best[ANSWER] = Inference(1.0, ANSWER, {known.bare: value})
    total = sum(each.chance for each in best.values()) or 1.0
    shares = (replace(each, chance=each.chance / total) for each in best.values())
    return sorted(shares, key=lambda each: -each.chance)


def heard_ranking(words: Sequence[str], grammar: StateGrammar, classifier: IntentClassifier) -> list[Inference]:
    """The same of what a recogniser wrote: together with what its words sound like, where nobody taught them."""
    return _summed([(tuple(words), 1.0)], grammar, classifier)


def _summed(
    alternatives: Sequence[Alternative], grammar: StateGrammar, classifier: IntentClassifier
) -> list[Inference]:
    """The same of several transcripts: each meaning as likely as all of them make it, with the values and words of the
    one that makes it likeliest."""
    found: dict[str, Inference] = {}
    most: dict[str, float] = {}
    for words, share in alternatives:
        made, like = repaired(words, grammar, classifier.taught)
        said = ((words, 1.0 - like * REPAIRED), (made, like * REPAIRED)) if like else ((words, 1.0),)
        for text, part in said:
            for each in ranking(text, grammar, classifier):
                here, other = each.chance * part * share, found.get(each.intent)
                if other is None or (here > most[each.intent] and (each.slots or not other.slots)):
                    kept, most[each.intent] = replace(each, words=words), here
                else:
                    kept = other
                found[each.intent] = replace(kept, chance=here + (other.chance if other is not None else 0.0))
    return sorted(found.values(), key=lambda each: -each.chance)


def _weigh(
    best: dict[str, Inference],
    words: Sequence[str],
    intents: Mapping[str, LearnedIntent],
    grammar: StateGrammar,
    classifier: IntentClassifier,
) -> None:
    """Into ``best``: each intent as likely as the kindest view of the titles makes it."""
    language, active = grammar.language, frozenset(intents)
    for titles in title_views(words, grammar, classifier.taught.known):
        asked = sentence(words, [(t.start, t.end) for t in titles], language, grammar.concepts)
        clear = prod(min(t.score, 1.0) ** UNCLEAR for t in titles)
        outside = [word for at, word in enumerate(words) if not any(t.start <= at < t.end for t in titles)]
        said, denied = set(grammar.concepts.sequence(outside)), negated(outside, language)
        others = other_values(words, titles, grammar)
        own = any(_own(title, words, grammar) for title in titles)
        for learned, chance in classifier.probabilities(asked, active).items():
            if chance < NEGLIGIBLE:
                continue
            if learned == NONE:
                found = Inference(chance * (OWN_TITLE if own else 1.0), NONE)
            else:
                here = intents[learned]
                chance *= clear * (OPPOSED if _opposed(here, said) else 1.0)
                if denied and not here.intent.startswith(RISK) and not _may_deny(here, outside, grammar, classifier):
                    chance *= DENIED
                if (fill := filling(here, titles, others, words, grammar, classifier)) is not None:
                    found = Inference(chance, here.intent, fill[1], fill[0])
                elif (part := partial_filling(here, titles, others, words, grammar)) is not None:
                    found = Inference(chance * LACKING, here.intent, part[1], part[0], lacks=True)
                else:
                    served = () in here.shapes or not here.fillings or frozenset() in here.fillings
                    chance *= UNFILLED if served and not titles else MISFILLED  # what nobody would ask for isn't meant
                    lacks = bool(titles) and frozenset() in here.fillings
                    found = Inference(chance, here.intent, {}, next(iter(here.shapes.values())), lacks=lacks)
            if found.intent not in best or best[found.intent].chance < found.chance:
                best[found.intent] = found


def _own(title: Found, words: Sequence[str], grammar: StateGrammar) -> bool:
    """Whether it is one of few, the member's own perhaps, said exactly and no common word: strangers name none."""
    if title.score < SAID_EXACTLY or grammar.concepts.carriers.issuperset(words[title.start : title.end]):
        return False
    return of_a_short_list(title, grammar)


# -- what an outline has -------------------------------------------------------------------------------------------


def learned_as(intent: str) -> str:
    """The class of an intent; "" for those that are not learned."""
    if intent.startswith((REQUEST, INSTEAD)):
        return intent.rpartition(".")[2]
    return "" if intent == ANSWER or intent.startswith((LANGUAGE, OPTION, PICK)) else intent


def _inferable(grammar: StateGrammar) -> _Inferable:
    known = grammar.outline.inferable
    if isinstance(known, _Inferable):
        return known
    answers = words_for(grammar.language).answers.get("date", ())
    leads = {comparable(way.split()[-2]) for way in answers if len(way.split()) > 1 and way.endswith("{%}")}
    plain: dict[str, LearnedIntent] = {}
    instead: dict[str, LearnedIntent] = {}
    bare: set[str] = set()
    for entry in sorted(grammar.outline.entries, key=lambda each: each.rank):
        variants = entry.template.variants
        if entry.intent == ANSWER:
            bare.update(slot_names(v)[0] for v in variants if len(v) == 1 and slot_names(v))
        if not (learned := learned_as(entry.intent)):
            continue
        after_no = entry.intent.startswith(INSTEAD)
        here = (instead if after_no else plain).setdefault(learned, LearnedIntent(entry.intent, entry.rank, learned))
        if here.intent != entry.intent:  # another question's, further away
            continue
        for variant in sorted(variants, key=len):
            words = [comparable(piece) for piece in variant if not slot_names((piece,))][after_no:]
            here.shapes.setdefault(tuple(slot_names(variant)), variant)
            for word, piece in pairwise(variant):
                if (name := slot_name(piece)) is not None:
                    here.before.setdefault(name, {*leads}).add(comparable(word))
            here.concepts.update(grammar.concepts.sequence(words))
            here.denies |= negated(words, grammar.language)
        here.fillings |= entry.fillings
    known = _Inferable(plain, instead, bare.pop() if len(bare) == 1 else "")
    grammar.outline.inferable = known
    return known


# -- denials and opposites -----------------------------------------------------------------------------------------


def _may_deny(here: LearnedIntent, outside: Sequence[str], grammar: StateGrammar, classifier: IntentClassifier) -> bool:
    """Whether a denial may belong to the intent: where it has some itself; of those that are only learned, where it is
    not what is to be done that is denied ("don't move …")."""
    if here.denies or here.intent in DENYING:
        return True
    told = (
        grammar.concepts.of(word)
        for at, word in enumerate(outside)
        if at and negated(outside[at - 1 : at], grammar.language)
    )
    return here.learned in classifier.denying and not any(
        concept in here.concepts for concept in told if concept.isupper()
    )


def _opposed(here: LearnedIntent, said: set[str]) -> bool:
    return any(
        one in said and other not in said and other in here.concepts and one not in here.concepts
        for pair in OPPOSITES
        for one, other in (pair, pair[::-1])
    )
