"""Which phrases of a grammar are near to a free transcript, by letters and by sound. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import jellyfish
from rapidfuzz import fuzz, process

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


class Nearness:
    """An index over one grammar's phrases."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self._phrases = phrases
        self._sounds = [sound(p) for p in phrases]
        self._known = frozenset(phrases)
        self._same = Counter(self._sounds)

    def nearest(self, transcript: str, count: int) -> list[int]:
        """Indices of the ``count`` nearest phrases, best of both measures first."""
        text = plain(transcript)
        if not text or not self._phrases:
            return []
        scores: dict[int, float] = {}
        for query, choices in ((text, self._phrases), (sound(text), self._sounds)):
            for _, score, index in process.extract(query, choices, scorer=fuzz.ratio, limit=count):
                scores[index] = max(score, scores.get(index, 0.0))
        return sorted(scores, key=lambda i: -scores[i])[:count]

    def twin(self, index: int) -> bool:
        """Whether another phrase sounds the same but for a plural or a "two" (Alien and Aliens, Toy Story and Toy Story
        Two): no recogniser tells those apart over a telephone, whatever its score."""
        if self._same[self._sounds[index]] > 1:
            return True
        words = self._phrases[index].split()
        for i, word in enumerate(words):
            others = [[f"{word}s"], [word, "two"], [word, "too"]]
            if len(word) > 2 and word.endswith("s"):
                others.append([word[:-1]])
            if word in ("two", "too") and i:
                others.append([])
            if any(" ".join([*words[:i], *other, *words[i + 1 :]]) in self._known for other in others):
                return True
        return False


def likeness(transcript: str, phrase: str) -> float:
    """0..1: how much of ``phrase`` the free transcript holds, by letters or by sound."""
    text = plain(transcript)
    return max(fuzz.ratio(text, phrase), fuzz.ratio(sound(text), sound(phrase))) / 100.0
