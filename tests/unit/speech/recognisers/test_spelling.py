"""How spoken words may be written."""

from __future__ import annotations

import pytest

from ivr.speech.recognisers.trie import digits_in, ordinal_figure, runs, spellings


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
