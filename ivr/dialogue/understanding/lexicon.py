"""The words of a vocabulary: every way its terms are said, looked up exactly, by likeness and by sound."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import jellyfish
import numpy as np
from rapidfuzz import fuzz, process

from ivr.dialogue.spoken.numerals import number_of
from ivr.dialogue.spoken.values import fold, speech_form, tongue
from ivr.events import Term

NEAR = 86.0  # two terms at least this alike (0..100) are a minimal pair: always confirmed
ALIKE = 72.0  # a window of words at least this alike is taken for a term, with doubt
MANGLED = 64.0  # and this much in a short list
SHORT_LIST = 60  # terms
_BRACKETS = re.compile(r"\s*[(\[].*?[)\]]")
_ARTICLES = {
    "en": frozenset({"the", "a", "an"}),
    "es": frozenset({"el", "la", "los", "las", "un", "una"}),
}


@dataclass(frozen=True, slots=True)
class Spot:
    """Words ``start``..``end`` sound like ``term``; ``score`` is 0..100. ``rivals`` were nearly as good."""

    start: int
    end: int
    term: Term
    score: float
    rivals: tuple[Term, ...] = ()


class Lexicon:
    """One vocabulary in one language. Built once for a tuple of terms (see ``lexicon``), then shared."""

    def __init__(self, terms: tuple[Term, ...], language: str) -> None:
        self.terms = terms
        self.language = language
        self.forms: dict[str, tuple[Term, ...]] = {}
        self.primary: list[tuple[str, Term]] = []
        self.other: list[tuple[str, Term]] = []
        short: dict[str, list[Term]] = {}
        for term in terms:
            for place, form in enumerate(_ways(term, language)):
                key = " ".join(fold(form, language))
                if not key:
                    continue
                known = self.forms.get(key, ())
                if all(other.id != term.id for other in known):
                    self.forms[key] = (*known, term)
                    (self.other if place else self.primary).append((form, term))
            head, colon, _ = term.label.partition(": ")
            if colon:
                short.setdefault(" ".join(fold(head, language)), []).append(term)
        for key, owners in short.items():
            if len(owners) == 1 and key and key not in self.forms:
                self.forms[key] = (owners[0],)
                self.other.append((key, owners[0]))
        self.by_id = {term.id: term for term in terms}
        self.longest = max((key.count(" ") + 1 for key in self.forms), default=0)
        self.first_words = frozenset(key.partition(" ")[0] for key in self.forms)

    @cached_property
    def keys(self) -> list[str]:
        return list(self.forms)

    @cached_property
    def sounds(self) -> list[str]:
        return [sound(key) for key in self.keys]

    @cached_property
    def _near(self) -> dict[str, bool]:
        return {}

    def near(self, term: Term) -> bool:
        """Whether another term could be taken for this one (Alien, Aliens; Toy Story, Toy Story Two)."""
        if term.id not in self._near:
            self._near[term.id] = any(
                self._rival(term, key) for key, owners in self.forms.items() if any(o.id == term.id for o in owners)
            )
        return self._near[term.id]

    def _rival(self, term: Term, key: str) -> bool:
        def foreign(index: int) -> bool:
            return any(owner.id != term.id for owner in self.forms[self.keys[index]])

        if any(owner.id != term.id for owner in self.forms[key]):
            return True
        if any(
            foreign(i) for _, _, i in process.extract(key, self.keys, scorer=fuzz.ratio, score_cutoff=NEAR, limit=9)
        ):
            return True
        heard = sound(key)
        if len(heard) > 1 and any(s == heard and foreign(i) for i, s in enumerate(self.sounds)):
            return True
        return any(_numbered(key, other, self.language) and foreign(i) for i, other in enumerate(self.keys))


def _ways(term: Term, language: str) -> list[str]:
    """Every way a term is said, the label's own first, as recogniser's words."""
    ways: list[str] = []
    for text in (term.label, *term.spoken):
        for form in (text, _BRACKETS.sub("", text)):
            words = speech_form(form, language)
            head, _, rest = words.partition(" ")
            for way in (words, rest if head in _ARTICLES[tongue(language)] else ""):
                if way and way not in ways:
                    ways.append(way)
    return ways


def _numbered(one: str, other: str, language: str) -> bool:
    """ "toy story" and "toy story two"; "rocky two" and "rocky three"."""
    a, b = one.split(), other.split()
    shared = 0
    while shared < min(len(a), len(b)) and a[shared] == b[shared]:
        shared += 1
    tails = (a[shared:], b[shared:])
    return shared > 0 and any(tails) and all(not t or number_of(t, language) is not None for t in tails)


@lru_cache(maxsize=32768)
def sound(words: str) -> str:
    """Metaphone of the words run together, so that a wrong word boundary doesn't matter."""
    return jellyfish.metaphone(words.replace(" ", "")) or words


