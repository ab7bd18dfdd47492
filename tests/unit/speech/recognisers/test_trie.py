"""Spellings; the lattice and the beam along it, against a scorer whose every probability the test knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.ports import CharacterRun
from ivr.speech.recognisers.beam import Lattice, Path, Place, Unled, search
from ivr.speech.recognisers.trie import Tokens, Tries, digits_in, in_figures, ordinal_figure, runs, spellings
from tests.unit.examples import examples

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


def made(
    letters: Letters,
    phrases: Sequence[str],
    digits: CharacterRun | None = None,
    templates: Sequence[str] = (),
    slots: Mapping[str, Sequence[str]] | None = None,
) -> Lattice:
    tries = Tries(letters)
    trunk = tries.trunk(phrases, [tuple(t.split()) for t in templates], digits)
    return Lattice(trunk, {name: tries.values(values) for name, values in (slots or {}).items()})


def best(written: str, phrases: Sequence[str], digits: CharacterRun | None = None) -> Path:
    letters = Letters()
    lattice = made(letters, phrases, digits)
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
        assert best(written, phrases).text == phrases[phrase]


def test_a_path_keeps_its_tokens() -> None:
    letters = Letters()
    said = letters.sentence("Remove alien")
    whole = search(favouring(said), made(letters, ("remove alien", "remove aliens")), END)[0]
    assert (whole.tokens, whole.length) == (said, len(said) + 1)


@pytest.mark.parametrize(
    ("phrase", "written"),
    [
        ("move alien to number three", "move alien to number 3"),
        ("until july the twenty first", "until july the 21st"),
        ("forty two to the eighteenth", "42 to the 18th"),
        ("twenty", "20"),
        ("what's next", "what's next"),
    ],
)
def test_numbers_as_they_are_written(phrase: str, written: str) -> None:
    assert in_figures(phrase) == written


def test_punctuation_costs_nothing_in_the_grammar() -> None:
    letters = Letters()
    lattice = made(letters, ("yes please",))
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
        assert best(written, phrases).text == phrases[phrase]


def test_codes() -> None:
    letter, digit = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
    run = CharacterRun(4, 4, ((letter, letter, digit, digit),))
    for written, code in (
        ("B K 1 2", "BK12"),
        ("BK12", "BK12"),
        ("bravo Kilo one two", "BK12"),
        ("B as in boy K for kilo double one", "BK11"),
        ("double b 1 2", "BB12"),
        ("My number is B-K, 1-2", "BK12"),
    ):
        path = best(written, ("agent",), run)
        assert (path.text, path.ending.words) == (code, ""), written
    lattice = made(Letters(), ("agent",), run)
    assert not any(path.text == "12BK" for path in search(favouring(Letters().sentence("1 2 B K")), lattice, END))


def test_digit_strings() -> None:
    run = CharacterRun(3, 7)
    for written, digits in (
        ("five oh one", "501"),
        ("5 0 1 9", "5019"),
        ("501", "501"),
        ("Five double two", "522"),
        ("My number is 4 1 7", "417"),
        ("triple five nine", "5559"),
    ):
        path = best(written, ("agent",), run)
        assert path.ending.digits and path.text == digits


def test_digit_strings_keep_to_their_length() -> None:
    letters = Letters()
    lattice = made(letters, (), CharacterRun(4, 5))
    found = search(favouring(letters.sentence("1 2 3")), lattice, END, width=32, patience=50.0, spread=500.0)
    assert found and all(4 <= len(p.text) <= 5 for p in found)


def test_a_phrase_beside_digits_is_still_a_phrase() -> None:
    path = best("agent", ("agent", "help"), CharacterRun(3, 7))
    assert not path.ending.digits and path.text == "agent"


def test_each_phrase_comes_once_and_best_first() -> None:
    letters = Letters()
    lattice = made(letters, ("alien", "aliens", "allen"))
    found = search(favouring(letters.sentence("Alien")), lattice, END, patience=50.0, spread=500.0)
    assert found[0].text == "alien"
    assert len({p.text for p in found}) == len(found)
    assert [p.v for p in found] == sorted((p.v for p in found), reverse=True)


def test_clear_speech_keeps_the_beam_narrow() -> None:
    letters = Letters()
    phrases = [f"move {a}{b} up" for a in "abcdefgh" for b in "abcdefgh"]
    lattice = made(letters, phrases)
    clear, dim = favouring(letters.sentence("move ca up"), 14.0), favouring(letters.sentence("move ca up"), 0.5)
    search(clear, lattice, END)
    search(dim, lattice, END)
    assert clear.widest < dim.widest == 8


def test_what_sounds_right_is_not_lost_on_words_that_nobody_would_write() -> None:
    """Nine beginnings that are written often outdo it at first; what comes then speaks for it."""
    letters = Letters()
    usual = [f"{first}ummm" for first in "abcdefghi"]
    lattice = made(letters, [*usual, "zebra"])
    heard, unheard = favouring(letters.sentence("zebra"), 9.0), Memoryless(np.zeros((60, VOCABULARY), np.float32))
    for first in "abcdefghi":
        heard.rows[1, letters.glued(first)[0]] = 2.0
        unheard.rows[1, letters.glued(first)[0]] = 3.0
    heard.rows[1, letters.glued("z")[0]] = 1.0
    assert "zebra" not in [path.text for path in search(heard, lattice, END)]
    found = search(Unled(heard, unheard, 0.5), lattice, END)
    assert found[0].text == "zebra"


def test_cancelled_in_the_middle_finds_nothing() -> None:
    letters = Letters()
    lattice = made(letters, ("yes",))
    assert search(favouring(letters.sentence("yes")), lattice, END, cancelled=lambda: True) == []


def test_an_empty_grammar_finds_nothing() -> None:
    assert search(favouring((5,)), made(Letters(), ()), END) == []


@examples(100)
@given(
    st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=6, unique=True),
    st.integers(0, 2**32 - 1),
)
def test_a_wide_beam_is_exact(words: list[str], seed: int) -> None:
    """Against the score of every lower-case, unpunctuated spelling: the beam can only do better."""
    letters = Letters()
    lattice = made(letters, words)
    raw = np.random.default_rng(seed).normal(0, 2, (60, VOCABULARY)).astype(np.float32)
    rows = raw - np.log(np.exp(raw).sum(1, keepdims=True))
    found = search(Memoryless(rows), lattice, END, width=500, patience=1e9, spread=1e9)
    by_phrase = {p.text: p.v for p in found}
    for word in words:
        tokens = (*letters.word(word), END)
        exact = float(sum(rows[i, t] for i, t in enumerate(tokens))) / len(tokens)
        assert by_phrase[word] >= exact - 1e-4


# -- templates ------------------------------------------------------------------------------------------------

TITLES = ("alien", "alien three", "e t", "the general", "north by northwest")


def accepted(lattice: Lattice, tokens: Tokens) -> bool:
    """Whether some path takes exactly these tokens and may end there."""
    places = {lattice.root}
    for token in tokens:
        following = set()
        for place in places:
            state = lattice.opened(place)
            following |= {lattice.place(*c) for t, c in zip(state.tokens, state.children, strict=True) if t == token}
        places = following
    return any(lattice.opened(place).ends for place in places)


def everything(lattice: Lattice, longest: int) -> set[str]:
    """The texts of all paths, by walking the whole lattice; repeated values left out as the beam leaves them out."""
    found: set[str] = set()
    live: set[tuple[Place, tuple[str, ...]]] = {(lattice.root, ())}
    for _ in range(longest):
        following: set[tuple[Place, tuple[str, ...]]] = set()
        for place, emitted in live:
            state = lattice.opened(place)
            for ending, more in state.ends:
                if not ending.repeats((*emitted, *more)):
                    found.add(ending.text((*emitted, *more)))
            for child, more in zip(state.children, state.emits, strict=True):
                following.add((lattice.place(*child), (*emitted, *more)))
        live = following
    assert not live, "longest is too short"
    return found


def test_a_template_takes_every_value_in_every_spelling() -> None:
    letters = Letters()
    lattice = made(
        letters,
        ("what's next",),
        templates=("move {title} to number {n}", "put {title} before {other}", "{title} first"),
        slots={"title": TITLES, "other": TITLES, "n": ("two", "twenty one")},
    )
    for written, text, values in (
        ("move alien to number two", "move alien to number two", ("alien", "two")),
        ("Move Alien 3 to number 21", "move alien three to number twenty one", ("alien three", "twenty one")),
        ("Put ET before The General", "put e t before the general", ("e t", "the general")),
        ("E.T. first", "e t first", ("e t",)),
        ("What's next", "what's next", ()),
    ):
        path = search(favouring(letters.sentence(written)), lattice, END)[0]
        assert (path.text, path.emitted) == (text, values)


def test_punctuation_between_values_and_words_costs_nothing() -> None:
    letters = Letters()
    lattice = made(letters, (), templates=("put {title} before {title2}",), slots={"title": TITLES, "title2": TITLES})
    tokens = letters.sentence("Put Alien") + letters.glued(",") + letters.sentence("before the General")
    assert accepted(lattice, tokens) and accepted(lattice, tokens + letters.glued("?"))
    assert not accepted(lattice, letters.sentence("Put Alien") + letters.glued(",") + letters.glued(","))


def test_no_title_goes_before_itself() -> None:
    letters = Letters()
    lattice = made(letters, (), templates=("{a} before {b}",), slots={"a": TITLES, "b": TITLES})
    found = search(favouring(letters.sentence("alien before alien")), lattice, END, patience=50.0, spread=500.0)
    assert found and all(p.emitted[0] != p.emitted[1] for p in found)


def test_a_slot_without_values_says_nothing() -> None:
    letters = Letters()
    lattice = made(letters, ("stop",), templates=("{disc} is cracked", "my {title}"), slots={"title": ("alien",)})
    assert everything(lattice, 40) == {"stop", "my alien"}


def test_only_what_is_visited_is_made_and_goes_with_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand values times a thousand: one sentence looks at a few dozen places."""
    letters = Letters()
    names = [f"{a}{b}{c}" for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyzabcd"]
    lattice = made(letters, (), templates=("put {a} before {b}",), slots={"a": names, "b": names})
    searched = lattice.unvisited()
    monkeypatch.setattr(lattice, "unvisited", lambda: searched)
    assert search(favouring(letters.sentence("Put aku before jtd"), 14.0), lattice, END)[0].text == "put aku before jtd"
    assert 10 < len(searched._places) < 500
    assert len(lattice._places) == 1, "what stays is the root"


WORDS = st.sampled_from(["a", "b", "ab", "two", "twenty", "one"])
SAID = st.lists(WORDS, min_size=1, max_size=2).map(" ".join)


@examples(60)
@given(
    st.lists(SAID, max_size=3, unique=True),
    st.lists(st.lists(st.one_of(WORDS, st.sampled_from(["{x}", "{y}"])), min_size=1, max_size=3), max_size=3),
    st.lists(SAID, max_size=3, unique=True),
    st.lists(SAID, max_size=3, unique=True),
)
def test_a_lattice_is_the_product_and_nothing_else(
    phrases: list[str], drawn: list[list[str]], xs: list[str], ys: list[str]
) -> None:
    templates = [t for t in drawn if t.count("{x}") < 2 and t.count("{y}") < 2]
    expected, slots = set(phrases), {"{x}": xs, "{y}": ys}
    for template in templates:
        for words in product(*(slots.get(piece, [piece]) for piece in template)):
            chosen = [word for word, piece in zip(words, template, strict=True) if piece in slots]
            if len(set(chosen)) == len(chosen):
                expected.add(" ".join(words))
    letters = Letters()
    lattice = made(letters, phrases, None, [" ".join(t) for t in templates], {"x": xs, "y": ys})
    assert everything(lattice, 80) == expected
    assert all(accepted(lattice, letters.sentence(text)) for text in expected)


@pytest.mark.parametrize(
    ("word", "form"),
    [("two", "2"), ("second", "2nd"), ("dr", "Dr."), ("dvd", "DVD"), ("2", "two"), ("spider-man", "Spider-Man")],
)
def test_other_spellings(word: str, form: str) -> None:
    assert form in spellings(word)
    assert spellings(word)[0] == word


def test_ordinals() -> None:
    assert [ordinal_figure(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]
    )


def test_runs_of_words_written_as_one() -> None:
    assert (1, 3, "21") in set(runs(["number", "twenty", "one"]))
    assert (0, 2, "E.T.") in set(runs(["e", "t"]))
    assert (0, 2, "Spider-Man") in set(runs(["spider", "man"]))


@pytest.mark.parametrize(
    ("text", "digits", "alone"),
    [
        ("Eight double two, 7.", "8227", True),
        ("My number is 417290.", "417290", True),
        ("Two to five, five", "255", False),
        ("Oh, one nine", "019", True),
        ("The weather is lovely", "", False),
        ("One for the road", "1", False),
    ],
)
def test_digits_in_a_transcript(text: str, digits: str, alone: bool) -> None:
    assert digits_in(text) == (digits, alone)
