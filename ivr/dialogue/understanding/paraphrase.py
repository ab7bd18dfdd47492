"""Paraphrases: sentences that no phrase covers, read by spotting slots and comparing what is left with the carriers.

"I'd like Casablanca to be next" has the title of one slot and the concept TOP left; of the active templates, "move
{title} to the top" is the likest. Order counts ("put A after B" is not "put B after A"), every slot of a template must
be found and every slot found should be used, and one concept at least must agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rapidfuzz import fuzz, process
from rapidfuzz.distance import Indel

from ivr.dialogue.flows.phrases import Variant
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.understanding.concepts import negated, renumbered
from ivr.dialogue.understanding.grammar import (
    INSTEAD,
    LANGUAGE,
    OPTION,
    PICK,
    RISK,
    UNIVERSALS,
    Meaning,
    Reading,
    SlotValue,
    distinct,
)
from ivr.dialogue.understanding.grammar_compiler import Entry, StateGrammar, comparable, rendered
from ivr.dialogue.understanding.lexicon import Span, apart
from ivr.dialogue.understanding.out_of_vocabulary import said_in_part
from ivr.dialogue.understanding.range_slots import BOUNDED
from ivr.dialogue.understanding.slots import ChoiceSlot, Fill, NumberSlot, TitleSlot, titled
from ivr.dialogue.understanding.speech_grammar import slot_name, slot_names

ENOUGH = 0.64
PHRASE_ENOUGH = 0.82  # for phrases without slots, by spelling
LANDMARKS = ("BEFORE", "AFTER")  # who begins so names the landmark first: "after Vertigo, put Casablanca"
SLOTLESS_ENOUGH = 0.84  # and by their concepts: there is less to go by
LACKING = 0.9  # what a sentence that lacks a slot is worth of one that lacks nothing
ALIKE = 0.1  # so much less like the words is another list's title of the same, and it is none of theirs
GAP = "<?>"  # where a slot would be, and something stands that nobody knows


@dataclass(frozen=True, slots=True)
class Found(Span):
    """Something spotted: which slot names could take it, and the value each would have. ``score`` is 0..1."""

    values: Mapping[str, SlotValue]
    rivals: tuple[SlotValue, ...] = ()


@dataclass(frozen=True, slots=True)
class _Shape:
    entry: Entry
    variant: Variant
    concepts: tuple[str, ...]
    slots: tuple[str, ...]
    words: frozenset[str]
    broad: bool  # may be read by its concepts; universals, yes and no only by their spelling
    lacks: bool = False  # of its slots some are gaps


def likely(words: Sequence[str], grammar: StateGrammar) -> list[Reading]:
    """Readings by likeness, the likest first, one per meaning; [] when nothing is like enough."""
    known = _templates(grammar)
    words = renumbered(words, grammar.language)
    titles = titles_in(words, grammar)
    outside = [word for at, word in enumerate(words) if not any(t.start <= at < t.end for t in titles)]
    denied = negated(outside, grammar.language)  # "not for radu" is a title, misheard
    likes = [*_by_slots(words, titles, grammar, known), *_by_spelling(words, known)]
    if (turned := _turned(words, grammar)) is not None:
        likes += [like for like in _by_slots(turned, titles_in(turned, grammar), grammar, known) if like.meaning.slots]
    if denied:
        likes = [like for like in likes if negated(_spoken(like.text), grammar.language)]
    found = distinct(sorted(likes, key=lambda like: -like.confidence))[:3]
    return [
        replace(like, inferred=not (like.lacks and said_in_part(words, like.meaning.intent, grammar))) for like in found
    ]


def _spoken(text: str) -> list[str]:
    return [comparable(word) for word in text.lower().split()]


@dataclass(frozen=True, slots=True)
class _Templates:
    """What is kept of an outline: every template's shape, the texts of those without slots, and all carrier words."""

    shapes: Sequence[_Shape]
    slotless: Sequence[tuple[str, _Shape]]
    carriers: Sequence[str]


def _templates(grammar: StateGrammar) -> _Templates:
    known = grammar.outline.paraphrases
    if not isinstance(known, _Templates):
        shapes = [_shape(entry, v, grammar) for entry in grammar.outline.entries for v in entry.template.variants]
        slotless = [(" ".join(map(comparable, s.variant)), s) for s in shapes if not s.slots]
        shapes += [gapped for shape in shapes for gapped in _gapped(shape)]
        known = _Templates(shapes, slotless, sorted({word for shape in shapes for word in shape.words}))
        grammar.outline.paraphrases = known
    return known


def _shape(entry: Entry, variant: Variant, grammar: StateGrammar) -> _Shape:
    slots = tuple(slot_names(variant))
    marked = [comparable(piece) if (name := slot_name(piece)) is None else f"<{name}>" for piece in variant]
    words = frozenset(word for word in marked if not word.startswith("<"))
    broad = (bool(slots) or not _universal(entry.intent)) and not entry.intent.startswith(INSTEAD)
    return _Shape(entry, variant, grammar.concepts.sequence(marked), slots, words, broad)


