"""Inference: what a sentence that no phrase covers may mean, by a classifier fitted on the flows' own phrases.

A classifier knows no slots, no order and no opposites. So titles are taken out before it is asked, and what it says is
weighed by what the slots of each intent allow, by denials and by antonyms. All that comes of it is in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import prod

from ivr.dialogue.flows.phrases import Variant
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import number_of
from ivr.dialogue.understanding.classifier import NONE, IntentClassifier
from ivr.dialogue.understanding.grammar import (
    ANSWER,
    HUMAN,
    INSTEAD,
    LANGUAGE,
    OPTION,
    REQUEST,
    RISK,
    Meaning,
    Reading,
    SlotValue,
    slot_name,
    slot_names,
)
from ivr.dialogue.understanding.grammar_compiler import StateGrammar, comparable, rendered
from ivr.dialogue.understanding.lexicon import negated, renumbered, without_politeness
from ivr.dialogue.understanding.out_of_vocabulary import said_in_part
from ivr.dialogue.understanding.paraphrase import LACKING, LANDMARKS, Found, titles_in, values_at
from ivr.dialogue.understanding.slots import ChoiceSlot, DateSlot, NumberSlot, TitleSlot
from ivr.dialogue.understanding.training import sentence

OPPOSITES = (("TOP", "END"), ("UP", "DOWN"), ("TOP", "DOWN"), ("END", "UP"), ("BEFORE", "AFTER"), ("ADD", "REMOVE"))
OPPOSED, DENIED, UNFILLED, MISFILLED = 0.1, 0.4, 0.25, 0.01  # what is left of a chance
NEGLIGIBLE = 0.001  # chances below are not looked into
SAID_EXACTLY = 0.975
HUMAN_AT_ONCE = 0.8  # the chance of a wish for a human at which one is got, unasked,
HUMAN_NAMED = 0.5  # and at which, where one is named
AT_ONCE = 0.5  # the chance of risks at which a whole phrase of one is taken for it, unasked
RISK_ENOUGH = 0.35  # and at which, boosted, one is asked about without
BOOST = 1.5  # a risk that is asked about costs less than one that is missed
CLOSE, CERTAIN = 0.5, 0.75  # a second at least so likely beside the first, which is not this likely, is its rival
NEAREST_BY = 0.06  # the margin by which a value is told in other words
DENYING = ("no", "help", "repeat", HUMAN)  # may be meant by sentences that deny


@dataclass(slots=True)
class _Intent:
    """What the outline's templates say of one intent. ``learned``: what its class is called."""

    intent: str
    rank: int
    learned: str
    shapes: dict[tuple[str, ...], Variant] = field(default_factory=dict)
    fillings: frozenset[frozenset[str]] = frozenset()
    concepts: set[str] = field(default_factory=set)
    before: dict[str, set[str]] = field(default_factory=dict)  # a slot, and the words that come right before it
    denies: bool = False


@dataclass(frozen=True, slots=True)
class _Inferable:
    """What is kept of an outline: its intents by the class that each is learned as, as they are and after a no."""

    plain: Mapping[str, _Intent]
    instead: Mapping[str, _Intent]
    bare: str  # the slot of the value that is asked for; "" where none is


@dataclass(frozen=True, slots=True)
class Inference:
    """One meaning and how probable it is."""

    chance: float
    intent: str
    slots: Mapping[str, SlotValue] = field(default_factory=dict)
    variant: Variant = ()
    lacks: bool = False

    def reading(self, words: Sequence[str], grammar: StateGrammar) -> Reading:
        text = rendered(self.variant, self.slots, words_for(grammar.language).something) if self.variant else " ".join(words)
        found = Reading.guess(Meaning(self.intent, self.slots), text, round(min(self.chance, 1.0), 4))
        wanted = self.intent == HUMAN and self.chance >= HUMAN_AT_ONCE and wishes(words, grammar)
        said = wanted or (self.lacks and said_in_part(words, self.intent, grammar))
        return replace(found, lacks=self.lacks, inferred=not said)


