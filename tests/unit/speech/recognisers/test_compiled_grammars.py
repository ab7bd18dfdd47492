"""Compiled parts that are kept, priors of numbers, and templates multiplied out for engines without slots."""

from __future__ import annotations

import pytest

from ivr.ports import SpeechGrammar
from ivr.speech.recognisers.beam import search
from ivr.speech.recognisers.compiled_grammars import Compiler, Likelihood, Near
from ivr.speech.recognisers.vosk import expanded
from tests.unit.speech.recognisers.test_trie import END, Letters, favouring

NUMBERS = tuple(f"n{n}" for n in range(1, 100))
TITLES = ("alien", "vertigo", "rear window")
MOVE, SWAP, PLACE = ("move", "{title}", "to", "{n}"), ("swap", "{title}", "and", "{other}"), ("number", "{n}")


def grammar(key: str, *titles: str) -> SpeechGrammar:
    slots = (("title", titles), ("other", titles), ("n", NUMBERS))
    return SpeechGrammar(key, "en-US", ("what's next",), None, (MOVE, SWAP, PLACE), slots, frozenset({"n"}))


def test_another_queue_makes_only_its_titles_anew() -> None:
    letters = Letters()
    compiler = Compiler(letters)
    first = compiler.compiled(grammar("a", *TITLES))
    assert compiler.compiled(grammar("a", *TITLES)) is first
    again = compiler.compiled(grammar("b", *TITLES, "laura"))
    assert again.lattice.root.node is first.lattice.root.node  # the trunk
    assert again.lattice._slots["n"] is first.lattice._slots["n"]
    assert again.lattice._slots["title"] is again.lattice._slots["other"] is not first.lattice._slots["title"]
    heard = favouring(letters.sentence("Swap Laura and Vertigo"))
    assert search(heard, again.lattice, END)[0].text == "swap laura and vertigo"
    assert search(heard, first.lattice, END)[0].text != "swap laura and vertigo"


def test_what_is_near_to_a_transcript_says_from_which_template_it_came() -> None:
    letters = Letters()
    odd = SpeechGrammar(
        "odd", "en-US", ("what's next",), None, (("100%", "{title}"), SWAP), grammar("a", *TITLES).slots
    )
    nearness = Compiler(letters).compiled(odd).nearness
    assert nearness.nearest("Swap a lion and Vertigo.", 1) == [
        Near("swap alien and vertigo", SWAP, ("alien", "vertigo"))
    ]
    assert nearness.nearest("What's next?", 1) == [Near("what's next")]
    assert nearness.nearest("100 vertigo", 1) == [Near("100% vertigo", ("100%", "{title}"), ("vertigo",))]


def test_places_far_down_are_less_likely_beside_a_title_only() -> None:
    likelihood = Likelihood(grammar("a", *TITLES))
    assert likelihood(MOVE, ("alien", "n3")) == likelihood(MOVE, ("alien", "n12")) == 0.0
    assert -3.0 < likelihood(MOVE, ("alien", "n80")) < likelihood(MOVE, ("alien", "n20")) < 0.0
    assert likelihood(PLACE, ("n80",)) == likelihood(SWAP, ("alien", "vertigo")) == 0.0


def test_a_title_of_the_catalogue_is_less_likely_than_one_of_the_callers_own() -> None:
    catalogue = tuple(f"film {n}" for n in range(538))
    slots = (("title", TITLES), ("film", catalogue))
    likelihood = Likelihood(SpeechGrammar("own", "en-US", (), None, (("put", "{title}"), ("put", "{film}")), slots))
    assert likelihood(("put", "{title}"), ("alien",)) == 0.0
    assert -2.0 < likelihood(("put", "{film}"), ("film 3",)) < -0.5


def test_expanded_phrases_are_the_product() -> None:
    every = list(expanded(grammar("a", *TITLES), 8000))
    assert len(every) == len(set(every)) == 3 * 99 + 3 * 2 + 99
    assert {"move rear window to n42", "swap alien and vertigo", "number n99"} <= set(every)
    assert "swap alien and alien" not in every


@pytest.mark.parametrize("room", [0, 1, 7, 50, 200])
def test_expansion_keeps_to_its_room_with_the_likeliest_values(room: int) -> None:
    few = list(expanded(grammar("a", *TITLES), room))
    assert len(few) <= room
    if room >= 200:
        assert {"move rear window to n1", "swap rear window and vertigo", "number n1"} <= set(few)