def _gapped(shape: _Shape) -> Iterator[_Shape]:
    """The same without some of its slots, as far as the intent may come so: "move … to the top". What is left must ask
    for something by itself: it begins with a word that means something, or has two of them."""
    meant = [c for c in shape.concepts if not c.startswith("<")]
    if not shape.broad or not meant or not (len(meant) > 1 or meant == list(shape.concepts[:1])):
        return
    verb_first = not shape.concepts[0].startswith("<")
    for kept in sorted(shape.entry.fillings, key=lambda kept: [name not in kept for name in shape.slots]):
        if kept < set(shape.slots) and (kept or verb_first):
            marks = tuple(c if not c.startswith("<") or c[1:-1] in kept else GAP for c in shape.concepts)
            slots = tuple(name for name in shape.slots if name in kept)
            yield replace(shape, concepts=marks, slots=slots, lacks=True)


def _turned(words: Sequence[str], grammar: StateGrammar) -> tuple[str, ...] | None:
    """ "after vertigo put casablanca" -> "put casablanca after vertigo"; None when it isn't said that way round."""
    if len(words) < 4 or grammar.concepts.of(words[0]) not in LANDMARKS:
        return None
    end = grammar.title_end(words, 1)
    return (*words[end:], *words[:end]) if 1 < end < len(words) else None


def _universal(intent: str) -> bool:
    return intent in UNIVERSALS or intent in ("yes", "no") or intent.startswith((RISK, OPTION, PICK, LANGUAGE))


def _by_spelling(words: Sequence[str], known: _Templates) -> Iterator[Reading]:
    """Whole phrases without slots, nearly as written ("whats in my cue")."""
    said = " ".join(words)
    texts = [text for text, _ in known.slotless] if len(said) >= 4 else []
    for _, score, index in process.extract(said, texts, scorer=fuzz.ratio, score_cutoff=PHRASE_ENOUGH * 100, limit=4):
        shape = known.slotless[index][1]
        yield Reading.guess(Meaning(shape.entry.intent), rendered(shape.variant, {}), score / 100)


def _by_slots(words: Sequence[str], titles: list[Found], grammar: StateGrammar, known: _Templates) -> list[Reading]:
    best: list[Reading] = []
    for spotted in _alternatives(words, titles, grammar):
        slotless, sequence = _sequence(words, spotted, known.carriers, grammar)
        strange = _with_gaps(sequence, grammar)
        for shape in known.shapes:
            if len(shape.slots) != len(spotted) or not shape.broad:
                continue
            heard = (sequence, strange) if shape.lacks else (sequence,)
            like = _compared(shape, heard, slotless, frozenset(words), spotted, words_for(grammar.language).something)
            if like is not None:
                best.append(like)
    best.sort(key=lambda like: -like.confidence)
    return _with_rivals(best[:3], titles)


def titles_in(words: Sequence[str], grammar: StateGrammar) -> list[Found]:
    """Titles heard, with the slots that know them. Slots that share vocabularies share the work."""
    groups: dict[tuple[int, ...], list[str]] = {}
    slots: dict[tuple[int, ...], TitleSlot] = {}
    for name, slot in grammar.slots.items():
        if isinstance(slot, TitleSlot):
            group = tuple(id(lex) for lex in slot.vocabulary.lexicons)
            groups.setdefault(group, []).append(name)
            slots[group] = slot
    found: dict[tuple[int, int], Found] = {}
    for group, names in groups.items():
        for spot in slots[group].vocabulary.spot(words, grammar.concepts.carriers):
            here, rivals = (spot.start, spot.end), tuple(titled(term) for term in spot.rivals)
            each = Found(spot.start, spot.end, spot.score / 100, {name: titled(spot.term) for name in names}, rivals)
            found[here] = _together(found[here], each) if here in found else each
    return apart(found.values(), 0.03)


def _together(first: Found, second: Found) -> Found:
    """The same words as two lists know them: as the better one does, and where both are about as good for its slots,
    too. "The Killing" on one list is no "The Kid" on another."""
    better, other = (second, first) if second.score > first.score else (first, second)
    if other.score < better.score - ALIKE:
        return better
    return replace(better, values={**other.values, **better.values})


def _alternatives(words: Sequence[str], titles: list[Found], grammar: StateGrammar) -> list[list[Found]]:
    """What might be slots: titles alone ("first" is a carrier), and titles with every number or other value."""
    others: list[Found] = []
    at = 0
    while at < len(words):
        if any(item.start <= at < item.end for item in titles):
            at += 1
            continue
        values, end = values_at(words, at, grammar)
        if values:
            others.append(Found(at, end, 1.0, values))
        at = max(end, at + 1)
    every = sorted((*titles, *others), key=lambda f: f.start)
    lists = [every, titles] if others else [titles]
    if len(others) > 1:
        lists.append(sorted((*titles, others[-1]), key=lambda f: f.start))
    return lists