def inferred(words: Sequence[str], grammar: StateGrammar, classifier: IntentClassifier) -> list[Reading]:
    """The likeliest reading; with it a close rival where there is one. [] where nothing fits well enough."""
    known = _inferable(grammar)
    ranked = ranking(words, grammar, classifier)
    none = next((each.chance for each in ranked if each.intent == NONE), 0.0)
    risks = [each for each in ranked if each.intent.startswith(RISK)]
    rest = [each for each in ranked if each.intent != NONE and not each.intent.startswith(RISK)]
    if risks:
        danger = sum(each.chance for each in risks)
        rest.append(Inference(danger * BOOST, risks[0].intent))
        rest.sort(key=lambda each: -each.chance)
    if not rest:
        return []
    best, limits = rest[0], classifier.thresholds(frozenset(known.plain))
    if best.intent.startswith(RISK) and best.chance < RISK_ENOUGH:
        return []
    if best.chance < limits.accept or best.chance < limits.odds * none:
        return []
    if (part := next((each for each in rest[:2] if each.lacks and said_in_part(words, each.intent, grammar)), None)):
        return [part.reading(words, grammar)]
    found = [best.reading(words, grammar)]
    if len(rest) > 1 and rest[1].chance > CLOSE * best.chance and best.chance < CERTAIN:
        found.append(rest[1].reading(words, grammar))
    return found


def danger_of(words: Sequence[str], grammar: StateGrammar, classifier: IntentClassifier) -> float:
    """How probably the sentence means any risk, 0..1."""
    return sum(each.chance for each in ranking(words, grammar, classifier) if each.intent.startswith(RISK))


def wishes(words: Sequence[str], grammar: StateGrammar) -> bool:
    """Whether somebody asks for something: "can I …", "get me …", not "there's …"."""
    return not words_for(grammar.language).wishes.isdisjoint(words)


def wants_human(words: Sequence[str], grammar: StateGrammar, classifier: IntentClassifier) -> bool:
    """Whether a sentence that names a human asks for one."""
    chance = next((each.chance for each in ranking(words, grammar, classifier) if each.intent == HUMAN), 0.0)
    return chance >= HUMAN_NAMED and wishes(words, grammar)


def ranking(words: Sequence[str], grammar: StateGrammar, classifier: IntentClassifier) -> list[Inference]:
    """Every meaning that is possible here, and NONE, the likeliest first; their chances sum to 1."""
    known, language = _inferable(grammar), grammar.language
    words = renumbered(words, language)
    best: dict[str, Inference] = {}
    _weigh(best, without_politeness(words, language), known.plain, grammar, classifier)
    if len(words) > 1 and known.instead and words[0] in words_for(language).denials:
        _weigh(best, without_politeness(words[1:], language), known.instead, grammar, classifier)
    if known.bare and (value := _bare(words, known.bare, grammar)) is not None:
        best[ANSWER] = Inference(1.0, ANSWER, {known.bare: value})
    total = sum(each.chance for each in best.values()) or 1.0
    shares = (replace(each, chance=each.chance / total) for each in best.values())
    return sorted(shares, key=lambda each: -each.chance)


def _weigh(
    best: dict[str, Inference],
    words: Sequence[str],
    intents: Mapping[str, _Intent],
    grammar: StateGrammar,
    classifier: IntentClassifier,
) -> None:
    """Into ``best``: each intent as likely as the kindest view of the titles makes it."""
    language, active = grammar.language, frozenset(intents)
    for titles in _views(words, grammar):
        asked = sentence(words, [(t.start, t.end) for t in titles], language, grammar.concepts)
        clear = prod(0.4 + 0.6 * min(t.score, 1.0) for t in titles)
        outside = [word for at, word in enumerate(words) if not any(t.start <= at < t.end for t in titles)]
        said, denied = set(grammar.concepts.sequence(outside)), negated(outside, language)
        others = _others(words, titles, grammar)
        for learned, chance in classifier.probabilities(asked, active).items():
            if chance < NEGLIGIBLE:
                continue
            if learned == NONE:
                found = Inference(chance, NONE)
            else:
                here = intents[learned]
                chance *= clear * (OPPOSED if _opposed(here, said) else 1.0)
                if denied and not here.intent.startswith(RISK) and not _may_deny(here, outside, grammar, classifier):
                    chance *= DENIED
                if (fill := _filled(here, titles, others, words, grammar, classifier)) is not None:
                    found = Inference(chance, here.intent, fill[1], fill[0])
                elif (part := _partly(here, titles, others, words, grammar)) is not None:
                    found = Inference(chance * LACKING, here.intent, part[1], part[0], lacks=True)
                else:
                    chance *= MISFILLED if titles else UNFILLED
                    lacks = bool(titles) and frozenset() in here.fillings
                    found = Inference(chance, here.intent, {}, next(iter(here.shapes.values())), lacks=lacks)
            if found.intent not in best or best[found.intent].chance < found.chance:
                best[found.intent] = found


