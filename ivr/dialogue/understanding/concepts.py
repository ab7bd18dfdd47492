"""Concepts: what a single word of a request means, in a language and in one company's use of it ("bump" is MOVE).

They serve sentences that no phrase of the flow covers, and whatever is understood so is heard with doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold

FILLER = "filler"  # the company's words that ask for nothing: "the movie Vertigo" is Vertigo


class Concepts:
    """``own``: a company's words by the name of what they mean. Where a language's concept has that name they add to
    it, and where a word has a meaning already theirs wins."""

    def __init__(self, language: str, own: Mapping[str, Sequence[str]] | None = None) -> None:
        spoken = words_for(language)
        theirs = {name: [w for text in texts for w in fold(text, language)] for name, texts in (own or {}).items()}
        fillers = theirs.pop(FILLER, [])
        self.noun = fillers[0] if fillers else ""  # what the company calls its titles
        self._known = {word: name for name, words in spoken.concepts.items() for word in words.split()}
        self._known.update((word, name.upper()) for name, words in theirs.items() for word in words)
        for heard, meant in spoken.misheard.items():
            self._known.setdefault(heard, self._known.get(meant, meant))
        self.empty = spoken.function_words | spoken.fillers | frozenset(fillers)
        self.carriers = self.empty | frozenset(self._known)  # no title, heard with doubt, begins or ends with one

    def of(self, word: str) -> str:
        """ "bump" -> "MOVE"; "" for empty words; any other word stands for itself."""
        return self._known.get(word) or ("" if word in self.empty else word)

    def sequence(self, words: Iterable[str]) -> tuple[str, ...]:
        """Concepts in order, neighbours not repeated ("to the front, first"). "<…>" marks a slot, and is kept."""
        found: list[str] = []
        for word in words:
            meant = word if word.startswith("<") else self.of(word)
            if meant and (not found or found[-1] != meant or meant.startswith("<")):
                found.append(meant)
        return tuple(found)


@lru_cache(maxsize=8)
def concepts_of(language: str) -> Concepts:
    """The language's alone."""
    return Concepts(language)


def renumbered(words: Sequence[str], language: str) -> tuple[str, ...]:
    """ "number to" -> "number two": words that sound like numbers, right after a word that wants one."""
    spoken = words_for(language)
    return tuple(
        spoken.homophones.get(word, word) if at and words[at - 1] in spoken.places else word
        for at, word in enumerate(words)
    )


def negated(words: Iterable[str], language: str) -> bool:
    return not words_for(language).negations.isdisjoint(words)


def without_politeness(words: Sequence[str], language: str) -> tuple[str, ...]:
    """Leading and trailing politeness taken off; never everything."""
    left, before, spoken = tuple(words), None, words_for(language)
    while left != before:
        before = left
        for lead in spoken.leads:
            if len(left) > len(lead) and left[: len(lead)] == lead:
                left = left[len(lead) :]
        for trail in spoken.trails:
            if len(left) > len(trail) and left[-len(trail) :] == trail:
                left = left[: -len(trail)]
    return left
