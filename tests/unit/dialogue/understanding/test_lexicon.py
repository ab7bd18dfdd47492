from __future__ import annotations

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.wording import Wordings
from ivr.dialogue.understanding.concepts import Concepts, concepts_of, negated, renumbered, without_politeness
from tests.unit.dialogue.talk import reference


def said(words: str, concepts: Concepts) -> tuple[str, ...]:
    return concepts.sequence(words.split())


def test_a_language_knows_moving_and_no_business() -> None:
    english = concepts_of("en-US")
    assert said("please bump <0> up to the top", english) == ("MOVE", "<0>", "UP", "TOP")
    assert said("movie lineup", english) == ("movie", "lineup")
    assert said("por favor ponga <0> primero", concepts_of("es-ES")) == ("MOVE", "<0>", "TOP")


def test_a_company_adds_its_own() -> None:
    ours = Concepts("en-US", {"queue": ["lineup", "list"], "add": ["rent"], "filler": ["movie"]})
    assert said("rent the movie <0> in my lineup", ours) == ("ADD", "<0>", "QUEUE")
    assert ours.of("list") == "QUEUE" and concepts_of("en-US").of("list") == "HEAR"
    assert {"lineup", "movie", "rent", "bump", "the"} <= ours.carriers and "vertigo" not in ours.carriers


def test_what_recognisers_write_for_a_word_means_that_word() -> None:
    ours = Concepts("en-US", {"queue": ["queue"]})
    assert ours.of("cue") == ours.of("cube") == "QUEUE" and ours.of("slap") == "SWAP" and ours.of("but") == "MOVE"
    assert concepts_of("en-US").of("cue") == concepts_of("en-US").of("queue") == "queue"


def words_of(library: FlowLibrary, language: str) -> Concepts:
    return Concepts(language, Wordings(library, language, "neutral").concepts())


def test_the_reference_flows_carry_the_words_of_the_films_company() -> None:
    english, spanish = words_of(reference(), "en-GB"), words_of(reference(), "es-ES")
    assert english.of("lineup") == spanish.of("peliculas") == "QUEUE" and not english.of("movie")
    assert english.of("scratched") == spanish.of("rallado") == spanish.of("danado") == "BROKEN"
    assert not Wordings(reference(), "fr-FR", "neutral").concepts()


def test_small_words() -> None:
    assert renumbered(["move", "it", "to", "number", "to"], "en-US") == ("move", "it", "to", "number", "two")
    assert negated(["dont"], "en-US") and negated(["nunca"], "es-ES") and not negated(["nunca"], "en-US")
    assert without_politeness(["um", "could", "you", "please", "help", "please"], "en-US") == ("help",)
    assert without_politeness(["please"], "en-US") == ("please",)