# -- what an outline has -------------------------------------------------------------------------------------------


def learned_as(intent: str) -> str:
    """The class of an intent; "" for those that are not learned."""
    if intent.startswith((REQUEST, INSTEAD)):
        return intent.rpartition(".")[2]
    return "" if intent == ANSWER or intent.startswith((LANGUAGE, OPTION)) else intent


def _inferable(grammar: StateGrammar) -> _Inferable:
    known = grammar.outline.inferable
    if isinstance(known, _Inferable):
        return known
    answers = words_for(grammar.language).answers.get("date", ())
    leads = {comparable(way.split()[-2]) for way in answers if len(way.split()) > 1 and way.endswith("{%}")}
    plain: dict[str, _Intent] = {}
    instead: dict[str, _Intent] = {}
    bare: set[str] = set()
    for entry in sorted(grammar.outline.entries, key=lambda each: each.rank):
        variants = entry.template.variants
        if entry.intent == ANSWER:
            bare.update(slot_names(v)[0] for v in variants if len(v) == 1 and slot_names(v))
        if not (learned := learned_as(entry.intent)):
            continue
        after_no = entry.intent.startswith(INSTEAD)
        here = (instead if after_no else plain).setdefault(learned, _Intent(entry.intent, entry.rank, learned))
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


# -- slots ---------------------------------------------------------------------------------------------------------


def _views(words: Sequence[str], grammar: StateGrammar) -> Iterator[list[Found]]:
    """What might be titles: all that sound like one, only those said exactly, and those that are no common words."""
    every = titles_in(words, grammar)
    common = grammar.concepts.carriers
    rare = [
        t for t in every
        if not all(w in common or number_of([w], grammar.language) is not None for w in words[t.start : t.end])
    ]  # fmt: skip
    seen: list[list[Found]] = []
    for view in (every, [t for t in every if t.score >= SAID_EXACTLY], rare):
        if view not in seen:
            seen.append(view)
            yield view


def _others(words: Sequence[str], titles: Sequence[Found], grammar: StateGrammar) -> list[Found]:
    """Values of other slots, outside the titles."""
    found: list[Found] = []
    at = 0
    while at < len(words):
        inside = any(title.start <= at < title.end for title in titles)
        values, end = ({}, at) if inside else values_at(words, at, grammar)
        if values:
            found.append(Found(at, end, 1.0, values))
        at = max(end, at + 1)
    return found


def _may_deny(
    here: _Intent, outside: Sequence[str], grammar: StateGrammar, classifier: IntentClassifier
) -> bool:
    """Whether a denial may belong to the intent: where it has some itself; of those that are only learned, where it is
    not what is to be done that is denied ("don't move …")."""
    if here.denies or here.intent in DENYING:
        return True
    told = (grammar.concepts.of(word) for at, word in enumerate(outside) if at and negated(outside[at - 1 : at], grammar.language))
    return here.learned in classifier.denying and not any(concept in here.concepts for concept in told if concept.isupper())


def _opposed(here: _Intent, said: set[str]) -> bool:
    return any(
        one in said and other not in said and other in here.concepts and one not in here.concepts
        for pair in OPPOSITES
        for one, other in (pair, pair[::-1])
    )


