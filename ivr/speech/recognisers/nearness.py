"""Which phrases of a grammar are near to a free transcript, by letters and by sound. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import jellyfish
import numpy as np
from rapidfuzz import fuzz, process

from ivr.dialogue.understanding.grammar import Pieces, filled, slot_name, slot_names

_FEW = 5  # values of a slot that are tried in its templates
_FAINT = 40.0  # a value less like anything that was heard isn't
_TEENS = ("thir", "four", "fif", "six", "seven", "eigh", "nine")
_DECADES = {
    one: other
    for stem in _TEENS
    for teen, ten in ((f"{stem}teen", f"{stem.replace('four', 'for')}ty"),)
    for one, other in (
        (teen, ten),
        (ten, teen),
        (f"{teen}th", f"{ten[:-1]}ieth"),
        (f"{ten[:-1]}ieth", f"{teen}th"),
    )
}
_WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def plain(text: str) -> str:
    """Lower-case words without punctuation."""
    return " ".join(_WORDS.findall(text.lower()))


@lru_cache(maxsize=50_000)
def _sound(word: str) -> str:
    return str(jellyfish.metaphone(word)) or word


def sound(text: str) -> str:
    """``text`` as its consonants sound (Metaphone), spaces dropped: word boundaries are what gets misheard."""
    return "".join(_sound(w) for w in text.split())


class Spoken:
    """An index over the phrases of a grammar, or over the values of one slot."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self.phrases = phrases
        self._longest = max((p.count(" ") + 1 for p in phrases), default=0)
        self._known = frozenset(phrases)
        self._sounds = [sound(p) for p in phrases]

    @cached_property
    def _by_sound(self) -> dict[str, set[str]]:
        made: dict[str, set[str]] = {}
        for phrase, heard in zip(self.phrases, self._sounds, strict=True):
            made.setdefault(heard, set()).add(phrase)
        return made

    def nearest(self, text: str, count: int) -> dict[str, float]:
        """The phrases nearest to the whole of ``text`` (0..100, the better of letters and sound), best first."""
        scores: dict[str, float] = {}
        for query, choices in ((text, self.phrases), (sound(text), self._sounds)):
            for _, score, index in process.extract(query, choices, scorer=fuzz.ratio, limit=count):
                phrase = self.phrases[index]
                scores[phrase] = max(score, scores.get(phrase, 0.0))
        return dict(sorted(scores.items(), key=lambda item: -item[1])[:count])

    def within(self, words: Sequence[str], count: int) -> list[str]:
        """The phrases that some run of ``words`` is nearest to, best first."""
        if not self.phrases or not words:
            return []
        n = len(words)
        said = [" ".join(words[i:j]) for i in range(n) for j in range(i + 1, min(n, i + self._longest + 1) + 1)]
        heard = list(dict.fromkeys(sound(run) for run in said))
        letters = process.cdist(list(dict.fromkeys(said)), self.phrases, scorer=fuzz.ratio, score_cutoff=_FAINT)
        sounds = process.cdist(heard, self._sounds, scorer=fuzz.ratio, score_cutoff=_FAINT)
        best = np.maximum(letters.max(0), sounds.max(0))
        return [self.phrases[i] for i in np.argsort(-best, kind="stable")[:count] if best[i] > 0]

    def twin(self, phrase: str) -> bool:
        """Whether another one sounds the same but for a plural, a "two" (Alien and Aliens, Toy Story and Toy Story Two)
        or a "teen" (thirty and thirteen): no recogniser tells those apart over a telephone, whatever its score."""
        if self._by_sound.get(sound(phrase), {phrase}) != {phrase}:
            return True
        words = phrase.split()
        for i, word in enumerate(words):
            others = [[f"{word}s"], [word, "two"], [word, "too"]]
            if len(word) > 2 and word.endswith("s"):
                others.append([word[:-1]])
            if word in ("two", "too") and i:
                others.append([])
            if word in _DECADES:
                others.append([_DECADES[word]])
            if any(" ".join([*words[:i], *other, *words[i + 1 :]]) in self._known for other in others):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Near:
    """A phrase, and the template and values that it came from, if any."""

    text: str
    template: Pieces = ()
    values: tuple[str, ...] = ()


class Nearness:
    """What of a grammar is near to a free transcript, and what has a twin. ``slots``: each slot's values."""

    def __init__(
        self, phrases: Sequence[str], templates: Sequence[Pieces] = (), slots: Mapping[str, Spoken] | None = None
    ) -> None:
        self._phrases = Spoken(phrases)
        self._slots = {name: values for name, values in (slots or {}).items() if values.phrases}
        self._known = frozenset(templates)
        self._templates = [t for t in templates if all(name in self._slots for name in slot_names(t))]
        self._literal = Spoken([" ".join(t) for t in templates])

    def nearest(self, transcript: str, count: int) -> list[Near]:
        """The ``count`` nearest phrases, best of both measures first."""
        text = plain(transcript)
        if not text:
            return []
        scores = self._phrases.nearest(text, count)
        filled_in = self._likely(text.split())
        for phrase, score in Spoken(list(filled_in)).nearest(text, count).items():
            scores[phrase] = max(score, scores.get(phrase, 0.0))
        best = sorted(scores, key=lambda phrase: -scores[phrase])[:count]
        return [filled_in.get(phrase) or Near(phrase) for phrase in best]

    def _likely(self, words: Sequence[str]) -> dict[str, Near]:
        """The templates, filled with the few values of each slot that the words are nearest to."""
        few: dict[int, list[str]] = {}
        for values in self._slots.values():  # slots that take the same share the work
            if id(values) not in few:
                few[id(values)] = values.within(words, _FEW)
        made: dict[str, Near] = {}
        for template in self._templates:
            for chosen in product(*(few[id(self._slots[name])] for name in slot_names(template))):
                if len(set(chosen)) == len(chosen):
                    text = filled(template, chosen)
                    made.setdefault(text, Near(text, template, chosen))
        return made

    def twin(self, phrase: str) -> bool:
        """Of one of the plain phrases."""
        return self._phrases.twin(phrase)

    def twins(self, template: Pieces, chosen: Sequence[str]) -> bool:
        """Of a filled template: by its own words, or by a value of what may stand in the same place."""
        if self._literal.twin(" ".join(template)):
            return True
        following = iter(chosen)
        for i, piece in enumerate(template):
            if slot_name(piece) is not None:
                value = next(following)
                for name, values in self._slots.items():
                    here = (*template[:i], f"{{{name}}}", *template[i + 1 :])
                    if here in self._known and values.twin(value):
                        return True
        return False


def likeness(transcript: str, phrase: str) -> float:
    """0..1: how much of ``phrase`` the free transcript holds, by letters or by sound."""
    text = plain(transcript)
    return max(fuzz.ratio(text, phrase), fuzz.ratio(sound(text), sound(phrase))) / 100.0
