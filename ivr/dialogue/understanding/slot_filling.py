"""Slot filling: which of the titles and values in a sentence are an intent's, where no phrase says so word for word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ivr.dialogue.flows.phrases import Variant
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import number_of
from ivr.dialogue.understanding.classifier import IntentClassifier
from ivr.dialogue.understanding.concepts import negated
from ivr.dialogue.understanding.contrast import denied
from ivr.dialogue.understanding.grammar import ANSWER, Interpretation, Meaning, Reading, SlotValue
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.lexicon import SHORT_LIST
from ivr.dialogue.understanding.paraphrase import LANDMARKS, Found, titles_in, values_at
from ivr.dialogue.understanding.risk import RiskWords
from ivr.dialogue.understanding.slots import ChoiceSlot, DateSlot, NumberSlot, TitleSlot
from ivr.dialogue.understanding.training import sentence

SAID_EXACTLY = 0.975
LIKE_ENOUGH = 0.5  # the likeness with a phrase of a value from which a sentence may answer with it
NEAREST_BY = 0.06  # the margin by which a value is told in other words


@dataclass(slots=True)
class LearnedIntent:
    """What an outline's templates say of one intent. ``learned``: what its class is called."""

    intent: str
    rank: int
    learned: str
    shapes: dict[tuple[str, ...], Variant] = field(default_factory=dict)
    fillings: frozenset[frozenset[str]] = frozenset()
    concepts: set[str] = field(default_factory=set)
    before: dict[str, set[str]] = field(default_factory=dict)  # a slot, and the words that come right before it
    denies: bool = False


def title_views(words: Sequence[str], grammar: StateGrammar, taught: frozenset[str]) -> Iterator[list[Found]]:
    """What might be titles: all that sound like one, only those said exactly, those that are no common words, and all
    but those of a long list that are taught words ("turn them around" names no "Them!")."""
    every = titles_in(words, grammar)
    common = grammar.concepts.carriers
    rare = [
        t for t in every
        if not all(w in common or number_of([w], grammar.language) is not None for w in words[t.start : t.end])
    ]  # fmt: skip
    seen: list[list[Found]] = []
    own = [t for t in every if of_a_short_list(t, grammar) or not taught.issuperset(words[t.start : t.end])]
    for view in (every, [t for t in every if t.score >= SAID_EXACTLY], rare, own):
        if view not in seen:
            seen.append(view)
            yield view


def of_a_short_list(title: Found, grammar: StateGrammar) -> bool:
    slots = (grammar.slots.get(name) for name in title.values)
    return any(is_short(slot) for slot in slots if isinstance(slot, TitleSlot))


def is_short(slot: TitleSlot) -> bool:
    """Whether the list that it draws on is: one member's, not all there is."""
    return sum(len(lex.terms) for lex in slot.vocabulary.lexicons) <= SHORT_LIST


def other_values(words: Sequence[str], titles: Sequence[Found], grammar: StateGrammar) -> list[Found]:
    """Values of other slots, outside the titles; of what is longest, and within it of slots that it is no value of:
    "the sixth" is a day, and a place."""
    found: list[Found] = []
    at = 0
    while at < len(words):
        inside = any(title.start <= at < title.end for title in titles)
        values, end = ({}, at) if inside else values_at(words, at, grammar)
        if values:
            found.append(Found(at, end, 1.0, values))
        for inner in range(at + 1, end):
            more, upto = values_at(words, inner, grammar)
            if upto <= end and (within := {name: value for name, value in more.items() if name not in values}):
                found.append(Found(inner, upto, 1.0, within))
        at = max(end, at + 1)
    return found


