"""Misheard words: what a free transcript may have been, and what of the recogniser's own readings it speaks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ivr.dialogue.understanding.classifier import NONE, Confusion, Example, Sentence, Thresholds, TrainingSet
from ivr.dialogue.understanding.concepts import concepts_of
from ivr.dialogue.understanding.grammar import Interpretation
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.inference import inferred, ranking
from ivr.dialogue.understanding.lexicon import Vocabulary, lexicon
from ivr.dialogue.understanding.mishearing import repaired
from ivr.dialogue.understanding.n_best import understand
from ivr.dialogue.understanding.risk import RiskWords
from ivr.dialogue.understanding.slots import TitleSlot
from ivr.dialogue.understanding.taught import Taught
from ivr.dialogue.understanding.training import written
from ivr.events import Accept, Cause, Hypothesis, Recognition, Term
from tests.unit.dialogue.understanding.test_n_best import open_question


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TAUGHT = Taught.of(
    "en-US",
    [
        words("which one comes in the mail now"),
        words("the disc you mailed me has a scratch"),
        words("the dvd froze in the second half"),
        words("talk to one of your staff"),
    ],
    [words("the meeting was moved to friday")],
)
GONE = "take {} out of my queue"


class Reader:
    """Gives each intent what it is told to, whatever is said; sentences with the word ``other`` something else."""

    key, denying, confusions = "told", frozenset[str](), tuple[Confusion, ...]()
    taught = TAUGHT

    def __init__(
        self, chances: Mapping[str, float], other: str = "", otherwise: Mapping[str, float] | None = None
    ) -> None:
        self._chances, self._other, self._otherwise = chances, other, otherwise or chances

    def probabilities(self, sentence: Sentence, intents: frozenset[str]) -> Mapping[str, float]:
        told = self._otherwise if self._other and self._other in sentence.text.split() else self._chances
        return {intent: told.get(intent, 0.0) for intent in (*intents, NONE)}

    def thresholds(self, intents: frozenset[str]) -> Thresholds:
        return Thresholds(0.25, 1.0)

    def likeness(self, text: str, others: Sequence[str]) -> Sequence[float]:
        return [0.0 for _ in others]


def grammar_with(reader: Reader) -> StateGrammar:
    known = open_question().silence().listen.grammar
    return StateGrammar(known.outline, known.slots, known.language, known.concepts, reader)


def heard(reader: Reader, transcript: str, *texts: str) -> Interpretation:
    nbest = tuple(Hypothesis(text, 0.01, None, Accept.REJECT) for text in texts)
    said = Recognition(Cause.NO_MATCH, nbest, transcript)
    return understand(said, grammar_with(reader), RiskWords.of({}, {}, (), "en-US", {}))


# -- words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "run"),
    [
        ("meal", "mail"),
        ("stuff", "staff"),
        ("disguemaled", "disc you mailed"),
        ("mail", ""),  # taught
        ("moved", ""),  # in the background, which is taught too
        ("mel", ""),  # too short to tell
        ("umbrella", ""),
    ],
)
def test_a_word_that_nobody_taught_may_be_one_that_sounds_so(word: str, run: str) -> None:
    assert TAUGHT.nearest(word)[0] == run


def test_a_training_set_teaches_the_runs_of_its_intents_and_all_words() -> None:
    def said(text: str) -> Sentence:
        return written(text, "en-US", concepts_of("en-US"))

    told = {"next": "what's in the mail", NONE: "we don't eat meat"}
    taught = TrainingSet("en-US", tuple(Example(said(text), name, text) for name, text in told.items())).taught
    assert {"mail", "in the mail"} <= set(taught.runs) and "eat meat" not in taught.runs
    assert {"whats", "dont", "meat"} <= taught.known


def test_titles_and_numbers_are_not_repaired() -> None:
    grammar = grammar_with(Reader({}))
    said = words("vertigo fourth comes in the meal")
    assert repaired(said, grammar, TAUGHT)[0] == words("vertigo fourth comes in the mail")


def test_what_is_mostly_unknown_stays_as_it_is() -> None:
    said = ("meal", "stuff", "umbrella")
    assert repaired(said, grammar_with(Reader({})), TAUGHT) == (said, 0.0)


def test_a_misheard_word_is_read_as_what_it_sounds_like() -> None:
    reader = Reader({NONE: 1.0}, "mail", {"next_title": 0.95, NONE: 0.05})
    found = heard(reader, "which one comes in the meal")
    assert found.best is not None and found.best.meaning.intent == "next_title"
    assert found.best.inferred and not found.best.sure


def test_what_is_typed_is_not_misheard() -> None:
    reader = Reader({NONE: 1.0}, "mail", {"next_title": 0.95, NONE: 0.05})
    assert not inferred(words("which one comes in the meal"), grammar_with(reader), reader)


# -- what the recogniser heard beside it ---------------------------------------------------------------------------


def test_a_rejected_reading_is_asked_about_where_the_transcript_has_its_title_and_its_sense() -> None:
    found = heard(Reader({NONE: 0.7, "remove": 0.15}), "I sought vertical already", GONE.format("vertigo"))
    assert found.best is not None and found.best.meaning.intent == "remove"
    assert found.best.meaning.slots["title"].label == "Vertigo"
    assert found.best.inferred and not found.best.sure and found.how == "inference"


@pytest.mark.parametrize(
    ("transcript", "chance", "text"),
    [
        ("I sought a pizza already", 0.15, GONE.format("vertigo")),  # no such title
        ("I sought vertical already", 0.02, GONE.format("vertigo")),  # not what it is about
        ("I never sought vertical already", 0.15, GONE.format("vertigo")),  # denied
        ("I sought vertical already", 0.15, "goodbye"),  # not on suspicion
        ("I sought vertical already", 0.15, "yes"),
    ],
)
def test_what_the_transcript_does_not_speak_for_is_not_taken(transcript: str, chance: float, text: str) -> None:
    assert heard(Reader({NONE: 0.8, "remove": chance}), transcript, text).best is None


def test_a_number_must_be_in_the_transcript() -> None:
    reader = Reader({NONE: 0.7, "move_to_position": 0.15})
    right = heard(reader, "vertical ought be number four ease", "make vertigo number four").best
    assert right is not None and right.meaning.slots["position"].value == 4
    assert heard(reader, "vertical ought be number for ease", "make vertigo number fourteen").best is None


# -- what else speaks for a meaning --------------------------------------------------------------------------------


def test_strangers_name_no_title_of_the_members_own() -> None:
    reader = Reader({NONE: 0.5, "remove": 0.45})
    grammar = grammar_with(reader)

    def none(said: str) -> float:
        return next(each.chance for each in ranking(said.split(), grammar, reader) if each.intent == NONE)

    assert none("we saw vertigo") < none("we saw psycho") - 0.1


def test_a_phrase_that_was_begun_must_be_likely_too() -> None:
    reader = Reader({"add": 0.97, "add_to_top": 0.01, NONE: 0.02})
    (found,) = inferred(("add",), grammar_with(reader), reader)
    assert found.meaning.intent == "add"


@pytest.mark.parametrize(
    ("said", "slots"),
    [
        ("slip vertigo into the sixth position", {"title": "Vertigo", "position": "six"}),  # "the sixth" is a day, too
        ("let vertigo be the eighth in line", {"title": "Vertigo", "position": "eight"}),
    ],
)
def test_a_place_within_a_day_is_heard(said: str, slots: dict[str, str]) -> None:
    reader = Reader({"move_to_position": 0.9, NONE: 0.1})
    (found,) = inferred(words(said), grammar_with(reader), reader)
    heard = {name: value.label for name, value in found.meaning.slots.items()}
    assert heard["title"] == slots["title"] and slots["position"] in heard.values()


def test_a_taught_word_is_no_title_of_a_long_list() -> None:
    """The catalogue may have a "Mail"; whoever asks what comes in the mail names none."""
    reader = Reader({"add": 0.2, NONE: 0.1}, "mail", {"next_title": 0.9, NONE: 0.1})
    grammar = grammar_with(reader)
    known = grammar.slots["film"]
    assert isinstance(known, TitleSlot)
    many = tuple(Term(f"film-{n}", f"Film Nummer {n}") for n in range(80))
    film = replace(known, vocabulary=Vocabulary([lexicon((*many, Term("mail", "Mail")), "en-US")]))
    grammar = StateGrammar(grammar.outline, {**grammar.slots, "film": film}, "en-US", grammar.concepts, reader)
    assert ranking(words("which one comes in the mail"), grammar, reader)[0].intent == "next_title"


def test_on_a_mishearing_nobody_is_sent_to_a_person() -> None:
    reader = Reader({NONE: 1.0}, "staff", {"human": 0.95, NONE: 0.05})
    assert heard(reader, "talk to one of your stuff").best is None


@pytest.mark.parametrize(
    ("transcript", "sure"), [("Yes.", True), ("Guess.", True), ("Yes, that's right.", True), ("Yes, I'm still", False)]
)
def test_a_yes_of_one_word_is_in_doubt_where_more_was_written(transcript: str, sure: bool) -> None:
    said = Recognition(Cause.SUCCESS, (Hypothesis("yes", 0.985, None, Accept.ACCEPT),), transcript)
    best = understand(said, grammar_with(Reader({})), RiskWords.of({}, {}, (), "en-US", {})).best
    assert best is not None and best.meaning.intent == "yes" and best.sure is sure