def values_at(words: Sequence[str], at: int, grammar: StateGrammar) -> tuple[dict[str, SlotValue], int]:
    values: dict[str, SlotValue] = {}
    longest, spoken = at, words_for(grammar.language)
    pronoun = words[at] in spoken.ones and (at == 0 or words[at - 1] in spoken.pointers)
    for name, slot in grammar.slots.items():
        if isinstance(slot, TitleSlot) or (pronoun and isinstance(slot, NumberSlot)):
            continue  # "move that one"
        if slot.type == "number" and grammar.concepts.of(words[at]).isupper():
            continue  # "put first": to the top
        fill = next(slot.fills(words, at), None)
        if fill is None and isinstance(slot, BOUNDED):  # "quarter to eight", out of bounds, isn't "eight"
            beyond = next(slot.unbounded.fills(words, at), None)
            if beyond is not None and beyond.end > longest:
                values.clear()
                longest = beyond.end
        if fill is None and isinstance(slot, ChoiceSlot) and words[at] not in grammar.concepts.carriers:
            told = slot.told_by(words[at])
            fill = Fill(at + 1, told, sure=False) if told is not None else None
        if fill is not None and fill.end >= longest:
            if fill.end > longest:
                values.clear()
            values[name] = fill.value
            longest = fill.end
    return values, longest


def _sequence(
    words: Sequence[str], spotted: Sequence[Found], carriers: Sequence[str], grammar: StateGrammar
) -> tuple[frozenset[str], tuple[str, ...]]:
    """The sentence as concepts with "<0>", "<1>" for what was spotted; unknown words as their nearest carrier."""
    marked: list[str] = []
    at = 0
    starts = {item.start: index for index, item in enumerate(spotted)}
    plain = grammar.concepts.carriers
    while at < len(words):
        if at in starts:
            marked.append(f"<{starts[at]}>")
            at = spotted[starts[at]].end
            continue
        word = words[at]
        if word not in plain and len(word) > 3:
            near = process.extractOne(word, carriers, scorer=fuzz.ratio, score_cutoff=78)
            word = near[0] if near else word
        marked.append(word)
        at += 1
    sequence = grammar.concepts.sequence(marked)
    return frozenset(c for c in sequence if not c.startswith("<")), sequence


def _with_gaps(sequence: tuple[str, ...], grammar: StateGrammar) -> tuple[str, ...]:
    """Words that mean nothing to a request, as one gap for each run of them."""
    known = grammar.concepts.carriers
    marked = [c if c.startswith("<") or c.isupper() or c in known else GAP for c in sequence]
    return tuple(c for at, c in enumerate(marked) if c != GAP or not at or marked[at - 1] != GAP)


def _compared(
    shape: _Shape,
    sequences: Sequence[tuple[str, ...]],
    slotless: frozenset[str],
    said: frozenset[str],
    spotted: Sequence[Found],
    something: str,
) -> Reading | None:
    """``sequences``: the sentence, for a shape with gaps also with what nobody knows as gaps."""
    filled: dict[str, SlotValue] = {}
    for name, item in zip(shape.slots, spotted, strict=True):
        if name not in item.values:
            return None
        filled[name] = item.values[name]
    if len(filled) > 1 and len({(type(v.value), v.value) for v in filled.values()}) < len(filled):
        return None
    names = {f"<{name}>": f"<{index}>" for index, name in enumerate(shape.slots)}
    wanted = tuple(names.get(c, c) for c in shape.concepts)
    without = tuple(c for c in wanted if c != GAP)
    carriers = {c for c in wanted if not c.startswith("<")}
    if carriers and carriers.isdisjoint(slotless):
        return None
    if not carriers and len(filled) < 2 and not (filled and shape.words <= said):
        return None  # "do you have {film}" is more than its film
    score = max(map(Indel.normalized_similarity, (without, wanted), sequences))
    if (not filled or shape.lacks) and score < SLOTLESS_ENOUGH:
        return None
    score *= LACKING if shape.lacks else 1.0
    for item in spotted:
        score *= 0.5 + 0.5 * min(item.score, 1.0)
    if score < ENOUGH:
        return None
    text = rendered(shape.variant, filled, something)
    found = Reading.guess(Meaning(shape.entry.intent, filled), text, round(score, 4))
    return replace(found, lacks=shape.lacks)


def _with_rivals(guesses: Sequence[Reading], titles: Sequence[Found]) -> list[Reading]:
    """A title that was nearly another one makes another reading."""
    more = list(guesses)
    for guess in guesses[:1]:
        for item in titles:
            for name, value in guess.meaning.slots.items():
                if item.rivals and item.values.get(name) == value:
                    rival = item.rivals[0]
                    meant = Meaning(guess.meaning.intent, {**guess.meaning.slots, name: rival})
                    text = guess.text.replace(value.label, rival.label)
                    more.append(Reading.guess(meant, text, guess.confidence - 0.03))
    return more
