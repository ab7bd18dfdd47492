"""How titles are said."""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.reference.backend import Title
from ivr.reference.titles import MOST_FORMS, in_pairs, plain, spoken_forms, terms, without_article


@pytest.mark.parametrize(
    ("name", "first", "also"),
    [
        ("Casablanca", "casablanca", ()),
        ("The General", "the general", ("general",)),
        ("A Night at the Opera", "a night at the opera", ("night at the opera",)),
        ("2001: A Space Odyssey", "two thousand one a space odyssey",
         ("two thousand and one", "two thousand one", "a space odyssey", "space odyssey")),
        ("12 Angry Men", "twelve angry men", ()),
        ("The 400 Blows", "the four hundred blows", ("four hundred blows",)),
        ("20,000 Leagues Under the Sea", "twenty thousand leagues under the sea", ()),
        ("101 Dalmatians", "one hundred one dalmatians", ("one hundred and one dalmatians", "one oh one dalmatians")),
        ("Fahrenheit 451", "fahrenheit four hundred fifty one", ("fahrenheit four fifty one",)),
        ("42nd Street", "forty second street", ()),
        ("Winchester '73", "winchester seventy three", ()),
        ("3:10 to Yuma", "three ten to yuma", ()),
        ("8½", "eight and a half", ()),
        ("Toy Story 2", "toy story two", ()),
        ("Rocky II", "rocky two", ()),
        ("The Godfather Part II", "the godfather part two", ("the godfather two", "godfather two")),
        ("Terminator 2: Judgment Day", "terminator two judgment day", ("terminator two",)),
        ("Thelma & Louise", "thelma and louise", ()),
        ("Breakfast at Tiffany's", "breakfast at tiffany's", ("breakfast at tiffanys",)),
        ("Breakfast at Tiffany’s", "breakfast at tiffany's", ("breakfast at tiffanys",)),
        ("Häxan", "haxan", ()),
        ("M", "m", ()),
        ("I, Robot", "i robot", ()),
        ("D.O.A.", "d o a", ()),
        ("M*A*S*H", "mash", ()),
        ("Dr. No", "doctor no", ()),
        ("Mr. Smith Goes to Washington", "mister smith goes to washington", ()),
        ("Ben-Hur", "ben hur", ()),
        ("When Harry Met Sally…", "when harry met sally", ()),
        ("1984", "nineteen eighty four", ()),
    ],
)  # fmt: skip
def test_forms(name: str, first: str, also: tuple[str, ...]) -> None:
    forms = spoken_forms(name)
    assert forms[0] == first
    assert set(also) <= set(forms)


@given(st.text(max_size=40))
def test_forms_are_words_for_a_grammar(name: str) -> None:
    forms = spoken_forms(name, ("The Other Name!",))
    assert len(set(forms)) == len(forms) <= MOST_FORMS
    assert "the other name" in forms or len(forms) == MOST_FORMS
    for form in forms:
        assert form
        assert form == " ".join(form.split())
        assert set(form) <= set("abcdefghijklmnopqrstuvwxyz0123456789' ")


def film(identity: int, name: str, year: int, spoken: tuple[str, ...] = ()) -> Title:
    return Title(identity, name, year, "somebody", spoken)


def test_the_catalogue_can_be_told_apart() -> None:
    """No two titles of the shipped catalogue are said the same way, unless they have the same name."""
    rows = json.loads((files("ivr.reference") / "seed" / "titles.json").read_text(encoding="utf-8"))
    said: dict[str, set[str]] = defaultdict(set)
    for name, _, _, *extra in rows:
        for form in spoken_forms(name, tuple(extra)):
            said[form].add(name)
    assert {form: names for form, names in said.items() if len(names) > 1} == {}
    assert not [form for form in said if any(c.isdigit() for c in form) and form != "se7en"]


def test_one_name_twice_is_told_apart_by_year() -> None:
    first, second, third = terms(
        (film(1, "A Star Is Born", 1937), film(2, "A Star Is Born", 1954), film(3, "Laura", 1944, ("that laura film",)))
    )
    assert (first.id, first.label) == ("1", "A Star Is Born from 1937")
    assert "a star is born nineteen fifty four" in second.spoken
    assert "star is born from nineteen thirty seven" in first.spoken
    assert (third.label, third.spoken) == ("Laura", ("laura", "that laura film"))


@pytest.mark.parametrize(
    ("number", "words"),
    [(1984, "nineteen eighty four"), (1900, "nineteen hundred"), (2001, "twenty oh one"), (451, "four fifty one"),
     (2000, ""), (1000, ""), (99, ""), (10_000, "")],
)  # fmt: skip
def test_in_pairs(number: int, words: str) -> None:
    assert in_pairs(number) == words


def test_plain_words() -> None:
    assert plain("L'Atalante — «Été» & 'quoted'") == "l'atalante ete and quoted"
    assert without_article("the") == "the"
    assert without_article("an american in paris") == "american in paris"