def _filled(
    here: _Intent,
    titles: Sequence[Found],
    others: Sequence[Found],
    words: Sequence[str],
    grammar: StateGrammar,
    classifier: IntentClassifier,
) -> tuple[Variant, dict[str, SlotValue]] | None:
    """The template whose slots the sentence fills best, and their values; None where none fits."""
    ordered = list(titles)
    if len(ordered) == 2 and _landmark_first(words, ordered, grammar):
        ordered.reverse()  # "after vertigo I want casablanca"
    best: tuple[tuple[int, int], Variant, dict[str, SlotValue]] | None = None
    for names, variant in here.shapes.items():
        wanted = [name for name in names if isinstance(grammar.slots.get(name), TitleSlot)]
        if len(wanted) != len(ordered) or any(n not in t.values for n, t in zip(wanted, ordered, strict=True)):
            continue
        slots = {name: title.values[name] for name, title in zip(wanted, ordered, strict=True)}
        if len({value.value for value in slots.values()}) < len(slots):
            continue
        missing = []
        for name in names:
            if name in slots:
                continue
            value = _value(here, name, others, words, grammar)
            if value is None and isinstance(slot := grammar.slots.get(name), ChoiceSlot):
                value = _nearest(slot, words, titles, grammar, classifier)
            if value is None:
                missing.append(name)
            else:
                slots[name] = value
        if any(isinstance(grammar.slots.get(name), NumberSlot) for name in missing):
            continue
        fit = (-len(missing), len(slots))
        if best is None or fit > best[0]:
            best = (fit, variant, slots)
    return None if best is None else best[1:]


def _value(
    here: _Intent, name: str, others: Sequence[Found], words: Sequence[str], grammar: StateGrammar
) -> SlotValue | None:
    """The last value for the slot. A day counts where what a phrase or an answer has before it is said: "until Friday",
    not "leaving on Friday"."""
    for each in reversed(others):
        if name in each.values:
            day = isinstance(grammar.slots.get(name), DateSlot)
            if not day or (each.start and words[each.start - 1] in here.before.get(name, ())):
                return each.values[name]
    return None


def _partly(
    here: _Intent, titles: Sequence[Found], others: Sequence[Found], words: Sequence[str], grammar: StateGrammar
) -> tuple[Variant, dict[str, SlotValue]] | None:
    """The template of which the sentence has most of the slots, where the way on asks for the others."""
    best: tuple[Variant, dict[str, SlotValue]] | None = None
    for names, variant in here.shapes.items():
        left, slots = list(titles), {}
        for name in names:
            if isinstance(grammar.slots.get(name), TitleSlot):
                if left and name in left[0].values:
                    slots[name] = left.pop(0).values[name]
            elif value := _value(here, name, others, words, grammar):
                slots[name] = value
        whole = len(slots) == len(names)
        if left or whole or frozenset(slots) not in here.fillings or (best is not None and len(slots) <= len(best[1])):
            continue
        best = variant, slots
    return best


def _landmark_first(words: Sequence[str], titles: Sequence[Found], grammar: StateGrammar) -> bool:
    first, second = titles
    turning = words_for(grammar.language).landmarks

    def marks(said: Sequence[str]) -> bool:
        return any(grammar.concepts.of(word) in LANDMARKS or word in turning for word in said)

    return marks(words[: first.start]) and not marks(words[first.end : second.start])


def _nearest(
    slot: ChoiceSlot, words: Sequence[str], titles: Sequence[Found], grammar: StateGrammar, classifier: IntentClassifier
) -> SlotValue | None:
    """A value told in other words ("has a crack in it"); None without a clear margin: then the flow asks."""
    forms = slot.forms()
    text = sentence(words, [(t.start, t.end) for t in titles], grammar.language, grammar.concepts).text
    scores: dict[str | int | bool | float, list[float]] = {}
    for value, score in zip(forms.values, classifier.likeness(text, forms.said), strict=True):
        scores.setdefault(value.value, []).append(score)
    means = sorted(((sum(top) / len(top), value) for value, s in scores.items() if (top := sorted(s)[-3:])), key=_first)
    if len(means) < 2 or means[-1][0] - means[-2][0] <= NEAREST_BY:
        return None
    return next(each for each in forms.values if each.value == means[-1][1])


def _first(pair: tuple[float, object]) -> float:
    return pair[0]


def _bare(words: Sequence[str], name: str, grammar: StateGrammar) -> SlotValue | None:
    """The only value of a sentence that denies nothing, where a value is asked for."""
    spotted = [*titles_in(words, grammar), *_others(words, (), grammar)]
    found = [each for each in spotted if name in each.values and each.score >= 0.9]
    if len(found) != 1:
        return None
    outside = [word for at, word in enumerate(words) if not found[0].start <= at < found[0].end]
    return None if negated(outside, grammar.language) else found[0].values[name]