@lru_cache(maxsize=256)
def lexicon(terms: tuple[Term, ...], language: str) -> Lexicon:
    return Lexicon(terms, language)


class Vocabulary:
    """What one title slot draws on: lexicons in the order they are tried."""

    def __init__(self, lexicons: Sequence[Lexicon]) -> None:
        self.lexicons = tuple(lexicons)
        self.longest = max((lex.longest for lex in self.lexicons), default=0)

    def lookup(self, key: str) -> tuple[Term, ...]:
        for lex in self.lexicons:
            if found := lex.forms.get(key):
                return found
        return ()

    def starts(self, word: str) -> bool:
        return any(word in lex.first_words for lex in self.lexicons)

    def near(self, term: Term) -> bool:
        return any(lex.near(term) for lex in self.lexicons if term.id in lex.by_id)

    def term(self, term_id: str) -> Term | None:
        return next((lex.by_id[term_id] for lex in self.lexicons if term_id in lex.by_id), None)

    def spot(self, words: Sequence[str], plain_words: frozenset[str]) -> list[Spot]:
        """Terms in free speech, left to right, none overlapping.

        ``plain_words`` are carrier words: a window of nothing else is no title unless it is one exactly, and a title
        heard with doubt neither begins nor ends with one."""
        windows = [(i, j) for i in range(len(words)) for j in range(i + 1, min(len(words), i + self.longest + 1) + 1)]
        found: list[Spot] = []
        for rank, lex in enumerate(self.lexicons):
            if lex.forms:
                found.extend(_sightings(lex, words, windows, plain_words, 100.0 - rank))
        found.sort(key=lambda s: (-(s.score + 3 * (s.end - s.start)), s.start))
        chosen: list[Spot] = []
        for spot in found:
            if all(spot.end <= other.start or spot.start >= other.end for other in chosen):
                chosen.append(spot)
        return sorted(chosen, key=lambda s: s.start)


def _enough(lex: Lexicon, key: str) -> float:
    """Short names must be said well; in a short list a long one may be mangled: little else is meant by it."""
    if len(key) <= 4:
        return 88.0
    return MANGLED if len(lex.terms) <= SHORT_LIST and len(key) >= 7 else ALIKE


def _sightings(
    lex: Lexicon,
    words: Sequence[str],
    windows: Sequence[tuple[int, int]],
    plain_words: frozenset[str],
    exactly: float,
) -> list[Spot]:
    found: list[Spot] = []
    fuzzy: list[tuple[int, int]] = []
    for i, j in windows:
        owners = lex.forms.get(" ".join(words[i:j]))
        if owners:
            found.append(Spot(i, j, owners[0], exactly, owners[1:]))
        elif words[i] not in plain_words and words[j - 1] not in plain_words:
            fuzzy.append((i, j))
    if not fuzzy:
        return found
    texts = [" ".join(words[i:j]) for i, j in fuzzy]
    spelling = process.cdist(texts, lex.keys, scorer=fuzz.ratio, score_cutoff=50)
    sounding = process.cdist([sound(t) for t in texts], lex.sounds, scorer=fuzz.ratio, score_cutoff=60)
    scores: np.ndarray = spelling * 0.55 + sounding * 0.45
    for row, (i, j) in enumerate(fuzzy):
        best = int(scores[row].argmax())
        score = float(scores[row][best])
        if score < _enough(lex, lex.keys[best]):
            continue
        term = lex.forms[lex.keys[best]][0]
        rivals = [
            owner
            for other in (scores[row] >= score - 6).nonzero()[0]
            for owner in lex.forms[lex.keys[int(other)]]
            if owner.id != term.id
        ]
        found.append(Spot(i, j, term, score * exactly / 100, tuple(dict.fromkeys(rivals))[:3]))
    return found