def filling(
    here: LearnedIntent,
    titles: Sequence[Found],
    others: Sequence[Found],
    words: Sequence[str],
    grammar: StateGrammar,
    classifier: IntentClassifier,
) -> tuple[Variant, dict[str, SlotValue]] | None:
    """The template whose slots the sentence fills best, and their values; None where none fits."""
    ordered = _once(titles)
    if len(ordered) == 2 and _landmark_first(words, ordered, grammar):
        ordered.reverse()  # "after vertigo I want casablanca"
    elsewhere = bool(ordered) and _goes_to_place(others, words, grammar)
    best: tuple[tuple[int, int], Variant, dict[str, SlotValue]] | None = None
    for names, variant in here.shapes.items():
        wanted = [name for name in names if isinstance(grammar.slots.get(name), TitleSlot)]
        if len(wanted) != len(ordered) or any(n not in t.values for n, t in zip(wanted, ordered, strict=True)):
            continue
        if elsewhere and not any(isinstance(grammar.slots.get(name), NumberSlot) for name in names):
            continue
        slots = {name: title.values[name] for name, title in zip(wanted, ordered, strict=True)}
        if len({value.value for value in slots.values()}) < len(slots):
            continue
        missing = []
        for name in names:
            if name in slots:
                continue
            value = _value(here, name, others, words, grammar)
            if isinstance(slot := grammar.slots.get(name), ChoiceSlot):
                value = _undenied(slot, value, titles, words, grammar, classifier)
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
    here: LearnedIntent, name: str, others: Sequence[Found], words: Sequence[str], grammar: StateGrammar
) -> SlotValue | None:
    """The last value for the slot. A day counts where what a phrase or an answer has before it is said: "until Friday",
    "again on Friday", not "leaving on Friday"; and where it is said for how long. Of a choice's values none does where
    words give away several ("cracked in the mail")."""
    leads, slot = words_for(grammar.language).day_leads, grammar.slots.get(name)
    if isinstance(slot, ChoiceSlot) and len({e.values[name] for e in others if name in e.values}) > 1:
        return None
    for each in reversed(others):
        if name in each.values:
            start = each.start - (each.start > 0 and words[each.start - 1] in leads)
            awaited = start and words[start - 1] in here.before.get(name, set()) - leads
            if not isinstance(slot, DateSlot) or awaited or slot.lasting(words[each.start : each.end]):
                return each.values[name]
    return None


def _once(titles: Sequence[Found]) -> list[Found]:
    """Each title where it is named first: "A where B is, and B where A is" is about two."""
    found: dict[frozenset[tuple[str, object]], Found] = {}
    for title in titles:
        found.setdefault(frozenset((name, value.value) for name, value in title.values.items()), title)
    return list(found.values())


def _goes_to_place(others: Sequence[Found], words: Sequence[str], grammar: StateGrammar) -> bool:
    """Whether a place is named that something goes to: "down to number six", "the fourth one", not "for the second
    time". Then what has no place isn't meant."""
    spoken = words_for(grammar.language)
    small = spoken.places | spoken.function_words | spoken.articles
    for each in others:
        if not any(isinstance(grammar.slots.get(n), NumberSlot) and v.value != 1 for n, v in each.values.items()):
            continue
        before = [word for word in words[: each.start] if word not in spoken.places and word not in spoken.articles]
        ends = each.end == len(words) or words[each.end] in small
        nth = number_of(words[each.start : each.end], grammar.language) is None
        if ends and (nth or (before and before[-1] in spoken.toward)):
            return True
    return False


def partial_filling(
    here: LearnedIntent, titles: Sequence[Found], others: Sequence[Found], words: Sequence[str], grammar: StateGrammar
) -> tuple[Variant, dict[str, SlotValue]] | None:
    """The template of which the sentence has most of the slots, where the way on asks for the others."""
    best: tuple[Variant, dict[str, SlotValue]] | None = None
    for names, variant in here.shapes.items():
        left, slots = _once(titles), {}
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


def _undenied(
    slot: ChoiceSlot,
    value: SlotValue | None,
    titles: Sequence[Found],
    words: Sequence[str],
    grammar: StateGrammar,
    classifier: IntentClassifier,
) -> SlotValue | None:
    """``value``, or where there is none what is told in other words; nothing that the sentence denies."""
    noes = list(denied(words, {"": slot}, grammar.language))
    ruled_out = {no.values[""].value for no in noes}
    if value is not None and value.value not in ruled_out:
        return value
    apart = [Found(no.start, no.end, 1.0, {}) for no in noes]
    near = _nearest(slot, words, [*titles, *apart], grammar, classifier)
    return None if near is None or near.value in ruled_out else near


