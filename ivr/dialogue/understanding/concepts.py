"""Concepts: what single words of a request mean, in a language and in one company's use of it ("bump" is MOVE).

Only ever used for sentences that no phrase of the flow covers, and whatever is understood this way is heard with doubt.
Three kinds of knowledge meet here: the language's words and what recognisers habitually write for a word (``concepts``
and ``misheard`` in ``spoken/english.yaml``), and the company's words (``concepts:`` in its flow files).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache

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
    left, changed, spoken = tuple(words), True, words_for(language)
    while changed:
        changed = False
        for lead in _split(spoken.leads):
            if len(left) > len(lead) and left[: len(lead)] == lead:
                left, changed = left[len(lead) :], True
        for trail in _split(spoken.trails):
            if len(left) > len(trail) and left[-len(trail) :] == trail:
                left, changed = left[: -len(trail)], True
    return left


@cache
def _split(phrases: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(phrase.split()) for phrase in phrases)
