"""The taught vocabulary: the words of a training set, and what of them a misheard word may have been."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rapidfuzz import fuzz, process

from ivr.dialogue.spoken.similarity import blend, sound

LONGEST_RUN = 3  # words that may have been run together
ALIKE = 74.0  # from here on, 0..100, by letters and sound, a word that nobody taught may be one that was
_FAINT = 55.0  # less alike by letters: not looked at
_SHORTEST = 4  # letters: shorter words sound like too much
_MOST_KEPT = 1000


@dataclass(frozen=True, eq=False)
class Taught:
    """``known``: every word of every sentence; ``runs``: up to three words in a row of those of intents."""

    language: str
    known: frozenset[str]
    runs: tuple[str, ...]
    _joined: list[str] = field(default_factory=list)
    _runs: set[str] = field(default_factory=set)
    _found: dict[str, tuple[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, language: str, meant: Iterable[Sequence[str]], others: Iterable[Sequence[str]]) -> Taught:
        """``meant``: sentences of intents, ``others``: of the background."""
        known: set[str] = set()
        runs: dict[str, None] = {}
        for words in meant:
            known.update(words)
            for size in range(1, LONGEST_RUN + 1):
                runs.update((" ".join(words[at : at + size]), None) for at in range(len(words) - size + 1))
        for words in others:
            known.update(words)
        return cls(language, frozenset(known), tuple(sorted(runs)))

    def has(self, words: Sequence[str]) -> bool:
        """Whether somebody taught these words, up to three, in a row, of an intent."""
        if not self._runs:
            self._runs.update(self.runs)
        return " ".join(words) in self._runs

    def nearest(self, word: str) -> tuple[str, float]:
        """The run of words that ``word`` may have been, and how alike they are, 0..1; ("", 0) where there is none."""
        if word in self.known or len(word) < _SHORTEST or not word.isalpha():
            return "", 0.0
        if word not in self._found:
            if len(self._found) >= _MOST_KEPT:
                self._found.clear()
            self._found[word] = self._nearest(word)
        return self._found[word]

    def _nearest(self, word: str) -> tuple[str, float]:
        if not self._joined:
            self._joined.extend(run.replace(" ", "") for run in self.runs)
        heard = sound(word, self.language)
        best, likest = 0.0, -1
        for text, letters, at in process.extract(
            word, self._joined, scorer=fuzz.ratio, score_cutoff=_FAINT, limit=None
        ):
            like = blend(letters, fuzz.ratio(heard, sound(text, self.language)))
            if like > best:
                best, likest = like, at
        return (self.runs[likest], round(best / 100, 3)) if best >= ALIKE else ("", 0.0)
