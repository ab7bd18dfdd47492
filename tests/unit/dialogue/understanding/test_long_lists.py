"""Vocabularies of thousands: what is said nearly right is found as in a short list, and what has a rival is known."""

from __future__ import annotations

import pytest

from ivr.dialogue.understanding.concepts import concepts_of
from ivr.dialogue.understanding.lexicon import LONG_LIST, Vocabulary, lexicon
from ivr.events import Term
from tests.bench.long_vocabulary import products

LAMP, ALIEN = Term("x", "Metropolis Floor Lamp"), Term("z", "Alien")
CARRIERS = concepts_of("en-US").carriers


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    made = lexicon((*products(3_000), LAMP, ALIEN, Term("y", "Aliens")), "en-US")
    assert len(made.keys) > LONG_LIST
    return Vocabulary([made])


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("i want the metropolis floor lamp please", ["Metropolis Floor Lamp"]),
        ("i want the metropolys floor lamb please", ["Metropolis Floor Lamp"]),
        ("i want the m etropolis floor lamp", ["Metropolis Floor Lamp"]),
        ("what is the weather tomorrow in boston", []),
    ],
)
def test_it_is_found_word_for_word_and_mangled(vocabulary: Vocabulary, said: str, found: list[str]) -> None:
    assert [spot.term.label for spot in vocabulary.spot(said.split(), CARRIERS)] == found


def test_rivals_are_known(vocabulary: Vocabulary) -> None:
    assert vocabulary.near(ALIEN)
    assert not vocabulary.near(LAMP)
