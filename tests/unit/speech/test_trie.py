"""The lattice and the beam along it, against a scorer whose every probability the test knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.ports import DigitRun
from ivr.speech.trie import DIGITS, Lattice, Path, Tokens, search

VOCABULARY = 400
END = 2


class Letters:
    """A token a character: "▁" marks a word's start."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}

    def _id(self, character: str) -> int:
        return self.ids.setdefault(character, len(self.ids) + 3)

    def word(self, word: str) -> Tokens:
        return self.glued("_" + word)

    def glued(self, text: str) -> Tokens:
        return tuple(self._id(c) for c in text)

    def sentence(self, text: str) -> Tokens:
        return tuple(t for w in text.split() for t in self.word(w))


class Memoryless:
    """Probabilities depend only on the position: the exact best path can be computed by hand."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self.rows = rows
        self.at = 0
        self.widest = 0

    def first(self) -> NDArray[np.float32]:
        self.at = 0
        return self.rows[:1]

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> NDArray[np.float32]:
        self.at += 1
        self.widest = max(self.widest, len(tokens))
        return np.repeat(self.rows[self.at : self.at + 1], len(tokens), 0)


def favouring(tokens: Tokens, strength: float = 6.0) -> Memoryless:
    rows = np.zeros((60, VOCABULARY), np.float32)
    for i, token in enumerate((*tokens, END)):
        rows[i, token] = strength
    rows -= np.log(np.exp(rows).sum(1, keepdims=True))
    return Memoryless(rows)


def best(written: str, phrases: Sequence[str], digits: DigitRun | None = None) -> Path:
    letters = Letters()
    lattice = Lattice(letters, phrases, digits)
    return search(favouring(letters.sentence(written)), lattice, END)[0]


def test_finds_what_is_written_in_any_casing_and_punctuation() -> None:
    phrases = ("yes please", "move alien to number two", "what's next")
    for written, phrase in (
        ("yes please", 0),
        ("Yes please", 0),
        ("Move Alien to number 2", 1),
        ("Move alien to number two", 1),
        ("What's next", 2),
    ):
        assert best(written, phrases).phrase == phrase


def test_punctuation_costs_nothing_in_the_grammar() -> None:
    letters = Letters()
    lattice = Lattice(letters, ("yes please",), None)
    tokens = (*letters.word("Yes"), *letters.glued(","), *letters.word("please"), *letters.glued("."))
    path = search(favouring(tokens, 12.0), lattice, END)[0]
    assert path.length == len(tokens) + 1
    assert path.v > -0.1  # every token of it was the favoured one


def test_numbers_are_also_written_in_figures() -> None:
    phrases = ("the twenty first spot", "number twenty one", "e t", "part two")
    for written, phrase in (
        ("the 21st spot", 0),
        ("number 21", 1),
        ("ET", 2),
        ("E.T.", 2),
        ("Part II", 3),
        ("part 2", 3),
    ):
        assert best(written, phrases).phrase == phrase


def test_digit_strings() -> None:
    run = DigitRun(3, 7)
    for written, digits in (
        ("five oh one", "501"),
        ("5 0 1 9", "5019"),
        ("501", "501"),
        ("Five double two", "522"),
        ("My number is 4 1 7", "417"),
        ("triple five nine", "5559"),
    ):
        path = best(written, ("agent",), run)
        assert (path.phrase, path.digits) == (DIGITS, digits)


def test_digit_strings_keep_to_their_length() -> None:
    letters = Letters()
    lattice = Lattice(letters, (), DigitRun(4, 5))
    found = search(favouring(letters.sentence("1 2 3")), lattice, END, width=32, patience=50.0, spread=500.0)
    assert found and all(4 <= len(p.digits) <= 5 for p in found)


def test_a_phrase_beside_digits_is_still_a_phrase() -> None:
    path = best("agent", ("agent", "help"), DigitRun(3, 7))
    assert (path.phrase, path.digits) == (0, "")


def test_each_phrase_comes_once_and_best_first() -> None:
    letters = Letters()
    lattice = Lattice(letters, ("alien", "aliens", "allen"), None)
    found = search(favouring(letters.sentence("Alien")), lattice, END, patience=50.0, spread=500.0)
    assert found[0].phrase == 0
    assert len({p.phrase for p in found}) == len(found)
    assert [p.v for p in found] == sorted((p.v for p in found), reverse=True)


def test_clear_speech_keeps_the_beam_narrow() -> None:
    letters = Letters()
    phrases = [f"move {a}{b} up" for a in "abcdefgh" for b in "abcdefgh"]
    lattice = Lattice(letters, phrases, None)
    clear, dim = favouring(letters.sentence("move ca up"), 14.0), favouring(letters.sentence("move ca up"), 0.5)
    search(clear, lattice, END)
    search(dim, lattice, END)
    assert clear.widest < dim.widest == 8


def test_cancelled_in_the_middle_finds_nothing() -> None:
    letters = Letters()
    lattice = Lattice(letters, ("yes",), None)
    assert search(favouring(letters.sentence("yes")), lattice, END, cancelled=lambda: True) == []


def test_an_empty_grammar_finds_nothing() -> None:
    assert search(favouring((5,)), Lattice(Letters(), ()), END) == []


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=6, unique=True),
    st.integers(0, 2**32 - 1),
)
def test_a_wide_beam_is_exact(words: list[str], seed: int) -> None:
    """Against the score of every lower-case, unpunctuated spelling: the beam can only do better."""
    letters = Letters()
    lattice = Lattice(letters, words, None)
    raw = np.random.default_rng(seed).normal(0, 2, (60, VOCABULARY)).astype(np.float32)
    rows = raw - np.log(np.exp(raw).sum(1, keepdims=True))
    found = search(Memoryless(rows), lattice, END, width=500, patience=1e9, spread=1e9)
    by_phrase = {p.phrase: p.v for p in found}
    for index, word in enumerate(words):
        tokens = (*letters.word(word), END)
        exact = float(sum(rows[i, t] for i, t in enumerate(tokens))) / len(tokens)
        assert by_phrase[index] >= exact - 1e-4
