"""Mishearings: what a free transcript may have been, by how its words sound and by what else the recogniser heard.

A recogniser that writes freely writes what it knows: "the meal" for "the mail", "the rim chews" for a title. What is
made of such a sentence here is weak by itself, and always asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rapidfuzz import fuzz

from ivr.dialogue.spoken.normalisation import fold, number_of
from ivr.dialogue.spoken.similarity import blend, passing_sound, sound
from ivr.dialogue.understanding.concepts import negated
from ivr.dialogue.understanding.grammar import ANSWER, Reading, SlotValue
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.paraphrase import titles_in
from ivr.dialogue.understanding.slot_filling import is_short, other_values
from ivr.dialogue.understanding.slots import TitleSlot
from ivr.dialogue.understanding.taught import Taught

MOST_REPAIRED = 3  # words of a sentence
ECHO = 65.0  # a title that the recogniser heard under its grammar is in the transcript, if anything there is so like it
CHANCE, AGAINST_NONE = 0.05, 0.15  # what a classifier must give an intent that was heard so, and how it stands to NONE
UNTITLED_CHANCE, UNTITLED_AGAINST_NONE, UNTITLED_CONFIDENCE = 0.1, 0.5, 0.1  # and where no title speaks for it
AROUND_AN_ANSWER = 3  # words
GUESSED = 0.4  # confidence


def repaired(words: Sequence[str], grammar: StateGrammar, taught: Taught) -> tuple[tuple[str, ...], float]:
    """The sentence with words that nobody taught as those that they sound like, and how alike these are; 0: the same.

    Titles and numbers stay, and so does a sentence of which such words are the half."""
    known = [*titles_in(words, grammar), *other_values(words, (), grammar)]
    made: list[str] = []
    likenesses: list[float] = []
    for at, word in enumerate(words):
        kept = any(each.start <= at < each.end for each in known) or word in grammar.concepts.carriers
        run, like = ("", 0.0) if kept or number_of([word], grammar.language) is not None else taught.nearest(word)
        made += run.split() or [word]
        likenesses += [like] if run else []
    if not 0 < len(likenesses) <= MOST_REPAIRED or 2 * len(likenesses) >= len(words):
        return tuple(words), 0.0
    return tuple(made), min(likenesses)


def corroborated(
    rejected: Sequence[Reading], words: Sequence[str], grammar: StateGrammar, chances: Mapping[str, float], none: float
) -> Reading | None:
    """The first of the recogniser's own readings, none of which it would ask about, that the free transcript speaks
    for: with its titles, as far as they can be made out, and by what a classifier gives its intent (``chances``)."""
    denied = negated(words, grammar.language)
    for reading in rejected:
        intent, slots = reading.meaning.intent, reading.meaning.slots
        if reading.universal or intent in ("yes", "no"):
            continue
        if denied != negated(fold(reading.text, grammar.language), grammar.language):
            continue
        titles = [value for name, value in slots.items() if isinstance(grammar.slots.get(name), TitleSlot)]
        if not _counted(slots, words, grammar) or not _echoed(titles, words, grammar):
            continue
        own = all(is_short(slot) for name in slots if isinstance(slot := grammar.slots.get(name), TitleSlot))
        if _likely(reading, titles, words, chances.get(intent, 0.0), none, own=own):
            return Reading(reading.meaning, reading.text, GUESSED, False, frozenset(slots), inferred=True)
    return None


def _likely(
    reading: Reading, titles: Sequence[SlotValue], words: Sequence[str], chance: float, none: float, *, own: bool
) -> bool:
    """``own``: the titles are of the member's short lists; of all others something sounds like anything."""
    if not titles:
        heard = reading.confidence >= UNTITLED_CONFIDENCE
        return heard and chance >= UNTITLED_CHANCE and chance >= UNTITLED_AGAINST_NONE * none
    if reading.meaning.intent == ANSWER:
        return len(words) <= AROUND_AN_ANSWER + sum(len(title.label.split()) for title in titles)
    return chance >= CHANCE and chance >= (AGAINST_NONE if own else UNTITLED_AGAINST_NONE) * none


def _counted(slots: Mapping[str, SlotValue], words: Sequence[str], grammar: StateGrammar) -> bool:
    """Whether whatever is no title is said in the transcript, too: numbers and days are heard in any noise."""
    wanted = {name: value for name, value in slots.items() if not isinstance(grammar.slots.get(name), TitleSlot)}
    if not wanted:
        return True
    said = other_values(words, (), grammar)
    return all(any(found.values.get(name) == value for found in said) for name, value in wanted.items())


def _echoed(titles: Sequence[SlotValue], words: Sequence[str], grammar: StateGrammar) -> bool:
    """Whether each title has words of the transcript to itself that are like it, and no mere words of requests."""
    free = [True] * len(words)
    for title in titles:
        best, start, end = max(_windows(title, words, free, grammar), default=(0.0, 0, 0))
        if best < ECHO:
            return False
        free[start:end] = [False] * (end - start)
    return True


def _windows(
    title: SlotValue, words: Sequence[str], free: Sequence[bool], grammar: StateGrammar
) -> Iterator[tuple[float, int, int]]:
    """How like the title each run of about as many words is."""
    key = " ".join(fold(title.label, grammar.language))
    heard, size = sound(key, grammar.language), key.count(" ") + 1
    for length in range(max(1, size - 1), size + 2):
        for at in range(len(words) - length + 1):
            window = words[at : at + length]
            if all(free[at : at + length]) and not grammar.concepts.carriers.issuperset(window):
                text = " ".join(window)
                sounds = fuzz.ratio(heard, passing_sound(text, grammar.language))
                yield blend(fuzz.ratio(key, text), sounds), at, at + length
