"""WordPiece: a sentence as the token numbers of an uncased BERT vocabulary (Wu et al. 2016, section 4.1)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

LONGEST_WORD = 100  # characters; a longer one is unknown


class WordPieces:
    """``vocabulary``: the tokens in order of their numbers; continuations begin with "##"."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._numbers: Mapping[str, int] = {token: number for number, token in enumerate(vocabulary)}
        self._begin, self._end, self._unknown = (self._numbers[mark] for mark in ("[CLS]", "[SEP]", "[UNK]"))
        self._of = lru_cache(maxsize=4096)(self._pieces)

    def __call__(self, text: str, longest: int) -> list[int]:
        """At most ``longest`` numbers, the marks of beginning and end among them."""
        pieces = [number for word in _words(text) for number in self._of(word)]
        return [self._begin, *pieces[: longest - 2], self._end]

    def _pieces(self, word: str) -> tuple[int, ...]:
        found: list[int] = []
        at = 0
        while at < len(word):
            before = "##" if at else ""
            ends = range(len(word), at, -1) if len(word) <= LONGEST_WORD else ()
            end = next((end for end in ends if before + word[at:end] in self._numbers), 0)
            if not end:
                return (self._unknown,)
            found.append(self._numbers[before + word[at:end]])
            at = end
        return tuple(found)


def _words(text: str) -> list[str]:
    """Lower case, without accents; punctuation marks are words of their own."""
    plain = (c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
    return "".join(c if c.isalnum() or c.isspace() else f" {c} " for c in plain).split()