def _nearest(
    slot: ChoiceSlot,
    words: Sequence[str],
    titles: Sequence[Found],
    grammar: StateGrammar,
    classifier: IntentClassifier,
    enough: float = 0.0,
) -> SlotValue | None:
    """A value told in other words ("has a crack in it"); None without a clear margin: then the flow asks. ``enough``:
    how like one of its phrases it must be."""
    forms = slot.forms()
    text = sentence(words, [(t.start, t.end) for t in titles], grammar.language, grammar.concepts).text
    scores: dict[str | int | bool | float, list[float]] = {}
    for value, score in zip(forms.values, classifier.likeness(text, forms.said), strict=True):
        scores.setdefault(value.value, []).append(score)
    means = sorted(((sum(top) / len(top), value) for value, s in scores.items() if (top := sorted(s)[-3:])), key=_first)
    if len(means) < 2 or means[-1][0] - means[-2][0] <= NEAREST_BY:
        return None
    if max(scores[means[-1][1]]) < enough:
        return None
    return next(each for each in forms.values if each.value == means[-1][1])


def _first(pair: tuple[float, object]) -> float:
    return pair[0]


def bare_value(words: Sequence[str], name: str, grammar: StateGrammar) -> SlotValue | None:
    """The only value of a sentence that denies nothing, where a value is asked for; a choice also in other words, and
    of several days the one that is waited for, whatever is denied ("nothing before Friday")."""
    slot = grammar.slots.get(name)
    if isinstance(slot, ChoiceSlot) and slot.type == "choice":
        return _chosen(slot, words, name, grammar)
    spotted = [*titles_in(words, grammar), *other_values(words, (), grammar)]
    found = [each for each in spotted if name in each.values and each.score >= 0.9]
    awaited = [each for each in found if isinstance(slot, DateSlot) and _awaited(each, words, grammar)]
    if len(awaited) == 1:
        return awaited[0].values[name]
    if len(found) != 1:
        return None
    outside = [word for at, word in enumerate(words) if not found[0].start <= at < found[0].end]
    return None if negated(outside, grammar.language) else found[0].values[name]


def _awaited(day: Found, words: Sequence[str], grammar: StateGrammar) -> bool:
    spoken = words_for(grammar.language)
    small = (grammar.concepts.empty | spoken.articles | spoken.day_leads) - spoken.awaiting
    before = [word for word in words[: day.start] if word not in small]
    return bool(before) and before[-1] in spoken.awaiting


def _chosen(slot: ChoiceSlot, words: Sequence[str], name: str, grammar: StateGrammar) -> SlotValue | None:
    """What a whole phrase says, else what the sentence is like; without what it denies ("not damaged, it just never
    came")."""
    if (no := next(denied(words, {name: slot}, grammar.language), None)) is not None:
        left = no.without(words)
        meant = _chosen(slot, left, name, grammar) if left else None
        return None if meant is None or meant.value == no.values[name].value else meant
    phrased = {
        fill.value.value: fill.value
        for start in range(len(words))
        for fill in slot.fills(words, start)
        if fill.end - start > 1 and fill.sure
    }
    if phrased:
        return next(iter(phrased.values())) if len(phrased) == 1 else None
    if grammar.classifier is not None:
        return _nearest(slot, words, (), grammar, grammar.classifier, LIKE_ENOUGH)
    told = {value.value: value for each in other_values(words, (), grammar) if (value := each.values.get(name))}
    return next(iter(told.values())) if len(told) == 1 and not negated(words, grammar.language) else None


def answered(
    found: Interpretation, words: Sequence[str], name: str, grammar: StateGrammar, risks: RiskWords
) -> Interpretation:
    """What is like an answer to a question for a day, or for one of a few values ("it was due last week"), is that: a
    risk without a word of one was inferred from the mood alone, among classes that have no room for the sentence."""
    best, rival, slot = found.best, found.rival, grammar.slots.get(name)
    if best is None or not isinstance(slot, DateSlot | ChoiceSlot) or slot.type == "boolean":
        return found
    doubted = best if best.risk else rival
    if doubted is None or not doubted.risk or not doubted.inferred or risks.hinted(words, grammar) is not None:
        return found
    if best.meaning.intent == ANSWER:
        return Interpretation(best, how=found.how)
    value = bare_value(words, name, grammar) if isinstance(slot, ChoiceSlot) else None
    if value is None:
        return found
    answer = Reading.guess(Meaning(ANSWER, {name: value}), " ".join(words), best.confidence)
    return Interpretation(replace(answer, inferred=True), how=found.how)
