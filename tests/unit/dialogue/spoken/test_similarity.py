from __future__ import annotations

import pytest

from ivr.dialogue.spoken.similarity import bare_words, confusable, likeness, minimal_pairs, sound, unaccented
from ivr.speech.recognisers.compiled_grammars import Nearness


def test_accents_and_punctuation() -> None:
    assert unaccented("¿Qué? Ñandú, Åse") == "¿Que? Nandu, Ase"
    assert bare_words("Don’t! It's “rock'n'roll”, n° 5…") == "don t it's rock'n'roll n 5"


def test_word_boundaries_make_no_sound() -> None:
    assert sound("casa blanca") == sound("casablanca") and sound("m etropolis") == sound("metropolis")
    assert sound("the general") != sound("generals")


def test_languages_sound_their_own_way() -> None:
    assert sound("valla a la caza", "es-ES") == sound("vaya ala casa", "es-MX") != sound("vuelva a la cosa", "es")


def test_the_better_of_letters_and_sound() -> None:
    assert likeness("jenerul", "general") == 100.0 and likeness("vertigo", "casablanca") < 50


PAIRS = [
    ("remove alien", "remove aliens", True),
    ("put toy story first", "put toy story two first", True),
    ("number thirty", "number thirteen", True),
    ("move it", "move eat", True),
    ("read my notes", "read me notes", True),
    ("no", "know", True),
    ("number ate", "number eight", True),
    ("swap it", "stop it", False),
    ("yes", "no", False),
]


@pytest.mark.parametrize(("one", "other", "confused"), PAIRS)
def test_confusable(one: str, other: str, confused: bool) -> None:
    assert confusable(one, other) is confusable(other, one) is confused


@pytest.mark.parametrize(("one", "other", "confused"), PAIRS)
def test_what_the_recogniser_always_asks_about_the_checker_warns_of(one: str, other: str, confused: bool) -> None:
    assert Nearness((one, other)).twin(one) <= confused


def test_minimal_pairs() -> None:
    assert {"aliens", "alien two"} <= minimal_pairs("alien") and "rocky" in minimal_pairs("rocky two")
    assert "trece dos" in minimal_pairs("trece", "es-ES")
