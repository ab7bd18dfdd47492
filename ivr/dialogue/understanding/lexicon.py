"""Lexicons: the terms of a vocabulary, found in what was said exactly, by likeness and by sound."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TypeVar

from rapidfuzz import fuzz, process

from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold, number_of, speech_form
from ivr.dialogue.spoken.similarity import MINIMAL_PAIR, blend, minimal_pairs, sound
from ivr.events import Term

ALIKE = 72.0  # a window of words at least this alike is taken for a term, with doubt
MANGLED = 64.0  # and this much in a short list
SHORT_LIST = 60  # terms
LONG_LIST = 1000  # forms: of more only those are looked at that have a word like one that was said
_LOOKED_AT = 400  # forms for a window of words, there
_LIKE_A_WORD = 70.0  # words spelt at least this alike are looked at for each other there
_FAINT, _FAINT_SOUND = 50.0, 60.0  # less alike than this by letters, by sound: not looked at
_RIVAL = 6.0  # a term as near as this to the best was nearly it
_BRACKETS = re.compile(r"\s*[(\[].*?[)\]]")


@dataclass(frozen=True, slots=True)
class Span:
    """Words ``start``..``end`` of a sentence, and how good a find they are."""

    start: int
    end: int
    score: float


S = TypeVar("S", bound=Span)


def apart(found: Iterable[S], a_word: float) -> list[S]:
    """Of finds that overlap the best, left to right; ``a_word``: how much each word more is worth."""
    chosen: list[S] = []
    for item in sorted(found, key=lambda s: -(s.score + a_word * (s.end - s.start))):
        if all(item.end <= other.start or item.start >= other.end for other in chosen):
            chosen.append(item)
    return sorted(chosen, key=lambda s: s.start)


@dataclass(frozen=True, slots=True)
class Spot(Span):
    """What sounds like ``term``; ``score`` is 0..100. ``rivals`` were nearly as good."""

    term: Term
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
        self._near: dict[str, bool] = {}
        self.by_id = {term.id: term for term in terms}
        self.longest = max((key.count(" ") + 1 for key in self.forms), default=0)

    @cached_property
    def keys(self) -> list[str]:
        return list(self.forms)

    @cached_property
    def sounds(self) -> list[str]:
        return [sound(key, self.language) for key in self.keys]

    @cached_property
    def alike(self) -> Mapping[str, tuple[str, ...]]:
        """The forms by how they sound."""
        found: dict[str, list[str]] = {}
        for form, heard in zip(self.keys, self.sounds, strict=True):
            found.setdefault(heard, []).append(form)
        return {heard: tuple(forms) for heard, forms in found.items()}

    @cached_property
    def beginning(self) -> Mapping[str, tuple[str, ...]]:
        """The forms by their first words."""
        found: dict[str, list[str]] = {}
        for form in self.keys:
            found.setdefault(form.partition(" ")[0], []).append(form)
        return {word: tuple(forms) for word, forms in found.items()}

    @cached_property
    def having(self) -> Mapping[str, frozenset[int]]:
        """Where in ``keys`` a word stands, or two that follow each other, run together as they may be heard."""
        found: dict[str, list[int]] = {}
        for at, form in enumerate(self.keys):
            for word in _parts(form.split()):
                found.setdefault(word, []).append(at)
        return {word: frozenset(places) for word, places in found.items()}

    @cached_property
    def sounding(self) -> Mapping[str, frozenset[int]]:
        """The same by the sound of these words."""
        found: dict[str, set[int]] = {}
        for word, places in self.having.items():
            found.setdefault(sound(word, self.language), set()).update(places)
        return {heard: frozenset(places) for heard, places in found.items()}

    def prepare(self) -> None:
        """Make what is else made when first asked for: for whoever has time."""
        indexes = ("alike", "beginning", "sounding") if len(self.keys) > LONG_LIST else ("alike", "beginning")
        for index in indexes:
            getattr(self, index)

    def near(self, term: Term) -> bool:
        """Whether another term could be taken for this one (Alien, Aliens; Toy Story, Toy Story Two)."""
        if term.id not in self._near:
            self._near[term.id] = any(
                self._rival(term, key) for key, owners in self.forms.items() if any(o.id == term.id for o in owners)
            )
        return self._near[term.id]

    def _rival(self, term: Term, key: str) -> bool:
        def foreign(form: str) -> bool:
            return any(owner.id != term.id for owner in self.forms.get(form, ()))

        heard = sound(key, self.language)
        spelt = process.extract(key, self.keys, scorer=fuzz.ratio, score_cutoff=MINIMAL_PAIR, limit=9)
        return (
            foreign(key)
            or any(foreign(form) for form, _, _ in spelt)
            or any(foreign(form) for form in minimal_pairs(key, self.language))
            or any(foreign(form) for form in self.alike.get(heard, ()))
            or any(
                _numbered(key, other, self.language) and foreign(other)
                for other in self.beginning.get(key.partition(" ")[0], ())
            )
        )


def _parts(words: Sequence[str]) -> Iterator[str]:
    """The words, and each two that follow each other as one: where one ends is what gets misheard."""
    yield from words
    yield from (one + other for one, other in pairwise(words))


def _ways(term: Term, language: str) -> list[str]:
    """Every way a term is said, the label's own first, as recogniser's words."""
    ways: list[str] = []
    articles = words_for(language).articles
    for text in (term.label, *term.spoken):
        for form in (text, _BRACKETS.sub("", text)):
            words = speech_form(form, language)
            head, _, rest = words.partition(" ")
            for way in (words, rest if head in articles else ""):
                if way and way not in ways:
                    ways.append(way)
    return [*ways, *(way for each in tuple(ways) for way in _counted(each, language) if way not in ways)]


def _counted(way: str, language: str) -> Iterator[str]:
    """ "toy story two" -> "toy story number two", "toy story part two"."""
    head, _, last = way.rpartition(" ")
    if head and number_of([last], language) is not None and head.rpartition(" ")[2] not in words_for(language).parts:
        yield from (f"{head} {part} {last}" for part in words_for(language).sequels)


def _numbered(one: str, other: str, language: str) -> bool:
    """ "toy story" and "toy story two"; "rocky two" and "rocky three"."""
    a, b = one.split(), other.split()
    shared = 0
    while shared < min(len(a), len(b)) and a[shared] == b[shared]:
        shared += 1
    tails = (a[shared:], b[shared:])
    return shared > 0 and any(tails) and all(not t or number_of(t, language) is not None for t in tails)


@lru_cache(maxsize=256)
def lexicon(terms: tuple[Term, ...], language: str) -> Lexicon:
    return Lexicon(terms, language)


class Vocabulary:
    """What one title slot draws on: lexicons in the order they are tried."""

    def __init__(self, lexicons: Sequence[Lexicon]) -> None:
        self.lexicons = tuple(lexicons)
        self.longest = max((lex.longest for lex in self.lexicons), default=0)
        self.parts = frozenset[str]().union(*(words_for(lex.language).parts for lex in self.lexicons))

    def lookup(self, key: str) -> tuple[Term, ...]:
        for lex in self.lexicons:
            if found := lex.forms.get(key):
                return found
        return ()

    def mistakable(self, term_id: object) -> bool:
        """Whether the term of this id could be taken for another."""
        known = (lex.by_id[term_id] for lex in self.lexicons if isinstance(term_id, str) and term_id in lex.by_id)
        return any(self.near(term) for term in known)

    def sequel(self, words: Sequence[str], at: int, end: int) -> tuple[Term, ...]:
        """What is called as the title ``at``..``end`` and the word after it, without a "number" or "part" between."""
        following = end
        while following < len(words) and words[following] in self.parts:
            following += 1
        return self.lookup(" ".join((*words[at:end], words[following]))) if following < len(words) else ()

    def starts(self, word: str) -> bool:
        return any(word in lex.beginning for lex in self.lexicons)

    def near(self, term: Term) -> bool:
        return any(lex.near(term) for lex in self.lexicons if term.id in lex.by_id)

    def spot(self, words: Sequence[str], carriers: frozenset[str]) -> list[Spot]:
        """Terms in free speech, left to right, none overlapping.

        ``carriers``: words of requests; a window of nothing else is no title unless it is one exactly, and a title
        heard with doubt neither begins nor ends with one."""
        windows = [(i, j) for i in range(len(words)) for j in range(i + 1, min(len(words), i + self.longest + 1) + 1)]
        found: list[Spot] = []
        for rank, lex in enumerate(self.lexicons):
            if lex.forms:
                found.extend(_sightings(lex, words, windows, carriers, 100.0 - rank))
        return apart(sorted(found, key=lambda s: s.start), 3)


def _enough(lex: Lexicon, key: str) -> float:
    """Short names must be said well; in a short list a long one may be mangled: little else is meant by it."""
    if len(key) <= 4:
        return 88.0
    return MANGLED if len(lex.terms) <= SHORT_LIST and len(key) >= 7 else ALIKE


def _sightings(
    lex: Lexicon, words: Sequence[str], windows: Sequence[tuple[int, int]], carriers: frozenset[str], exactly: float
) -> list[Spot]:
    found: list[Spot] = []
    likely = _Likely(lex, words) if len(lex.keys) > LONG_LIST else None
    for i, j in windows:
        text = " ".join(words[i:j])
        if owners := lex.forms.get(text):
            found.append(Spot(i, j, exactly, owners[0], owners[1:]))
        elif words[i] not in carriers and words[j - 1] not in carriers:
            among = likely.among(i, j) if likely is not None else range(len(lex.keys))
            found.extend(_likest(lex, text, i, j, exactly, among))
    return found


class _Likely:
    """Of a long list, the forms that have a word like one of a window's."""

    def __init__(self, lex: Lexicon, words: Sequence[str]) -> None:
        self._lex, self._words = lex, words
        self._known: dict[str, frozenset[int]] = {}

    def among(self, start: int, end: int) -> Sequence[int]:
        found: set[int] = set()
        for places in sorted(map(self._having, _parts(self._words[start:end])), key=len):
            if len(found) + len(places) > _LOOKED_AT and found:
                break  # the rare words of a name tell it
            found |= places
        return sorted(found)

    def _having(self, word: str) -> frozenset[int]:
        if word not in self._known:
            places = self._lex.having
            spelt = process.extract(word, places.keys(), scorer=fuzz.ratio, score_cutoff=_LIKE_A_WORD, limit=None)
            heard = self._lex.sounding.get(sound(word, self._lex.language), frozenset())
            self._known[word] = heard.union(*(places[other] for other, _, _ in spelt))
        return self._known[word]


def _likest(lex: Lexicon, text: str, start: int, end: int, exactly: float, among: Sequence[int]) -> Iterator[Spot]:
    """The term that the window is most like, if enough. (Plain lists: numpy stays out of the line's process.)"""
    heard = sound(text, lex.language)
    keys = lex.keys if len(among) == len(lex.keys) else [lex.keys[at] for at in among]
    scores = [
        (blend(letters, sounds), -among[at])
        for _, letters, at in process.extract(text, keys, scorer=fuzz.ratio, score_cutoff=_FAINT, limit=None)
        if (sounds := fuzz.ratio(heard, lex.sounds[among[at]], score_cutoff=_FAINT_SOUND))
    ]
    best, nearest = max(scores, default=(0.0, 0))
    if not scores or best < _enough(lex, lex.keys[-nearest]):
        return
    term = lex.forms[lex.keys[-nearest]][0]
    close = sorted(-at for score, at in scores if score >= best - _RIVAL)
    rivals = [owner for at in close for owner in lex.forms[lex.keys[at]] if owner.id != term.id]
    yield Spot(start, end, best * exactly / 100, term, tuple(dict.fromkeys(rivals))[:3])
