"""The evaluation corpus keeps its two parts apart, and says what it says it does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.eval import corpus
from tests.eval.corpus import LANGUAGES, PARTS, TITLES, Sentence, sentences
from tests.eval.meaning import Caller, judged
from tests.eval.voices import VOICES

ROOT = Path(__file__).parents[2]


def test_the_parts_share_no_sentence_no_title_and_no_throat() -> None:
    tuning, checking = (set(TITLES[part].queue + TITLES[part].films + TITLES[part].discs) for part in PARTS)
    assert not tuning & checking
    for language in LANGUAGES:
        said = {part: {s.text for s in sentences(language) if s.part == part} for part in PARTS}
        assert not said["tuning"] & said["checking"]
        written = {part: {s.text for s in sentences(language) if s.part == part and s.titles} for part in PARTS}
        assert all(written.values())
    throats = {part: {(v.engine, v.variant.partition("@")[0]) for v in VOICES if v.part == part} for part in PARTS}
    assert not throats["tuning"] & throats["checking"]
    assert all(any(v.natural for v in VOICES if v.part == part) for part in PARTS)


def written(sentence: Sentence) -> str:
    """Its words alone, whichever titles were drawn for it."""
    text = sentence.text
    for title in sentence.titles:
        text = text.replace(title, "title")
    return bare(text)


def bare(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", re.sub(r"\{[^}]*\}", "title", text.casefold())))


def fitted() -> Iterator[str]:
    """Each text of the flows and of what comes with the product: phrases, examples, background sentences, prompts."""
    for folder in ("flows", "ivr"):
        for file in sorted(set((ROOT / folder).rglob("*.yaml")) - set((ROOT / folder).rglob("*.test.yaml"))):
            for event in yaml.parse(file.read_text("utf-8"), Loader=yaml.CSafeLoader):
                if isinstance(event, yaml.ScalarEvent):
                    yield from map(bare, event.value.splitlines())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_there_twice_with_other_titles_or_stops_either(language: str) -> None:
    own = [s for s in sentences(language) if s.kind != "answer"]  # in both of whose parts the bare title stands
    counted = Counter(map(written, own))
    assert [words for words, count in counted.items() if count > 1] == []


def test_what_measures_the_reader_stands_word_for_word_in_nothing_that_the_reader_is_made_of() -> None:
    """Where this fails, the sentence measures nothing any more: it moves to ``tuning``, another is written for it."""
    kinds = ("paraphrase", "human", "threat", "near_miss", "strange")
    measuring = {
        written(sentence)
        for language in LANGUAGES
        for sentence in sentences(language)
        if sentence.part == "checking" and sentence.kind in kinds
    }
    known = set(fitted())
    assert len(known) > 1000
    assert sorted(measuring & known) == []


@pytest.mark.parametrize("number", [0, 6, 13, 97, 98, 111, 200])
def test_two_titles_of_a_sentence_are_never_the_same_however_long_the_list(number: int) -> None:
    for part in PARTS:
        made = corpus._made("en-US", part, "paraphrase", "main.ask", "Swap {a} and {b}. => swap a b", number)
        assert len(set(made.titles)) == 2


def test_there_is_enough_of_every_kind_to_measure() -> None:
    english = sentences("en-US")
    kinds = Counter(sentence.kind for sentence in english)
    assert len(english) >= 250
    assert kinds["threat"] >= 16 and kinds["near_miss"] >= 18 and kinds["strange"] >= 40 and kinds["paraphrase"] >= 60
    assert {sentence.digits for sentence in english if sentence.digits} == {1, 4, 6, 8}
    checking = Counter(sentence.kind for sentence in english if sentence.part == "checking")
    assert checking["paraphrase"] >= 110 and checking["strange"] >= 50
    assert checking["threat"] >= 40 and checking["near_miss"] >= 40 and checking["human"] >= 20
    assert all(checking[kind] > kinds[kind] - checking[kind] for kind in ("covered", "paraphrase", "threat", "strange"))
    spanish = Counter(sentence.kind for sentence in sentences("es-ES") if sentence.part == "checking")
    assert spanish["paraphrase"] >= 60 and spanish["strange"] >= 20 and spanish["human"] >= 10
    assert spanish["threat"] >= 15 and spanish["near_miss"] >= 15


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_has_a_state_that_a_call_gets_to_and_titles_in_turn(language: str) -> None:
    for sentence in sentences(language):
        assert "{" not in sentence.text
        assert Caller(sentence).listen.grammar.language == language
    drawn = Counter(title for s in sentences(language) if s.kind == "paraphrase" for title in s.titles)
    assert len(drawn) > 5


def test_what_is_called_covered_is_understood_word_for_word() -> None:
    for sentence in sentences("en-US"):
        if sentence.kind in ("covered", "digits"):
            assert judged([Caller(sentence).types()], sentence) == "done", sentence
