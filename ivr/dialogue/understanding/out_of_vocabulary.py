"""Out-of-vocabulary titles: what stands in a sentence where a title would, and names none that is known there.

Only the words around it tell ("add … to my queue"), or that nothing but a title was asked for. What is found is what
was heard, which need not be what was said: a recogniser that does not know a name writes what it sounds like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import number_of, ordinal_of
from ivr.dialogue.understanding.concepts import negated, without_politeness
from ivr.dialogue.understanding.grammar_compiler import Entry, Node, StateGrammar
from ivr.dialogue.understanding.slots import Slot, TitleSlot

MOST_WORDS = 8  # of a title
MUCH_MORE = 3  # words beside a title that is known: "Sherlock Jr. is damaged and …" is no name
FEWEST_AROUND = 2  # words of a request, unless it begins with one ("remove …")


@dataclass(frozen=True, slots=True)
class Unknown:
    """Words ``start``..``end`` of what was said; ``around``: how many others were as a phrase has them."""

    start: int
    end: int
    around: int


def unknown_title(words: Sequence[str], grammar: StateGrammar, *, asked: bool) -> tuple[str, ...]:
    """The words that name no known title; () where nothing looks like one. ``asked``: a title was asked for, so that it
    may stand alone."""
    words = without_politeness(words, grammar.language)
    if not words or negated(words[:1], grammar.language):
        return ()
    best: Unknown | None = None
    for found in _walk(grammar.outline.root, words, 0, grammar.slots, None, 0):
        title = words[found.start : found.end]
        if not (asked or found.around >= FEWEST_AROUND or (found.around and found.start)) or not _named(title, grammar):
            continue
        if best is None or found.around > best.around:
            best = found
    return () if best is None else words[best.start : best.end]


def said_in_part(words: Sequence[str], intent: str, grammar: StateGrammar) -> bool:
    """Whether these words are a phrase of ``intent``, word for word, but for one slot that they don't fill ("move that
    to the top") or that they don't come to ("swap Vertigo")."""
    words = without_politeness(words, grammar.language)
    return bool(words) and any(
        entry.intent == intent for entry in _begun(grammar.outline.root, words, 0, grammar.slots, 0, whole=True)
    )


def _begun(
    node: Node, words: Sequence[str], at: int, slots: Mapping[str, Slot], around: int, *, whole: bool
) -> Iterator[Entry]:
    """The entries of which these words are the phrase or its beginning. ``whole``: no slot was left out so far."""
    if at == len(words):
        if around >= FEWEST_AROUND and not whole:
            yield from (entry for entry, _ in node.ends)
        elif around and whole:
            yield from _below(node)
        return
    if (following := node.words.get(words[at])) is not None:
        yield from _begun(following, words, at + 1, slots, around + 1, whole=whole)
    for name, following in node.slots.items():
        if name in slots:
            for fill in slots[name].fills(words, at):
                yield from _begun(following, words, fill.end, slots, around, whole=whole)
            if whole:
                for end in range(at + 1, min(len(words), at + MOST_WORDS) + 1):
                    yield from _begun(following, words, end, slots, around, whole=False)


def _below(node: Node) -> Iterator[Entry]:
    yield from (entry for entry, _ in node.ends)
    for following in (*node.words.values(), *node.slots.values()):
        yield from _below(following)


def _named(title: Sequence[str], grammar: StateGrammar) -> bool:
    """Whether it may be a name at all: something else than small words, the words of requests, and places; nor what
    has a title in it and says more about that than a name would."""
    spoken = words_for(grammar.language)
    small = spoken.articles | spoken.function_words | spoken.fillers | spoken.negations | grammar.concepts.carriers
    small |= spoken.pointers | spoken.ones
    telling = tuple(word for word in title if word not in small and len(word) > 1)
    if not telling or _placed(telling, title, grammar.language):
        return False
    longest = max(grammar.title_end(title, at) - at for at in range(len(title)))
    return not longest or len(title) - longest < MUCH_MORE


def _placed(telling: Sequence[str], title: Sequence[str], language: str) -> bool:
    """ "the third one", "number three": where something is, not what it is called."""
    spoken = words_for(language)
    if ordinal_of(telling, language) is not None:
        return len(telling) < len(title)
    return number_of(telling, language) is not None and not spoken.places.isdisjoint(title)


def _walk(
    node: Node,
    words: Sequence[str],
    at: int,
    slots: Mapping[str, Slot],
    title: tuple[int, int] | None,
    around: int,
) -> Iterator[Unknown]:
    """Each way through the trie on which one title may be anything; the other slots are as they are."""
    if at == len(words):
        if title is not None and node.ends:
            yield Unknown(*title, around)
        return
    if (following := node.words.get(words[at])) is not None:
        yield from _walk(following, words, at + 1, slots, title, around + 1)
    for name, following in node.slots.items():
        slot = slots.get(name)
        if slot is None:
            continue
        for fill in slot.fills(words, at):
            yield from _walk(following, words, fill.end, slots, title, around + fill.end - at)
        if title is None and isinstance(slot, TitleSlot):
            for end in range(at + 1, min(len(words), at + MOST_WORDS) + 1):
                yield from _walk(following, words, end, slots, (at, end), around)
